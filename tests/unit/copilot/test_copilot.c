/* The program as the kubelet runs it, against an object store in memory. */
#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "fake_objects.h"
#include "proto/message.h"

#include "flyteidl/core/errors.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTPUT_PREFIX "s3://bucket/out/0"
#define EXIT_REPORTED 3

struct fixture {
	struct arena arena;
	struct fake_objects *objects;
	char directory[64];
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->arena = (struct arena)ARENA_INIT((size_t)64 << 20);
	f->objects = fake_objects_start();
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/test-copilot-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	*state = f;
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	nftw(f->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	fake_objects_stop(f->objects);
	arena_release(&f->arena);
	free(f);
	return 0;
}

/* `ret_output` (may be NULL) gets the read end of the program's standard error. */
static pid_t start_with_output(struct fixture *f, const char *const *arguments, int *ret_output)
{
	char *endpoint = arena_printf(&f->arena, "FLYTE_AWS_ENDPOINT=%s", fake_objects_endpoint(f->objects));
	char *environment[] = { endpoint, arena_strdup(&f->arena, "FLYTE_AWS_ACCESS_KEY_ID=minio"),
		                arena_strdup(&f->arena, "FLYTE_AWS_SECRET_ACCESS_KEY=miniostorage"),
		                arena_strdup(&f->arena, "ASAN_OPTIONS=detect_leaks=1"), NULL };
	int ends[2];
	pid_t pid;
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (ret_output)
		posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
	assert_int_equal(
	        posix_spawn(&pid, COPILOT_PROGRAM, &actions, NULL, (char *const *)(uintptr_t)arguments, environment),
	        0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (ret_output)
		*ret_output = ends[0];
	else
		close(ends[0]);
	return pid;
}

static pid_t start(struct fixture *f, const char *const *arguments)
{
	return start_with_output(f, arguments, NULL);
}

static int wait_for(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int download(struct fixture *f, const char *format)
{
	return wait_for(start(f, (const char *[]){ "flyte-copilot", "download", "--from-remote",
	                                           "s3://bucket/in/inputs.pb", "--to-output-prefix", OUTPUT_PREFIX,
	                                           "--to-local-dir", f->directory, "--format", format, NULL }));
}

static char *path(struct fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->directory, name);
}

static const char *read_text(struct fixture *f, const char *name)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf text = BUF_INIT((size_t)16 << 20);
	if (file_read(path(f, name), &text, &e) < 0)
		fail_msg("%s: %s", name, err_message(&e));
	return arena_strdup(&f->arena, buf_text(&text));
}

static void write_text(struct fixture *f, const char *name, const char *text)
{
	auto_err struct err e = ERR_INIT;
	char *full = path(f, name);
	char *slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(file_make_directories(full, 0777, &e), 0);
	*slash = '/';
	assert_int_equal(file_write_atomic(full, text, strlen(text), 0666, &e), 0);
}

/* ---- Building literals ---- */

static Flyteidl__Core__Literal *scalar(struct fixture *f, Flyteidl__Core__Scalar__ValueCase kind)
{
	Flyteidl__Core__Literal *literal = proto_new(&f->arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(&f->arena, flyteidl__core__scalar);
	literal->scalar->value_case = kind;
	return literal;
}

static Flyteidl__Core__Literal *text_literal(struct fixture *f, const char *text)
{
	Flyteidl__Core__Literal *literal = scalar(f, FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE);
	literal->scalar->primitive = proto_new(&f->arena, flyteidl__core__primitive);
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	literal->scalar->primitive->string_value = arena_strdup(&f->arena, text);
	return literal;
}

static Flyteidl__Core__Literal *blob(struct fixture *f, const char *uri, bool multipart)
{
	Flyteidl__Core__Literal *literal = scalar(f, FLYTEIDL__CORE__SCALAR__VALUE_BLOB);
	Flyteidl__Core__Blob *made = literal->scalar->blob = proto_new(&f->arena, flyteidl__core__blob);
	made->uri = arena_strdup(&f->arena, uri);
	made->metadata = proto_new(&f->arena, flyteidl__core__blob_metadata);
	made->metadata->type = proto_new(&f->arena, flyteidl__core__blob_type);
	made->metadata->type->dimensionality = multipart;
	return literal;
}

static void add(struct fixture *f, Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
	        (void *)proto_new_of(&f->arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&f->arena, key);
	entry->value = value;
	proto_append(&f->arena, map->n_literals, map->literals, entry);
}

static void put_inputs(struct fixture *f, const Flyteidl__Core__LiteralMap *map)
{
	const struct proto_bytes bytes = proto_pack(&f->arena, &map->base);
	fake_objects_put(f->objects, "/bucket/in/inputs.pb", bytes.data, bytes.length);
}

static const Flyteidl__Core__ContainerError *reported(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	size_t length = 0;
	auto_free char *bytes = fake_objects_get(f->objects, "/bucket/out/0/error.pb", &length);
	assert_non_null(bytes);
	const Flyteidl__Core__ErrorDocument *document =
	        proto_unpack(&f->arena, flyteidl__core__error_document, bytes, length, &e);
	assert_non_null(document);
	assert_int_equal(document->error->kind, FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE);
	return document->error;
}

/* ---- Downloads ---- */

static void test_inputs_become_files(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Core__LiteralMap *map = proto_new(&f->arena, flyteidl__core__literal_map);
	Flyteidl__Core__Literal *list = proto_new(&f->arena, flyteidl__core__literal);
	list->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	list->collection = proto_new(&f->arena, flyteidl__core__literal_collection);
	proto_append(&f->arena, list->collection->n_literals, list->collection->literals, text_literal(f, "one"));
	proto_append(&f->arena, list->collection->n_literals, list->collection->literals, text_literal(f, "two"));
	add(f, map, "words", list);
	add(f, map, "text", text_literal(f, "say \"hi\""));
	add(f, map, "nothing", scalar(f, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE));
	map->literals[2]->value->scalar->none_type = proto_new(&f->arena, flyteidl__core__void);
	add(f, map, "file", blob(f, "s3://bucket/raw/a file", false));
	add(f, map, "folder", blob(f, "s3://bucket/raw/folder", true));
	put_inputs(f, map);
	fake_objects_put(f->objects, "/bucket/raw/a%20file", "bytes\0more", 10);
	fake_objects_put(f->objects, "/bucket/raw/folder/a", "A", 1);
	fake_objects_put(f->objects, "/bucket/raw/folder/b/c.txt", "C", 1);
	fake_objects_put(f->objects, "/bucket/raw/folder/b/%C3%A4%2Bd", "D", 1);
	fake_objects_put(f->objects, "/bucket/raw/folder/empty/", "", 0);
	fake_objects_put(f->objects, "/bucket/raw/folder/../../escaped", "E", 1);
	fake_objects_put(f->objects, "/bucket/raw/folder2/x", "X", 1);
	assert_int_equal(download(f, "JSON"), 0);
	assert_string_equal(read_text(f, "text"), "say \"hi\"");
	assert_string_equal(read_text(f, "words/0"), "one");
	assert_string_equal(read_text(f, "words/1"), "two");
	assert_string_equal(read_text(f, "nothing"), "null");
	assert_string_equal(read_text(f, "folder/a"), "A");
	assert_string_equal(read_text(f, "folder/b/c.txt"), "C");
	assert_string_equal(read_text(f, "folder/b/\xc3\xa4+d"), "D");
	assert_false(file_exists(path(f, "folder/x")));
	assert_false(file_exists(path(f, "escaped")));
	struct stat info;
	assert_int_equal(stat(path(f, "file"), &info), 0);
	assert_int_equal(info.st_size, 10);
	assert_int_equal(info.st_mode & 0777, 0666);
	const char *text = read_text(f, "inputs.json");
	auto_json json_t *json = json_parse(text, strlen(text), "inputs.json", NULL);
	auto_json json_t *expected = json_pack("{s:s, s:[s, s], s:n, s:s, s:s}", "text", "say \"hi\"", "words", "one",
	                                       "two", "nothing", "file", path(f, "file"), "folder", path(f, "folder"));
	assert_true(json_equal(json, expected));
	assert_true(file_exists(path(f, "inputs.pb")));
	assert_false(file_exists(path(f, "inputs.yaml")));
}

static void test_inputs_in_other_formats(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Core__LiteralMap *map = proto_new(&f->arena, flyteidl__core__literal_map);
	add(f, map, "x", text_literal(f, "y"));
	put_inputs(f, map);
	assert_int_equal(download(f, "PROTO"), 0);
	assert_false(file_exists(path(f, "inputs.json")));
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf bytes = BUF_INIT(65536);
	assert_int_equal(file_read(path(f, "inputs.pb"), &bytes, &e), 0);
	const Flyteidl__Core__LiteralMap *read =
	        proto_unpack(&f->arena, flyteidl__core__literal_map, buf_text(&bytes), bytes.length, &e);
	assert_string_equal(read->literals[0]->value->scalar->primitive->string_value, "y");
	assert_int_equal(download(f, "YAML"), 0);
	assert_string_equal(read_text(f, "inputs.yaml"), "{\"x\":\"y\"}");
}

static void test_download_failures(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name, *uri, *message;
	} rows[] = {
		{ "file", "s3://bucket/raw/absent", "variable [file] download/store failed: cannot read" },
		{ "..", "s3://bucket/raw/present", "cannot be the name of a file" },
		{ "a/b", "s3://bucket/raw/present", "cannot be the name of a file" },
	};
	fake_objects_put(f->objects, "/bucket/raw/present", "x", 1);
	assert_int_equal(download(f, "JSON"), EXIT_REPORTED);
	assert_string_equal(reported(f)->code, "InputDownloadFailed");
	assert_non_null(strstr(reported(f)->message, "failed to download input metadata message from remote store"));
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		Flyteidl__Core__LiteralMap *map = proto_new(&f->arena, flyteidl__core__literal_map);
		add(f, map, rows[i].name, blob(f, rows[i].uri, false));
		put_inputs(f, map);
		assert_int_equal(download(f, "JSON"), EXIT_REPORTED);
		assert_string_equal(reported(f)->code, "InputDownloadFailed");
		if (!strstr(reported(f)->message, rows[i].message))
			fail_msg("row %zu: %s", i, reported(f)->message);
	}
	/* Nobody can be told. */
	fake_objects_fail(f->objects, 403);
	assert_int_equal(download(f, "JSON"), EXIT_FAILURE);
}

/* ---- Uploads ---- */

static void add_output(struct fixture *f, Flyteidl__Core__TypedInterface *interface, const char *name,
                       Flyteidl__Core__LiteralType *type)
{
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        (void *)proto_new_of(&f->arena, &flyteidl__core__variable_map__variables_entry__descriptor);
	if (!interface->outputs)
		interface->outputs = proto_new(&f->arena, flyteidl__core__variable_map);
	entry->key = arena_strdup(&f->arena, name);
	entry->value = proto_new(&f->arena, flyteidl__core__variable);
	entry->value->type = type;
	proto_append(&f->arena, interface->outputs->n_variables, interface->outputs->variables, entry);
}

static Flyteidl__Core__LiteralType *simple(struct fixture *f, Flyteidl__Core__SimpleType simple_type)
{
	Flyteidl__Core__LiteralType *type = proto_new(&f->arena, flyteidl__core__literal_type);
	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type->simple = simple_type;
	return type;
}

static Flyteidl__Core__LiteralType *blob_type(struct fixture *f, const char *format)
{
	Flyteidl__Core__LiteralType *type = proto_new(&f->arena, flyteidl__core__literal_type);
	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB;
	type->blob = proto_new(&f->arena, flyteidl__core__blob_type);
	type->blob->format = arena_strdup(&f->arena, format);
	return type;
}

static int upload(struct fixture *f, const Flyteidl__Core__TypedInterface *interface)
{
	const struct proto_bytes bytes = proto_pack(&f->arena, &interface->base);
	auto_free char *encoded = base64_encode(bytes.data, bytes.length);
	auto_fd int output = -1;
	const pid_t pid =
	        start_with_output(f,
	                          (const char *[]){ "flyte-copilot", "sidecar", "--to-raw-output", "s3://bucket/raw",
	                                            "--to-output-prefix", OUTPUT_PREFIX, "--from-local-dir",
	                                            f->directory, "--interface", encoded, NULL },
	                          &output);
	/* It says that it waits, and until it is told writes nothing. */
	char said[256];
	assert_true(read(output, said, sizeof(said)) > 0);
	assert_int_equal(fake_objects_requests(f->objects), 0);
	kill(pid, SIGTERM);
	return wait_for(pid);
}

static const Flyteidl__Core__LiteralMap *uploaded(struct fixture *f)
{
	auto_err struct err e = ERR_INIT;
	size_t length = 0;
	auto_free char *bytes = fake_objects_get(f->objects, "/bucket/out/0/outputs.pb", &length);
	assert_non_null(bytes);
	return proto_unpack(&f->arena, flyteidl__core__literal_map, bytes, length, &e);
}

static const char *object_text(struct fixture *f, const char *object)
{
	size_t length = 0;
	auto_free char *bytes = fake_objects_get(f->objects, object, &length);
	return bytes ? arena_strndup(&f->arena, bytes, length) : NULL;
}

static void test_files_become_outputs(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Core__TypedInterface *interface = proto_new(&f->arena, flyteidl__core__typed_interface);
	add_output(f, interface, "number", simple(f, FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER));
	add_output(f, interface, "text", simple(f, FLYTEIDL__CORE__SIMPLE_TYPE__STRING));
	add_output(f, interface, "file", blob_type(f, "csv"));
	add_output(f, interface, "folder", blob_type(f, ""));
	write_text(f, "number", "42\n");
	write_text(f, "text.txt", "hello"); /* found without its extension */
	write_text(f, "file", "a,b");
	write_text(f, "folder/one", "1");
	write_text(f, "folder/deep/two", "2");
	write_text(f, "not-asked-for", "x");
	assert_int_equal(upload(f, interface), 0);
	const Flyteidl__Core__LiteralMap *map = uploaded(f);
	assert_int_equal(map->n_literals, 4);
	assert_int_equal(map->literals[0]->value->scalar->primitive->integer, 42);
	assert_string_equal(map->literals[1]->value->scalar->primitive->string_value, "hello");
	const Flyteidl__Core__Blob *file = map->literals[2]->value->scalar->blob,
	                           *folder = map->literals[3]->value->scalar->blob;
	assert_string_equal(file->uri, "s3://bucket/raw/file");
	assert_string_equal(file->metadata->type->format, "csv");
	assert_int_equal(file->metadata->type->dimensionality, 0);
	assert_string_equal(folder->uri, "s3://bucket/raw/folder");
	assert_int_equal(folder->metadata->type->dimensionality, 1);
	assert_string_equal(object_text(f, "/bucket/raw/file"), "a,b");
	assert_string_equal(object_text(f, "/bucket/raw/folder/one"), "1");
	assert_string_equal(object_text(f, "/bucket/raw/folder/deep/two"), "2");
	assert_null(object_text(f, "/bucket/raw/not-asked-for"));
	assert_null(object_text(f, "/bucket/out/0/error.pb"));
}

static void expect_upload_error(struct fixture *f, const Flyteidl__Core__TypedInterface *interface, const char *message)
{
	struct fake_objects *fresh = fake_objects_start();
	fake_objects_stop(f->objects);
	f->objects = fresh;
	assert_int_equal(upload(f, interface), 0);
	assert_string_equal(reported(f)->code, "OutputUploadFailed");
	if (!strstr(reported(f)->message, message))
		fail_msg("expected \"%s\" in \"%s\"", message, reported(f)->message);
	assert_null(object_text(f, "/bucket/out/0/outputs.pb"));
}

static void test_upload_failures(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Core__TypedInterface *interface = proto_new(&f->arena, flyteidl__core__typed_interface);
	add_output(f, interface, "number", simple(f, FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER));
	expect_upload_error(f, interface, "file not found at path");
	write_text(f, "number.a", "1");
	write_text(f, "number.b", "1");
	expect_upload_error(f, interface, "file not found at path");
	write_text(f, "number", "forty-two");
	expect_upload_error(f, interface, "output \"number\": \"forty-two\" is not a value of type INTEGER");
	char large[1026];
	memset(large, '1', sizeof(large));
	large[1025] = '\0';
	write_text(f, "number", large);
	expect_upload_error(f, interface, "maximum allowed filesize is [1024], but found [1025]");
	write_text(f, "_ERROR", "the script gave up");
	expect_upload_error(f, interface, "User Error: the script gave up");
}

static void test_usage(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(wait_for(start(f, (const char *[]){ "flyte-copilot", NULL })), 2);
	assert_int_equal(wait_for(start(f, (const char *[]){ "flyte-copilot", "other", NULL })), 2);
	assert_int_equal(wait_for(start(f, (const char *[]){ "flyte-copilot", "download", NULL })), 2);
	assert_int_equal(wait_for(start(f, (const char *[]){ "flyte-copilot", "sidecar", "--other", NULL })), 2);
	assert_int_equal(download(f, "XML"), 2);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_inputs_become_files),  TEST(test_inputs_in_other_formats), TEST(test_download_failures),
		TEST(test_files_become_outputs), TEST(test_upload_failures),         TEST(test_usage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
