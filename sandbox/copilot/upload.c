#include "copilot/upload.h"

#include "base/file.h"
#include "base/text.h"
#include "copilot/value.h"

#include "flyteidl/core/literals.pb-c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_MAXIMUM ((size_t)256 * 1024 * 1024)
/* Upstream's limits. */
#define PRIMITIVE_MAXIMUM ((size_t)1024)
#define ERROR_MAXIMUM ((size_t)1024 * 1024)
#define DEPTH_MAXIMUM 100
#define ERROR_FILE "_ERROR"

struct upload {
	struct objects *objects;
	struct arena *arena;
};

/* ---- Finding ---- */

/* A variable's file may have an extension, if only one file begins so. */
static char *with_extension(struct upload *u, const char *directory, const char *name)
{
	DIR *stream = opendir(directory);
	char *found = NULL;
	const size_t length = strlen(name);
	size_t count = 0;
	for (const struct dirent *entry; stream && (entry = readdir(stream));) {
		if (strncmp(entry->d_name, name, length) != 0 || entry->d_name[length] != '.')
			continue;
		found = arena_printf(u->arena, "%s/%s", directory, entry->d_name);
		count++;
	}
	if (stream)
		closedir(stream);
	return count == 1 ? found : NULL;
}

static int find_file(struct upload *u, const char *directory, const char *name, const char **ret_path,
                     struct stat *ret_info, struct err *e)
{
	const char *path = arena_printf(u->arena, "%s/%s", directory, name);
	*ret_path = path;
	if (stat(path, ret_info) == 0)
		return 0;
	if (errno == ENOENT) {
		*ret_path = with_extension(u, directory, name);
		if (*ret_path && stat(*ret_path, ret_info) == 0)
			return 0;
		return err_set(e, ERR_NOT_FOUND, NULL, "file not found at path [%s]", path);
	}
	return err_set_errno(e, errno, NULL, "unable to read file [%s]", path);
}

/* ---- Values ---- */

static Flyteidl__Core__Literal *take_simple(struct upload *u, Flyteidl__Core__SimpleType type, const char *path,
                                            const struct stat *info, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(PRIMITIVE_MAXIMUM);
	if (S_ISDIR(info->st_mode)) {
		err_set(e, ERR_INVALID, NULL, "expected a file, found a directory at path [%s]", path);
		return NULL;
	}
	if ((size_t)info->st_size > PRIMITIVE_MAXIMUM) {
		err_set(e, ERR_INVALID, NULL, "maximum allowed filesize is [%zu], but found [%lld]", PRIMITIVE_MAXIMUM,
		        (long long)info->st_size);
		return NULL;
	}
	if (file_read(path, &text, e) < 0)
		return NULL;
	if (memchr(buf_text(&text), 0, text.length)) {
		err_set(e, ERR_INVALID, NULL, "[%s] holds a zero byte", path);
		return NULL;
	}
	return value_parse(u->arena, type, buf_text(&text), e);
}

/* The file is mapped, not read: nothing limits its size but the object store. */
static int put_file(struct upload *u, const char *path, const char *uri, struct err *e)
{
	struct stat info;
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &info) < 0)
		return err_set_errno(e, errno, NULL, "cannot read [%s]", path);
	const size_t length = (size_t)info.st_size;
	if (length == 0)
		return objects_put(u->objects, uri, "", 0, "application/octet-stream", e);
	void *bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return err_set_errno(e, errno, NULL, "cannot map [%s]", path);
	const int outcome = objects_put(u->objects, uri, bytes, length, "application/octet-stream", e);
	munmap(bytes, length);
	return outcome;
}

static int put_directory(struct upload *u, const char *path, const char *uri, unsigned depth, struct err *e);

static int put_entry(struct upload *u, const char *path, const char *uri, unsigned depth, struct err *e)
{
	struct stat info;
	if (stat(path, &info) < 0)
		return err_set_errno(e, errno, NULL, "cannot read [%s]", path);
	if (S_ISDIR(info.st_mode))
		return put_directory(u, path, uri, depth + 1, e);
	/* Sockets and devices are no data. */
	return S_ISREG(info.st_mode) ? put_file(u, path, uri, e) : 0;
}

/* Folders within stay folders. (Upstream puts all files side by side.) */
static int put_directory(struct upload *u, const char *path, const char *uri, unsigned depth, struct err *e)
{
	if (depth > DEPTH_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "[%s] is nested too deep", path);
	DIR *stream = opendir(path);
	if (!stream)
		return err_set_errno(e, errno, NULL, "cannot list [%s]", path);
	int outcome = 0;
	for (const struct dirent *entry; outcome == 0 && (entry = readdir(stream));) {
		if (text_equal(entry->d_name, ".") || text_equal(entry->d_name, ".."))
			continue;
		outcome = put_entry(u, arena_printf(u->arena, "%s/%s", path, entry->d_name),
		                    arena_printf(u->arena, "%s/%s", uri, entry->d_name), depth, e);
	}
	closedir(stream);
	return outcome;
}

static Flyteidl__Core__Literal *blob_literal(struct upload *u, const Flyteidl__Core__BlobType *type, bool is_directory,
                                             const char *uri)
{
	Flyteidl__Core__Literal *literal = proto_new(u->arena, flyteidl__core__literal);
	Flyteidl__Core__Blob *blob = proto_new(u->arena, flyteidl__core__blob);
	blob->metadata = proto_new(u->arena, flyteidl__core__blob_metadata);
	blob->metadata->type = proto_new(u->arena, flyteidl__core__blob_type);
	blob->metadata->type->format = arena_strdup(u->arena, type->format);
	blob->metadata->type->dimensionality = is_directory ? FLYTEIDL__CORE__BLOB_TYPE__BLOB_DIMENSIONALITY__MULTIPART
	                                                    : FLYTEIDL__CORE__BLOB_TYPE__BLOB_DIMENSIONALITY__SINGLE;
	blob->uri = arena_strdup(u->arena, uri);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(u->arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_BLOB;
	literal->scalar->blob = blob;
	return literal;
}

static Flyteidl__Core__Literal *take_blob(struct upload *u, const Flyteidl__Core__BlobType *type, const char *path,
                                          const struct stat *info, const char *uri, struct err *e)
{
	const bool is_directory = S_ISDIR(info->st_mode);
	const int outcome = is_directory ? put_directory(u, path, uri, 0, e) : put_file(u, path, uri, e);
	return outcome < 0 ? NULL : blob_literal(u, type, is_directory, uri);
}

static Flyteidl__Core__Literal *take_variable(struct upload *u, const char *name,
                                              const Flyteidl__Core__LiteralType *type, const char *directory,
                                              const char *raw_prefix, struct err *e)
{
	const char *path;
	struct stat info;
	if (find_file(u, directory, name, &path, &info, e) < 0)
		return NULL;
	switch (type ? type->type_case : FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		return take_simple(u, type->simple, path, &info, e);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return take_simple(u, FLYTEIDL__CORE__SIMPLE_TYPE__STRING, path, &info, e);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return take_blob(u, type->blob, path, &info, arena_printf(u->arena, "%s/%s", raw_prefix, name), e);
	default:
		err_set(e, ERR_UNSUPPORTED, NULL,
		        "a container's output can be a number, text, boolean, date, duration, JSON, file or directory");
		return NULL;
	}
}

/* ---- All of them ---- */

static int check_error_file(struct upload *u, const char *directory, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(ERROR_MAXIMUM);
	const char *path = arena_printf(u->arena, "%s/" ERROR_FILE, directory);
	if (!file_exists(path))
		return 0;
	if (file_read(path, &text, e) < 0)
		return err_wrap(e, "the error file");
	return err_set(e, ERR_INTERNAL, NULL, "User Error: %s", buf_text(&text));
}

int upload_outputs(struct objects *objects, const Flyteidl__Core__VariableMap *outputs, const char *directory,
                   const char *output_prefix, const char *raw_prefix, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct upload u = { .objects = objects, .arena = &arena };
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	if (check_error_file(&u, directory, e) < 0)
		return -1;
	for (size_t i = 0; i < outputs->n_variables; i++) {
		const Flyteidl__Core__VariableMap__VariablesEntry *variable = outputs->variables[i];
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (void *)proto_new_of(&arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = variable->key;
		entry->value = take_variable(&u, variable->key, variable->value ? variable->value->type : NULL,
		                             directory, raw_prefix, e);
		if (!entry->value)
			return err_wrap(e, "output \"%s\"", variable->key);
		proto_append(&arena, map->n_literals, map->literals, entry);
	}
	const struct proto_bytes bytes = proto_pack(&arena, &map->base);
	return objects_put(objects, arena_printf(&arena, "%s/outputs.pb", output_prefix), bytes.data, bytes.length,
	                   "application/octet-stream", e);
}
