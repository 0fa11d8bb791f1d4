#include "cli/lifecycle/watcher.h"

#include "cli/framework/interrupt.h"
#include "cli/instance/instances.h"
#include "cli/lifecycle/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS_MAXIMUM 4096

/* Nothing of the parent's may be held open: not its pipes (a reader would wait for their end), not its lock. */
static void let_go(void)
{
	long limit = sysconf(_SC_OPEN_MAX);
	int last = limit > 0 && limit < DESCRIPTORS_MAXIMUM ? (int)limit : DESCRIPTORS_MAXIMUM;
	for (int fd = 0; fd < last; fd++)
		close(fd);
	/* The three standard ones, in order. */
	if (open("/dev/null", O_RDWR) != STDIN_FILENO || dup(STDIN_FILENO) < 0 || dup(STDIN_FILENO) < 0)
		_exit(1);
	if (chdir("/") < 0)
		_exit(1);
}

static void watch(const struct cli *cli, const struct lifetime *lifetime)
{
	struct cli own;
	let_go();
	interrupt_setup();
	lifetime_wait_for_owner(lifetime);
	auto_json json_t *removed = json_array();
	const struct prune_wish wish = { .only = cli->instance.name };
	/* There is nobody to tell about a failure; prune finds what stays. */
	if (cli_for_instance(cli, cli->instance.name, &own, NULL) == 0)
		(void)prune(&own, &wish, removed, NULL);
	cli_release(&own);
}

int watcher_begin(const struct cli *cli, const struct lifetime *lifetime, struct err *e)
{
	(void)fflush(NULL);
	pid_t child = fork();
	if (child < 0)
		return err_set_errno(e, errno, NULL, "cannot make the process that watches the owner");
	if (child == 0) {
		/* Once more, so that it is nobody's child and no terminal's. */
		if (setsid() < 0 || fork() != 0)
			_exit(0);
		watch(cli, lifetime);
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}
