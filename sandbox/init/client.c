#include "init/client.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "init/control.h"
#include "init/images.h"
#include "init/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAXIMUM ((size_t)64 * 1024)
#define TAIL_DEFAULT 200
#define TAIL_MAXIMUM 1000000

static const char usage_text[] = "usage: sandbox-init status [--follow] [--json]\n"
                                 "       sandbox-init start|stop|restart SERVICE\n"
                                 "       sandbox-init logs SERVICE [--follow] [--tail N]\n"
                                 "       sandbox-init import-images|keep-images\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return 2;
}

static int complain(const struct err *e)
{
	fprintf(stderr, "sandbox-init: %s\n", err_message(e));
	return 1;
}

static int connect_to_init(struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SUPERVISOR_SOCKET };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_set_errno(e, errno, "init-unreachable", "cannot reach PID 1 on '%s'", SUPERVISOR_SOCKET);
	return steal_fd(&fd);
}

/* Prints one answer line for a person; returns the exit code it implies, or -1 to go on. */
static int show_line(const json_t *line)
{
	const char *error = json_string_at(line, "error/message", NULL);
	if (error) {
		fprintf(stderr, "sandbox-init: %s\n", error);
		return 1;
	}
	const char *service = json_string_at(line, "service", NULL);
	if (service) {
		const char *message = json_string_at(line, "message", "");
		printf("%-16s %-10s %.*s\n", service, json_string_at(line, "status", ""), (int)strcspn(message, "\n"),
		       message);
		return -1;
	}
	return json_boolean_at(line, "ready", true) ? 0 : 3;
}

/* Reads answer lines to the end of the connection. */
static int show_answer(int fd, bool as_json, struct err *e)
{
	auto_buf struct buf pending = BUF_INIT(LINE_MAXIMUM);
	int code = 1;
	for (;;) {
		char chunk[4096];
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set_errno(e, errno, NULL, "connection to PID 1 lost");
		if (got == 0)
			return code;
		if (buf_add(&pending, chunk, (size_t)got) < 0)
			return err_set(e, ERR_INTERNAL, NULL, "PID 1 sent a line of more than %zu bytes", LINE_MAXIMUM);
		for (char *end; (end = memchr(pending.data, '\n', pending.length));) {
			size_t length = (size_t)(end - pending.data);
			auto_json json_t *line = json_parse(pending.data, length, "the answer of PID 1", e);
			if (!line)
				return -1;
			if (as_json) {
				fwrite(pending.data, 1, length + 1, stdout);
				code = json_lookup(line, "error") ? 1 : json_boolean_at(line, "ready", true) ? 0 : 3;
			} else {
				int line_code = show_line(line);
				code = line_code >= 0 ? line_code : code;
			}
			fflush(stdout);
			buf_consume(&pending, length + 1);
		}
	}
}

static int ask(json_t *request, bool as_json)
{
	auto_err struct err e = ERR_INIT;
	auto_json json_t *owned = request;
	auto_free char *text = json_to_text(owned);
	auto_free char *line = xasprintf("%s\n", text);
	auto_fd int fd = connect_to_init(&e);
	if (fd < 0 || file_write_all(fd, line, strlen(line), &e) < 0)
		return complain(&e);
	int code = show_answer(fd, as_json, &e);
	return code < 0 ? complain(&e) : code;
}

static int status_command(int argc, char **argv)
{
	bool follow = false, as_json = false;
	for (int i = 2; i < argc; i++) {
		if (text_equal(argv[i], "--follow"))
			follow = true;
		else if (text_equal(argv[i], "--json"))
			as_json = true;
		else
			return usage();
	}
	json_t *request = json_object();
	json_object_set_new(request, "command", json_string("status"));
	json_object_set_new(request, "follow", json_boolean(follow));
	return ask(request, as_json);
}

static int change_command(int argc, char **argv)
{
	if (argc != 3)
		return usage();
	json_t *request = json_object();
	json_object_set_new(request, "command", json_string(argv[1]));
	json_object_set_new(request, "service", json_string(argv[2]));
	return ask(request, false);
}

/* The offset at which the last `lines` lines begin. */
static off_t find_tail(int fd, off_t size, int64_t lines)
{
	off_t at = size;
	while (at > 0) {
		char block[8192];
		off_t begin = at > (off_t)sizeof(block) ? at - (off_t)sizeof(block) : 0;
		ssize_t got = pread(fd, block, (size_t)(at - begin), begin);
		if (got <= 0)
			return 0;
		for (ssize_t i = got - 1; i >= 0; i--)
			if (block[i] == '\n' && begin + i != size - 1 && --lines == 0)
				return begin + i + 1;
		at = begin;
	}
	return 0;
}

static int copy_new_bytes(int fd)
{
	char chunk[16 * 1024];
	ssize_t got;
	while ((got = read(fd, chunk, sizeof(chunk))) > 0)
		if (file_write_all(STDOUT_FILENO, chunk, (size_t)got, NULL) < 0)
			return -1;
	return 0;
}

/* Follows the file across its rotation; ends when stdout does. */
static int follow_log(const char *path, int fd, struct err *e)
{
	auto_fd int current = fd;
	auto_fd int notify = inotify_init1(IN_CLOEXEC);
	if (notify < 0 || inotify_add_watch(notify, SERVICE_LOG_DIRECTORY, IN_CREATE) < 0 ||
	    inotify_add_watch(notify, path, IN_MODIFY) < 0)
		return err_set_errno(e, errno, NULL, "cannot watch '%s'", path);
	for (;;) {
		if (copy_new_bytes(current) < 0)
			return 0;
		char events[4096];
		if (read(notify, events, sizeof(events)) < 0 && errno != EINTR)
			return err_set_errno(e, errno, NULL, "cannot watch '%s'", path);
		struct stat ours, named;
		if (fstat(current, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino != named.st_ino) {
			int next = open(path, O_RDONLY | O_CLOEXEC);
			if (next < 0)
				continue;
			(void)copy_new_bytes(current);
			close(current);
			current = next;
			inotify_add_watch(notify, path, IN_MODIFY);
		}
	}
}

static int logs_command(int argc, char **argv)
{
	const char *service = NULL;
	bool follow = false;
	int64_t tail = TAIL_DEFAULT;
	for (int i = 2; i < argc; i++) {
		if (text_equal(argv[i], "--follow"))
			follow = true;
		else if (text_equal(argv[i], "--tail") && i + 1 < argc &&
		         text_to_int64(argv[i + 1], 1, TAIL_MAXIMUM, &tail))
			i++;
		else if (!service && argv[i][0] != '-' && !strchr(argv[i], '/'))
			service = argv[i];
		else
			return usage();
	}
	if (!service)
		return usage();
	auto_err struct err e = ERR_INIT;
	auto_free char *path = xasprintf("%s/%s.log", SERVICE_LOG_DIRECTORY, service);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	if (fd < 0 || fstat(fd, &info) < 0) {
		err_set(&e, ERR_NOT_FOUND, "unknown-service", "there is no log of a service '%s'", service);
		return complain(&e);
	}
	lseek(fd, find_tail(fd, info.st_size, tail), SEEK_SET);
	if (!follow)
		return copy_new_bytes(fd) < 0 ? 1 : 0;
	return follow_log(path, steal_fd(&fd), &e) < 0 ? complain(&e) : 0;
}

static int import_command(void)
{
	auto_err struct err e = ERR_INIT;
	return images_import(&image_places, &e) < 0 ? complain(&e) : 0;
}

static int keep_command(void)
{
	auto_err struct err e = ERR_INIT;
	/* Nobody waits for it. */
	(void)setpriority(PRIO_PROCESS, 0, 19);
	return images_keep(&image_places, &e) < 0 ? complain(&e) : 0;
}

int client_main(int argc, char **argv)
{
	if (text_equal(argv[1], "status"))
		return status_command(argc, argv);
	if (text_equal(argv[1], "logs"))
		return logs_command(argc, argv);
	if (text_equal(argv[1], "import-images"))
		return import_command();
	if (text_equal(argv[1], "keep-images"))
		return keep_command();
	if (text_equal(argv[1], "start") || text_equal(argv[1], "stop") || text_equal(argv[1], "restart"))
		return change_command(argc, argv);
	if (text_equal(argv[1], "--help") || text_equal(argv[1], "help")) {
		fputs(usage_text, stdout);
		return 0;
	}
	return usage();
}
