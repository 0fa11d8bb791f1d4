#include "rpc/static_files.h"

#include "base/text.h"
#include "rpc/gzip.h"
#include "rpc/path_template.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The page takes what it needs from here and has nothing inline, so what it shows cannot run anything, be sent
 * elsewhere, or be framed by others. */
#define CONSOLE_POLICY                                                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "          \
	"frame-ancestors 'self'; base-uri 'self'; form-action 'self'"

static const char *content_type_of(const char *path)
{
	static const struct {
		const char *suffix;
		const char *type;
	} types[] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".mjs", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".map", "application/json" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".woff2", "font/woff2" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
		if (text_ends_with(path, types[i].suffix))
			return types[i].type;
	return "application/octet-stream";
}

/* What gets smaller; pictures and fonts are compressed already. */
static bool is_text(const char *content_type)
{
	return text_starts_with(content_type, "text/") || text_equal(content_type, "application/json") ||
	       text_equal(content_type, "image/svg+xml");
}

/*
 * No empty steps, none that starts with a dot, no backslashes: the name cannot leave the directory or reach hidden
 * files.
 */
static bool is_safe(const char *path)
{
	for (const char *cursor = path;;) {
		size_t length = strcspn(cursor, "/");
		if (!length || cursor[0] == '.' || memchr(cursor, '\\', length))
			return false;
		cursor += length;
		if (!*cursor)
			return true;
		cursor++;
	}
}

/* A regular file opened for reading, or -1. */
static int open_file(const char *directory, const char *name, struct stat *ret_stat)
{
	auto_free char *path = xasprintf("%s/%s", directory, name);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode))
		return -1;
	return steal_fd(&fd);
}

static int read_whole(int fd, size_t size, struct buf *out)
{
	buf_init(out, size);
	while (out->length < size) {
		char *room = buf_reserve(out, size - out->length);
		ssize_t count = read(fd, room, size - out->length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return -1;
		buf_commit(out, (size_t)count);
	}
	return 0;
}

static void serve(struct rpc_exchange *x, int fd, const struct stat *info, const char *name)
{
	struct rpc_response *response = &x->response;
	if (info->st_size < 0 || (size_t)info->st_size > STATIC_FILE_MAXIMUM) {
		rpc_response_set_error(response, false, GRPC_RESOURCE_EXHAUSTED, "the file is too large to be served",
		                       NULL);
		return;
	}
	response->content_type = content_type_of(name);
	response->cache_control =
	        text_starts_with(name, "assets/") ? "public, max-age=31536000, immutable" : "no-cache";
	/* Two representations, two validators (RFC 9110, 8.8.3.3). */
	bool compress = is_text(response->content_type) && gzip_is_accepted(x->head.accept_encoding);
	response->etag = xasprintf("\"%llx-%llx%09lx%s\"", (unsigned long long)info->st_size,
	                           (unsigned long long)info->st_mtim.tv_sec, (unsigned long)info->st_mtim.tv_nsec,
	                           compress ? "-gz" : "");
	if (text_starts_with(response->content_type, "text/html")) {
		rpc_response_add_header(response, "content-security-policy", CONSOLE_POLICY);
		rpc_response_add_header(response, "referrer-policy", "same-origin");
	}
	if (x->head.if_none_match && strstr(x->head.if_none_match, response->etag)) {
		response->http_status = 304;
		return;
	}
	response->http_status = 200;
	if (read_whole(fd, (size_t)info->st_size, &response->body) < 0)
		rpc_response_set_error(response, false, GRPC_INTERNAL, "the file cannot be read", NULL);
	else if (compress)
		rpc_response_compress(x, response, GZIP_SMALL);
}

void static_files_answer(const char *directory, struct rpc_exchange *x)
{
	const char *encoded = x->head.path + strlen(STATIC_FILES_PREFIX);
	auto_free char *name = path_percent_decode(encoded, strlen(encoded), false);
	struct stat info;
	auto_fd int fd = -1;
	if (directory && name && (!*name || is_safe(name))) {
		fd = *name ? open_file(directory, name, &info) : -1;
		if (fd < 0 && !text_starts_with(name, "assets/")) {
			free(name);
			name = xstrdup("index.html");
			fd = open_file(directory, name, &info);
		}
	}
	if (fd < 0)
		rpc_response_set_error(&x->response, false, GRPC_NOT_FOUND, "no such file", NULL);
	else
		serve(x, fd, &info, name);
}
