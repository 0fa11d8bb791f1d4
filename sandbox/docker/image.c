#include "docker/image.h"

#include "base/text.h"
#include "docker/ndjson.h"
#include "docker/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A registry that sends nothing for so long has gone away. */
#define TRANSFER_IDLE_MS INT64_C(120000)

struct transfer {
	docker_progress_function *progress;
	void *context;
	struct ndjson lines;
	int fd;
	int64_t sent;
	int64_t size;
	char *reference;
};

json_t *docker_image_inspect(struct docker_client *client, const char *reference, struct err *e)
{
	auto_free char *encoded = http_percent_encode(reference, "/:@");
	return docker_get(client, e, "/images/%s/json", encoded);
}

static void report(const struct transfer *transfer, const struct docker_progress *progress)
{
	if (transfer->progress)
		transfer->progress(transfer->context, progress);
}

static enum err_kind kind_of_pull_error(const char *message)
{
	static const char *const absent[] = { "not found", "manifest unknown", "does not exist", "no such image" };
	for (size_t i = 0; i < ARRAY_LENGTH(absent); i++) {
		if (strcasestr(message, absent[i]))
			return ERR_NOT_FOUND;
	}
	return strcasestr(message, "unauthorized") || strcasestr(message, "denied") ? ERR_PERMISSION : ERR_UNAVAILABLE;
}

static int take_value(void *context, const json_t *value, struct err *e)
{
	static const char loaded[] = "Loaded image";
	struct transfer *transfer = context;
	const char *error = json_string_at(value, "errorDetail/message", json_string_at(value, "error", NULL));
	if (error)
		return err_set(e, kind_of_pull_error(error), "image-transfer", "the Docker engine says: %s", error);
	const char *stream = json_string_at(value, "stream", NULL);
	if (stream && text_starts_with(stream, loaded) && !transfer->reference) {
		const char *name = strchr(stream, ':'); /* "Loaded image: NAME" or "Loaded image ID: sha256:…" */
		name = name ? name + 1 + strspn(name + 1, " ") : "";
		transfer->reference = xstrndup(name, strcspn(name, "\r\n"));
	}
	const char *status = json_string_at(value, "status", NULL);
	if (status)
		report(transfer,
		       &(struct docker_progress){ .id = json_string_at(value, "id", ""),
		                                  .status = status,
		                                  .current = json_integer_at(value, "progressDetail/current", 0),
		                                  .total = json_integer_at(value, "progressDetail/total", 0) });
	return 0;
}

static int take_bytes(void *context, const char *bytes, size_t length, struct err *e)
{
	struct transfer *transfer = context;
	return ndjson_feed(&transfer->lines, bytes, length, e);
}

static ssize_t give_bytes(void *context, void *room, size_t size, struct err *e)
{
	struct transfer *transfer = context;
	ssize_t got;
	do
		got = read(transfer->fd, room, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_set_errno(e, errno, NULL, "cannot read the image file");
	transfer->sent += got;
	report(transfer, &(struct docker_progress){
	                         .id = "", .status = "Loading", .current = transfer->sent, .total = transfer->size });
	return got;
}

static int exchange(struct docker_client *client, struct transfer *transfer, struct docker_request *request,
                    struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	transfer->lines = (struct ndjson)NDJSON_INIT("the engine's progress", take_value, transfer);
	request->on_data = take_bytes;
	request->context = transfer;
	request->timeout_ms = HTTP_NO_TIMEOUT;
	int outcome = docker_call(client, request, &response, e);
	if (outcome == 0)
		outcome = ndjson_end(&transfer->lines, e);
	ndjson_release(&transfer->lines);
	return outcome;
}

/* "NAME:TAG" or "NAME@DIGEST" in two; the tag's colon stands behind the last slash. */
static void split_reference(const char *reference, char **ret_name, char **ret_tag)
{
	const char *slash = strrchr(reference, '/');
	const char *at = strchr(reference, '@');
	const char *colon = at ? NULL : strchr(slash ? slash : reference, ':');
	const char *cut = at ? at : colon;
	*ret_name = cut ? xstrndup(reference, (size_t)(cut - reference)) : xstrdup(reference);
	*ret_tag = xstrdup(cut ? cut + 1 : "latest");
}

int docker_image_pull(struct docker_client *client, const char *reference, docker_progress_function *progress,
                      void *context, struct err *e)
{
	auto_free char *name = NULL;
	auto_free char *tag = NULL;
	split_reference(reference, &name, &tag);
	auto_free char *encoded_name = docker_encode(name);
	auto_free char *encoded_tag = docker_encode(tag);
	auto_free char *path = xasprintf("/images/create?fromImage=%s&tag=%s", encoded_name, encoded_tag);
	auto_free char *credentials = docker_registry_credentials(reference, e);
	if (!credentials)
		return err_wrap(e, "cannot pull the image '%s'", reference);
	const struct http_header header = { "X-Registry-Auth", credentials };
	struct transfer transfer = { .progress = progress, .context = context, .fd = -1 };
	struct docker_request request = { .method = "POST",
		                          .path = path,
		                          .headers = &header,
		                          .header_count = 1,
		                          .idle_timeout_ms = TRANSFER_IDLE_MS };
	if (exchange(client, &transfer, &request, e) == 0)
		return 0;
	/* Engines that cannot even begin answer with status 500 and the reason. */
	if (e && e->kind == ERR_INTERNAL)
		e->kind = kind_of_pull_error(err_message(e));
	if (e && e->kind != ERR_CANCELLED)
		e->id = "image-pull";
	return err_wrap(e, "cannot pull the image '%s'", reference);
}

int docker_image_load(struct docker_client *client, const char *path, docker_progress_function *progress, void *context,
                      char **ret_reference, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return err_set_errno(e, errno, "image-file", "cannot open the image file '%s'", path);
	struct transfer transfer = { .progress = progress, .context = context, .fd = fd, .size = status.st_size };
	struct docker_request request = { .method = "POST", .path = "/images/load?quiet=0", .read_body = give_bytes };
	int outcome = exchange(client, &transfer, &request, e);
	if (outcome == 0 && !transfer.reference)
		outcome = err_set(e, ERR_INVALID, "image-file", "the engine found no image in it");
	if (outcome < 0) {
		free(transfer.reference);
		if (e && e->kind != ERR_CANCELLED)
			e->id = "image-file";
		return err_wrap(e, "cannot load the image file '%s'", path);
	}
	*ret_reference = transfer.reference;
	return 0;
}

int docker_image_tag(struct docker_client *client, const char *reference, const char *target, struct err *e)
{
	auto_free char *name = NULL;
	auto_free char *tag = NULL;
	split_reference(target, &name, &tag);
	auto_free char *source = http_percent_encode(reference, "/:@");
	auto_free char *encoded_name = docker_encode(name);
	auto_free char *encoded_tag = docker_encode(tag);
	if (docker_do(client, "POST", e, "/images/%s/tag?repo=%s&tag=%s", source, encoded_name, encoded_tag) < 0)
		return err_wrap(e, "cannot tag the image '%s' as '%s'", reference, target);
	return 0;
}
