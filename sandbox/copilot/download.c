#include "copilot/download.h"

#include "base/file.h"
#include "base/http.h"
#include "base/text.h"
#include "copilot/value.h"
#include "proto/json.h"

#include "flyteidl/core/literals.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the engine writes at most, and room to take it apart. */
#define INPUTS_MAXIMUM ((size_t)256 * 1024 * 1024)
#define ARENA_MAXIMUM ((size_t)2048 * 1024 * 1024)
#define PARTS_MAXIMUM ((size_t)1000000)
#define DEPTH_MAXIMUM 100
#define HTTP_IDLE_MS INT64_C(60000)

struct download {
	struct objects *objects;
	struct arena *arena;
	struct buf json;
	unsigned depth;
};

static int add_json(struct download *d, const char *text, struct err *e)
{
	return buf_add_str(&d->json, text) < 0 ? err_set(e, ERR_EXHAUSTED, NULL, "the inputs are too long for one file")
	                                       : 0;
}

static int add_json_string(struct download *d, const char *text, struct err *e)
{
	return proto_json_add_string(&d->json, text, strlen(text)) < 0
	               ? err_set(e, ERR_EXHAUSTED, NULL, "the inputs are too long for one file")
	               : 0;
}

/* ---- Files ---- */

/* Names come from variables and keys of maps: none may lead out of the directory. */
static char *path_of(struct download *d, const char *directory, const char *name, struct err *e)
{
	if (text_is_empty(name) || strchr(name, '/') || text_equal(name, ".") || text_equal(name, "..")) {
		err_set(e, ERR_INVALID, "bad-name", "\"%s\" cannot be the name of a file", name);
		return NULL;
	}
	return arena_printf(d->arena, "%s/%s", directory, name);
}

static int create_file(const char *path, struct err *e)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? err_set_errno(e, errno, NULL, "failed to open file at path %s", path) : fd;
}

static int write_file(const char *path, const void *bytes, size_t length, struct err *e)
{
	auto_fd int fd = create_file(path, e);
	return fd < 0 ? -1 : file_write_all(fd, bytes, length, e);
}

/* ---- Blobs ---- */

static int write_to_fd(void *context, const char *bytes, size_t length, struct err *e)
{
	return file_write_all(*(int *)context, bytes, length, e);
}

static int fetch_http(const char *url, int fd, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct http_client *client = http_client_new(&(struct http_client_options){ .cancel_fd = -1 });
	const struct http_request request = { .method = "GET",
		                              .url = url,
		                              .on_data = write_to_fd,
		                              .context = &fd,
		                              .timeout_ms = HTTP_NO_TIMEOUT,
		                              .idle_timeout_ms = HTTP_IDLE_MS };
	int outcome = http_perform(client, &request, &response, e);
	http_client_free(client);
	if (outcome == 0 && response.status != 200)
		return err_set(e, ERR_UNAVAILABLE, NULL, "\"%s\" was answered with status %ld", url, response.status);
	return outcome;
}

static int fetch_single(struct download *d, const char *uri, const char *path, struct err *e)
{
	auto_fd int fd = create_file(path, e);
	if (fd < 0)
		return -1;
	if (text_starts_with(uri, "http://") || text_starts_with(uri, "https://"))
		return fetch_http(uri, fd, e);
	return objects_download(d->objects, uri, fd, e);
}

/* The part's place below the directory, or NULL when its key has no sound one. */
static const char *relative_part(const char *uri, const char *prefix)
{
	const char *relative = uri + strlen(prefix);
	for (const char *at = relative; *at;) {
		const size_t length = strcspn(at, "/");
		if (length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
			return NULL;
		at += length + (at[length] == '/');
	}
	return relative;
}

static int fetch_part(struct download *d, const char *uri, const char *relative, const char *directory, struct err *e)
{
	char *path = arena_printf(d->arena, "%s/%s", directory, relative);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	if (file_make_directories(path, 0777, e) < 0)
		return -1;
	*slash = '/';
	return fetch_single(d, uri, path, e);
}

/* All objects below the URI, as a directory. (Upstream puts the object's whole key below the directory, which is not
 * what a container sees when flytekit runs it locally.) */
static int fetch_multipart(struct download *d, const char *uri, const char *directory, struct err *e)
{
	size_t count;
	char **uris;
	const char *prefix = arena_printf(d->arena, "%s%s", uri, text_ends_with(uri, "/") ? "" : "/");
	if (file_make_directories(directory, 0777, e) < 0 ||
	    objects_list(d->objects, d->arena, prefix, PARTS_MAXIMUM, &count, &uris, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *relative = relative_part(uris[i], prefix);
		if (!relative || !*relative || text_ends_with(relative, "/"))
			continue; /* a marker of a directory */
		if (fetch_part(d, uris[i], relative, directory, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- Literals ---- */

static int take_literal(struct download *d, Flyteidl__Core__Literal *literal, const char *path, struct err *e);

static int take_blob(struct download *d, Flyteidl__Core__Blob *blob, const char *path, struct err *e)
{
	const bool multipart =
	        blob->metadata && blob->metadata->type &&
	        blob->metadata->type->dimensionality == FLYTEIDL__CORE__BLOB_TYPE__BLOB_DIMENSIONALITY__MULTIPART;
	if ((multipart ? fetch_multipart(d, blob->uri, path, e) : fetch_single(d, blob->uri, path, e)) < 0)
		return -1;
	blob->uri = arena_strdup(d->arena, path);
	return add_json_string(d, path, e);
}

static int take_directory(struct download *d, char **uri, const char *path, struct err *e)
{
	if (fetch_multipart(d, *uri, path, e) < 0)
		return -1;
	*uri = arena_strdup(d->arena, path);
	return add_json_string(d, path, e);
}

static int take_scalar(struct download *d, Flyteidl__Core__Scalar *scalar, const char *path, struct err *e)
{
	struct proto_bytes bytes;
	switch (scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return take_blob(d, scalar->blob, path, e);
	case FLYTEIDL__CORE__SCALAR__VALUE_SCHEMA:
		return take_directory(d, &scalar->schema->uri, path, e);
	case FLYTEIDL__CORE__SCALAR__VALUE_STRUCTURED_DATASET:
		return take_directory(d, &scalar->structured_dataset->uri, path, e);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		if (!scalar->union_->value)
			return err_set(e, ERR_INVALID, NULL, "an empty union cannot be a file");
		return take_literal(d, scalar->union_->value, path, e);
	default:
		if (value_print(d->arena, scalar, &bytes, e) < 0 || write_file(path, bytes.data, bytes.length, e) < 0)
			return -1;
		return value_print_json(scalar, &d->json, e);
	}
}

static int take_collection(struct download *d, Flyteidl__Core__LiteralCollection *collection, const char *directory,
                           struct err *e)
{
	if (file_make_directories(directory, 0777, e) < 0 || add_json(d, "[", e) < 0)
		return -1;
	for (size_t i = 0; i < collection->n_literals; i++) {
		if ((i && add_json(d, ",", e) < 0) ||
		    take_literal(d, collection->literals[i], arena_printf(d->arena, "%s/%zu", directory, i), e) < 0)
			return -1;
	}
	return add_json(d, "]", e);
}

static int compare_entries(const void *a, const void *b)
{
	const Flyteidl__Core__LiteralMap__LiteralsEntry *const *left = a, *const *right = b;
	return strcmp((*left)->key, (*right)->key);
}

static int take_map(struct download *d, Flyteidl__Core__LiteralMap *map, const char *directory, struct err *e)
{
	if (file_make_directories(directory, 0777, e) < 0 || add_json(d, "{", e) < 0)
		return -1;
	if (map->n_literals)
		qsort(map->literals, map->n_literals, sizeof(*map->literals), compare_entries);
	for (size_t i = 0; i < map->n_literals; i++) {
		const char *key = map->literals[i]->key;
		const char *path = path_of(d, directory, key, e);
		if (!path || (i && add_json(d, ",", e) < 0) || add_json_string(d, key, e) < 0 ||
		    add_json(d, ":", e) < 0)
			return -1;
		if (!map->literals[i]->value)
			return err_set(e, ERR_INVALID, NULL, "\"%s\" has no value", key);
		if (take_literal(d, map->literals[i]->value, path, e) < 0)
			return err_wrap(e, "variable [%s] download/store failed", key);
	}
	return add_json(d, "}", e);
}

/* A literal that is too large for the map lies in an object of its own. */
static int take_offloaded(struct download *d, Flyteidl__Core__Literal *literal, const char *path, struct err *e)
{
	struct proto_bytes bytes;
	if (objects_get(d->objects, d->arena, literal->offloaded_metadata->uri, INPUTS_MAXIMUM, &bytes, e) < 0)
		return -1;
	Flyteidl__Core__Literal *whole = proto_unpack(d->arena, flyteidl__core__literal, bytes.data, bytes.length, e);
	if (!whole)
		return -1;
	*literal = *whole;
	return take_literal(d, literal, path, e);
}

static int take_literal(struct download *d, Flyteidl__Core__Literal *literal, const char *path, struct err *e)
{
	int outcome;
	if (++d->depth > DEPTH_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "the inputs are nested too deep");
	switch (literal->value_case) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		outcome = take_scalar(d, literal->scalar, path, e);
		break;
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		outcome = take_collection(d, literal->collection, path, e);
		break;
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		outcome = take_map(d, literal->map, path, e);
		break;
	case FLYTEIDL__CORE__LITERAL__VALUE_OFFLOADED_METADATA:
		outcome = take_offloaded(d, literal, path, e);
		break;
	default:
		return err_set(e, ERR_INVALID, NULL, "a literal without a value cannot be a file");
	}
	d->depth--;
	return outcome;
}

/* JSON is YAML, too. */
static const char *text_file_name(Flyteidl__Core__DataLoadingConfig__LiteralMapFormat format)
{
	switch (format) {
	case FLYTEIDL__CORE__DATA_LOADING_CONFIG__LITERAL_MAP_FORMAT__JSON:
		return "inputs.json";
	case FLYTEIDL__CORE__DATA_LOADING_CONFIG__LITERAL_MAP_FORMAT__YAML:
		return "inputs.yaml";
	default:
		return NULL;
	}
}

static int write_together(struct download *d, const Flyteidl__Core__LiteralMap *inputs, const char *directory,
                          Flyteidl__Core__DataLoadingConfig__LiteralMapFormat format, struct err *e)
{
	const struct proto_bytes bytes = proto_pack(d->arena, &inputs->base);
	const char *name = text_file_name(format);
	if (write_file(arena_printf(d->arena, "%s/inputs.pb", directory), bytes.data, bytes.length, e) < 0)
		return -1;
	return name ? write_file(arena_printf(d->arena, "%s/%s", directory, name), buf_text(&d->json), d->json.length,
	                         e)
	            : 0;
}

int download_inputs(struct objects *objects, const char *inputs_uri, const char *directory,
                    Flyteidl__Core__DataLoadingConfig__LiteralMapFormat format, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct download d = { .objects = objects, .arena = &arena, .json = BUF_INIT(INPUTS_MAXIMUM) };
	struct proto_bytes bytes;
	if (objects_get(objects, &arena, inputs_uri, INPUTS_MAXIMUM, &bytes, e) < 0)
		return err_wrap(e, "failed to download input metadata message from remote store");
	Flyteidl__Core__LiteralMap *inputs =
	        proto_unpack(&arena, flyteidl__core__literal_map, bytes.data, bytes.length, e);
	int outcome = inputs ? take_map(&d, inputs, directory, e) : -1;
	if (outcome == 0)
		outcome = write_together(&d, inputs, directory, format, e);
	buf_release(&d.json);
	return outcome;
}
