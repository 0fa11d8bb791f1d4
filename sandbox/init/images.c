#include "init/images.h"

#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CTR "/usr/bin/ctr"
#define OUTPUT_MAXIMUM ((size_t)1024 * 1024)
#define ID_MAXIMUM ((size_t)1024)
#define ARCHIVES_MAXIMUM 64
#define FIRST_ARCHIVE "pause.tar"

extern char **environ;

/* Runs ctr to its end. Its output is collected when `ret_output` is given; its complaints go to our log. */
static int run_ctr(const char *const *arguments, struct buf *ret_output, struct err *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(e, errno, NULL, "cannot create a pipe");
	auto_fd int read_end = ends[0];
	auto_fd int write_end = ends[1];
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ret_output ? write_end : STDERR_FILENO, STDOUT_FILENO);
	pid_t pid;
	int problem = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (problem)
		return err_set_errno(e, problem, NULL, "cannot run '%s'", arguments[0]);
	close(steal_fd(&write_end));
	char chunk[4096];
	ssize_t got;
	while ((got = read(read_end, chunk, sizeof(chunk))) > 0)
		if (ret_output)
			(void)buf_add(ret_output, chunk, (size_t)got);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(e, errno, NULL, "cannot wait for '%s'", arguments[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_INTERNAL, "image-import-failed", "'ctr %s %s' failed", arguments[3],
		               arguments[4]);
	return 0;
}

/* Whether `reference` is a line of what `ctr images ls -q` printed. */
static bool is_listed(const struct buf *listing, const char *reference)
{
	size_t length = strlen(reference);
	for (const char *line = buf_text(listing); *line;) {
		size_t line_length = strcspn(line, "\n");
		if (line_length == length && memcmp(line, reference, length) == 0)
			return true;
		line += line_length + (line[line_length] == '\n');
	}
	return false;
}

static int import_archive(const char *archive, const char *mark, const struct buf *present, struct err *e)
{
	auto_free char *id_path = xasprintf("%.*s.id", (int)strlen(archive) - 4, archive);
	auto_buf struct buf id = BUF_INIT(ID_MAXIMUM);
	if (file_read(id_path, &id, e) < 0)
		return -1;
	auto_free char *digest = xstrndup(buf_text(&id), strcspn(buf_text(&id), " \n"));
	const char *rest = buf_text(&id) + strlen(digest);
	rest += strspn(rest, " ");
	auto_free char *reference = xstrndup(rest, strcspn(rest, "\n"));
	auto_buf struct buf known = BUF_INIT(ID_MAXIMUM);
	if (file_exists(mark) && file_read(mark, &known, e) < 0)
		return -1;
	if (text_equal(buf_text(&known), digest) && is_listed(present, reference))
		return 0;
	const char *const import[] = { CTR,         "-n",    "k8s.io", "images", "import", "--snapshotter",
		                       "overlayfs", archive, NULL };
	/* Pinned: the kubelet's garbage collection leaves it alone. */
	const char *const pin[] = {
		CTR, "-n", "k8s.io", "images", "label", reference, "io.cri-containerd.pinned=pinned", NULL
	};
	if (run_ctr(import, NULL, e) < 0 || run_ctr(pin, NULL, e) < 0)
		return err_wrap(e, "cannot import '%s'", archive);
	return file_write_atomic(mark, digest, strlen(digest), 0644, e);
}

static int compare_names(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;
	bool left_first = text_equal(left, FIRST_ARCHIVE), right_first = text_equal(right, FIRST_ARCHIVE);
	if (left_first != right_first)
		return left_first ? -1 : 1;
	return strcmp(left, right);
}

static size_t list_archives(const char *directory, char **names, struct err *e)
{
	DIR *stream = opendir(directory);
	size_t count = 0;
	if (!stream) {
		err_set_errno(e, errno, NULL, "cannot list '%s'", directory);
		return 0;
	}
	for (const struct dirent *entry; count < ARCHIVES_MAXIMUM && (entry = readdir(stream));)
		if (text_ends_with(entry->d_name, ".tar"))
			names[count++] = xstrdup(entry->d_name);
	closedir(stream);
	qsort(names, count, sizeof(*names), compare_names);
	return count;
}

int images_import(const char *archive_directory, const char *mark_directory, struct err *e)
{
	const char *const list[] = { CTR, "-n", "k8s.io", "images", "ls", "-q", NULL };
	auto_buf struct buf present = BUF_INIT(OUTPUT_MAXIMUM);
	if (run_ctr(list, &present, e) < 0)
		return -1;
	char *names[ARCHIVES_MAXIMUM];
	struct err listing = ERR_INIT;
	size_t count = list_archives(archive_directory, names, &listing);
	int result = listing.kind == ERR_NONE ? 0 : err_move(e, &listing);
	for (size_t i = 0; i < count; i++) {
		auto_free char *archive = file_join(archive_directory, names[i]);
		auto_free char *mark = xasprintf("%s/imported.%s", mark_directory, names[i]);
		if (result == 0)
			result = import_archive(archive, mark, &present, e);
		free(names[i]);
	}
	return result;
}
