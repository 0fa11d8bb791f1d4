/* docker, inside of the sandbox's container: runs what the command line means there (shim.h). */
#include "docker_shim/shim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const struct err *e)
{
	fprintf(stderr, "docker: error[%s]: %s\n", err_id(e), err_message(e));
	if (e->hint)
		fprintf(stderr, "docker: hint: %s\n", e->hint);
	return e->kind == ERR_USAGE ? 125 : 1;
}

/* BuildKit is started when somebody needs it; sandbox-init waits until it is ready. Its report goes to stderr, where a
 * build's progress is. */
static int start_builder(struct err *e)
{
	int status = 0;
	const pid_t child = fork();
	if (child < 0)
		return err_set_errno(e, errno, NULL, "fork");
	if (child == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		execlp("sandbox-init", "sandbox-init", "start", "buildkit", (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set_errno(e, errno, NULL, "waitpid");
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "builder", "the builder does not start");
}

int main(int argc, char **argv)
{
	auto_shim_command struct shim_command command = SHIM_COMMAND_INIT;
	auto_err struct err e = ERR_INIT;
	if (shim_translate(argv + 1, argc > 1 ? (size_t)argc - 1 : 0, &command, &e) < 0)
		return fail(&e);
	if (command.message) {
		puts(command.message);
		return 0;
	}
	if (command.builds && start_builder(&e) < 0)
		return fail(&e);
	execvp(command.words[0], command.words);
	err_set_errno(&e, errno, "exec", "'%s'", command.words[0]);
	return fail(&e);
}
