#include "docker/archive.h"

#include <archive.h>
#include <archive_entry.h>

/* Tar headers around one file. */
#define TAR_MARGIN ((size_t)64 * 1024)
#define UPLOAD_IDLE_MS INT64_C(120000)

struct upload {
	struct tar *tar;
	void (*on_progress)(void *context);
	void *context;
};

static ssize_t give_tar(void *context, void *room, size_t size, struct err *e)
{
	const struct upload *upload = context;
	ssize_t got = tar_read(upload->tar, room, size, e);
	if (upload->on_progress && got >= 0)
		upload->on_progress(upload->context);
	return got;
}

int docker_archive_put(struct docker_client *client, const char *container, const char *directory, struct tar *tar,
                       void (*on_progress)(void *context), void *context, struct err *e)
{
	auto_free char *encoded = docker_encode(directory);
	auto_free char *path = xasprintf("/containers/%s/archive?path=%s&noOverwriteDirNonDir=1", container, encoded);
	struct upload upload = { .tar = tar, .on_progress = on_progress, .context = context };
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = { .method = "PUT",
		                          .path = path,
		                          .read_body = give_tar,
		                          .context = &upload,
		                          .timeout_ms = HTTP_NO_TIMEOUT,
		                          .idle_timeout_ms = UPLOAD_IDLE_MS };
	if (docker_call(client, &request, &response, e) < 0)
		return err_wrap(e, "cannot copy files to '%s' in the container", directory);
	return 0;
}

static int read_entry(struct archive *reader, struct buf *ret_bytes, const char *path, struct err *e)
{
	struct archive_entry *entry = NULL;
	int outcome;
	do
		outcome = archive_read_next_header(reader, &entry);
	while (outcome == ARCHIVE_OK && archive_entry_filetype(entry) != AE_IFREG);
	if (outcome == ARCHIVE_EOF)
		return err_set(e, ERR_NOT_FOUND, NULL, "'%s' in the container is not a file", path);
	if (outcome != ARCHIVE_OK)
		return err_set(e, ERR_INTERNAL, "tar", "malformed archive from the engine: %s",
		               archive_error_string(reader));
	char chunk[16 * 1024];
	for (;;) {
		la_ssize_t got = archive_read_data(reader, chunk, sizeof(chunk));
		if (got < 0)
			return err_set(e, ERR_INTERNAL, "tar", "malformed archive from the engine: %s",
			               archive_error_string(reader));
		if (got == 0)
			return 0;
		if (buf_add(ret_bytes, chunk, (size_t)got) < 0)
			return err_set(e, ERR_EXHAUSTED, "file-too-large",
			               "'%s' in the container is larger than %zu bytes", path, ret_bytes->maximum);
	}
}

static int take_bytes(void *context, const char *bytes, size_t length, struct err *e)
{
	struct buf *text = context;
	if (buf_add(text, bytes, length) == 0)
		return 0;
	return err_set(e, ERR_EXHAUSTED, "file-too-large", "the archive is larger than %zu bytes", text->maximum);
}

int docker_archive_get(struct docker_client *client, const char *container, const char *path, struct buf *ret_bytes,
                       struct err *e)
{
	auto_free char *encoded = docker_encode(path);
	auto_free char *request_path = xasprintf("/containers/%s/archive?path=%s", container, encoded);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = {
		.method = "GET", .path = request_path, .on_data = take_bytes, .context = ret_bytes
	};
	if (docker_call(client, &request, &response, e) < 0)
		return err_wrap(e, "cannot read '%s' in the container", path);
	return 0;
}

int docker_archive_first_file(const void *bytes, size_t length, const char *path, struct buf *ret_bytes, struct err *e)
{
	struct archive *reader = memory_checked(archive_read_new());
	archive_read_support_format_tar(reader);
	int outcome = archive_read_open_memory(reader, bytes, length) == ARCHIVE_OK
	                      ? read_entry(reader, ret_bytes, path, e)
	                      : err_set(e, ERR_INTERNAL, "tar", "malformed archive from the engine");
	archive_read_free(reader);
	return outcome;
}

int docker_archive_get_file(struct docker_client *client, const char *container, const char *path,
                            struct buf *ret_bytes, struct err *e)
{
	auto_free char *encoded = docker_encode(path);
	auto_free char *request_path = xasprintf("/containers/%s/archive?path=%s", container, encoded);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = { .method = "GET",
		                          .path = request_path,
		                          .response_maximum = ret_bytes->maximum + TAR_MARGIN };
	if (docker_call(client, &request, &response, e) < 0)
		return err_wrap(e, "cannot read '%s' in the container", path);
	return docker_archive_first_file(response.body.data, response.body.length, path, ret_bytes, e);
}
