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
#define TAR "/usr/bin/tar"
#define OUTPUT_MAXIMUM ((size_t)1024 * 1024)
#define ID_MAXIMUM ((size_t)1024)
#define NAMES_MAXIMUM 4096
#define FIRST_IMAGE "pause"

extern char **environ;

const struct image_places image_places = {
	.shipped = "/usr/lib/sandbox/images",
	.kept = "/var/lib/sandbox/images",
	.mounted = "/run/sandbox/images",
	.store = "/var/lib/sandbox/containerd",
};

/* --- names --- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int name_list_read(const char *directory, const char *suffix, struct name_list *ret_list, struct err *e)
{
	*ret_list = (struct name_list){ .count = 0 };
	DIR *stream = opendir(directory);
	if (!stream && errno == ENOENT)
		return 0;
	if (!stream)
		return err_set_errno(e, errno, NULL, "cannot list '%s'", directory);
	for (const struct dirent *entry; ret_list->count < NAMES_MAXIMUM && (entry = readdir(stream));) {
		if (entry->d_name[0] == '.' || !text_ends_with(entry->d_name, suffix))
			continue;
		ret_list->names = xreallocarray(ret_list->names, ret_list->count + 1, sizeof(*ret_list->names));
		ret_list->names[ret_list->count++] = xstrdup(entry->d_name);
	}
	closedir(stream);
	if (ret_list->count)
		qsort(ret_list->names, ret_list->count, sizeof(*ret_list->names), compare_names);
	return 0;
}

void name_list_release(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct name_list){ .count = 0 };
}

/* --- programs --- */

/* -1 for a descriptor: the one that we have. */
static int spawn(const char *const *arguments, int in_fd, int out_fd, pid_t *ret_pid, struct err *e)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	if (in_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out_fd >= 0 ? out_fd : STDERR_FILENO, STDOUT_FILENO);
	int problem = posix_spawn(ret_pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (problem)
		return err_set_errno(e, problem, NULL, "cannot run '%s'", arguments[0]);
	return 0;
}

static int wait_for(pid_t pid, const char *const *arguments, struct err *e)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set_errno(e, errno, NULL, "cannot wait for '%s'", arguments[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	auto_free char *words = xstrdup(arguments[0]);
	for (size_t i = 1; arguments[i]; i++) {
		char *longer = xasprintf("%s %s", words, arguments[i]);
		free(words);
		words = longer;
	}
	return err_set(e, ERR_INTERNAL, "image-import-failed", "'%s' failed", words);
}

int images_run(const char *const *arguments, struct err *e)
{
	pid_t pid;
	return spawn(arguments, -1, -1, &pid, e) < 0 ? -1 : wait_for(pid, arguments, e);
}

static int capture(const char *const *arguments, struct buf *ret_output, struct err *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(e, errno, NULL, "cannot create a pipe");
	auto_fd int read_end = ends[0];
	auto_fd int write_end = ends[1];
	pid_t pid;
	if (spawn(arguments, -1, write_end, &pid, e) < 0)
		return -1;
	close(steal_fd(&write_end));
	char chunk[4096];
	ssize_t got;
	while ((got = read(read_end, chunk, sizeof(chunk))) > 0)
		(void)buf_add(ret_output, chunk, (size_t)got);
	return wait_for(pid, arguments, e);
}

/* `from`'s output is `to`'s input. */
static int run_pipe(const char *const *from, const char *const *to, struct err *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set_errno(e, errno, NULL, "cannot create a pipe");
	auto_fd int read_end = ends[0];
	auto_fd int write_end = ends[1];
	pid_t from_pid, to_pid;
	if (spawn(from, -1, write_end, &from_pid, e) < 0)
		return -1;
	close(steal_fd(&write_end));
	int result = spawn(to, read_end, -1, &to_pid, e);
	close(steal_fd(&read_end));
	if (result == 0)
		result = wait_for(to_pid, to, e);
	auto_err struct err broken = ERR_INIT;
	if (wait_for(from_pid, from, &broken) < 0 && result == 0)
		result = err_move(e, &broken);
	return result;
}

/* --- shipped images --- */

struct shipped_image {
	char *layout;    /* its directory */
	char *digest;    /* without "sha256:" */
	char *reference; /* the name that pods ask for */
	char *mark;      /* file in the store that remembers what was brought there */
};

static void shipped_image_release(struct shipped_image *image)
{
	free(image->layout);
	free(image->digest);
	free(image->reference);
	free(image->mark);
	*image = (struct shipped_image){ .layout = NULL };
}
#define auto_shipped_image __attribute__((cleanup(shipped_image_release)))

static int read_shipped(const struct image_places *places, const char *id_name, struct shipped_image *ret_image,
                        struct err *e)
{
	auto_free char *id_path = file_join(places->shipped, id_name);
	auto_buf struct buf id = BUF_INIT(ID_MAXIMUM);
	if (file_read(id_path, &id, e) < 0)
		return -1;
	const char *rest = buf_text(&id) + strcspn(buf_text(&id), " \n");
	auto_free char *name = xstrndup(id_name, strlen(id_name) - strlen(".id"));
	ret_image->layout = file_join(places->shipped, name);
	ret_image->digest = xstrndup(buf_text(&id), (size_t)(rest - buf_text(&id)));
	rest += strspn(rest, " ");
	ret_image->reference = xstrndup(rest, strcspn(rest, "\n"));
	ret_image->mark = xasprintf("%s/imported.%s", places->store, name);
	return 0;
}

static int is_marked(const struct shipped_image *image, bool *ret_marked, struct err *e)
{
	auto_buf struct buf known = BUF_INIT(ID_MAXIMUM);
	if (file_exists(image->mark) && file_read(image->mark, &known, e) < 0)
		return -1;
	*ret_marked = text_equal(buf_text(&known), image->digest);
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

static int import_image(const struct shipped_image *image, struct err *e)
{
	const char *const pack[] = { TAR, "-C", image->layout, "-c", ".", NULL };
	const char *const import[] = {
		CTR, "-n", "k8s.io", "images", "import", "--snapshotter", "overlayfs", "-", NULL
	};
	/* Pinned: the kubelet's garbage collection leaves it alone. */
	const char *const pin[] = {
		CTR, "-n", "k8s.io", "images", "label", image->reference, "io.cri-containerd.pinned=pinned", NULL
	};
	if (run_pipe(pack, import, e) < 0 || images_run(pin, e) < 0)
		return err_wrap(e, "cannot import '%s'", image->layout);
	return file_write_atomic(image->mark, image->digest, strlen(image->digest), 0644, e);
}

/* Imports each shipped image whose mark does not fit, or which is not `listed` (NULL: that is not asked). */
static int import_missing(const struct image_places *places, const struct buf *listed, struct err *e)
{
	auto_name_list struct name_list ids;
	if (name_list_read(places->shipped, ".id", &ids, e) < 0)
		return -1;
	for (size_t i = 0; i < ids.count; i++)
		if (text_equal(ids.names[i], FIRST_IMAGE ".id")) {
			char *first = ids.names[i];
			memmove(ids.names + 1, ids.names, i * sizeof(*ids.names));
			ids.names[0] = first;
		}
	for (size_t i = 0; i < ids.count; i++) {
		auto_shipped_image struct shipped_image image = { .layout = NULL };
		bool marked = false;
		if (read_shipped(places, ids.names[i], &image, e) < 0 || is_marked(&image, &marked, e) < 0)
			return -1;
		bool missing = !marked || (listed && !is_listed(listed, image.reference));
		if (missing && import_image(&image, e) < 0)
			return -1;
	}
	return 0;
}

int images_import(const struct image_places *places, struct err *e)
{
	if (image_roots_unpack(places, e) < 0)
		return -1;
	return import_missing(places, NULL, e);
}

int images_keep(const struct image_places *places, struct err *e)
{
	const char *const list[] = { CTR, "-n", "k8s.io", "images", "ls", "-q", NULL };
	auto_buf struct buf listed = BUF_INIT(OUTPUT_MAXIMUM);
	if (capture(list, &listed, e) < 0 || import_missing(places, &listed, e) < 0)
		return -1;
	return image_roots_keep(places, e);
}
