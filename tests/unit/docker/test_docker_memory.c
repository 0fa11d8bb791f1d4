/* The client's parsers without memory: each allocation fails once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "docker/demux.h"
#include "docker/endpoint.h"
#include "docker/ignore.h"
#include "docker/ndjson.h"
#include "docker/registry.h"
#include "docker/ssh_config.h"
#include "docker/tar.h"
#include "failing_memory.h"

#include <string.h>
#include <unistd.h>

static char directory[64];

static void put(const char *name, const char *text)
{
	auto_free char *path = file_join(directory, name);
	auto_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	assert_int_equal(file_make_directories(folder, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static int set_up(void **state)
{
	(void)state;
	static const char *const variables[] = { "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH" };
	(void)snprintf(directory, sizeof(directory), "/tmp/test-memory-XXXXXX");
	assert_non_null(mkdtemp(directory));
	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++)
		unsetenv(variables[i]);
	setenv("DOCKER_CONFIG", directory, 1);
	put("contexts/meta/abc/meta.json", "{\"Name\":\"lab\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://lab:2376\"}}}");
	put("contexts/tls/abc/docker/ca.pem", "x");
	put("config.json", "{\"currentContext\":\"lab\",\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6c2VjcmV0\"}}}");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const names[] = { "config.json", "contexts/tls/abc/docker/ca.pem", "contexts/meta/abc/meta.json" };
	static const char *const folders[] = { "contexts/tls/abc/docker", "contexts/tls/abc", "contexts/tls", "contexts/meta/abc",
		                               "contexts/meta", "contexts", "" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		auto_free char *path = file_join(directory, names[i]);
		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(folders); i++) {
		auto_free char *path = file_join(directory, folders[i]);
		rmdir(path);
	}
	return 0;
}

static void read_context(void)
{
	auto_docker_endpoint struct docker_endpoint endpoint = DOCKER_ENDPOINT_INIT;
	auto_err struct err e = ERR_INIT;
	(void)docker_endpoint_discover(NULL, &endpoint, &e);
}

static void read_credentials(void)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *credentials = docker_registry_credentials("ghcr.io/acme/image:1", &e);
	(void)credentials;
}

static void read_ssh_configuration(void)
{
	static const char config[] = "Host lab *.example !no\n  HostName lab.example.org\n  User me\n  IdentityFile ~/.ssh/%h\n"
	                             "Host *\n  Port 2222\n  UserKnownHostsFile ~/.known\n";
	auto_ssh_target struct ssh_target target = SSH_TARGET_INIT;
	auto_err struct err e = ERR_INIT;
	if (ssh_target_parse("ssh://lab/run/docker.sock", &target, &e) == 0)
		ssh_target_complete(&target, config, "/home/me", "me");
}

static void read_ignore_file(void)
{
	static const char text[] = "# comment\n*.o\n!keep.o\n**/node_modules\na/[b-d]?/*\n";
	auto_ignore struct ignore ignore = IGNORE_INIT;
	auto_err struct err e = ERR_INIT;
	if (ignore_parse(text, strlen(text), &ignore, &e) == 0)
		(void)ignore_matches(&ignore, "src/node_modules/x.o");
}

static int take_value(void *context, const json_t *value, struct err *e)
{
	(void)e;
	auto_free char *text = json_to_text(value);
	*(size_t *)context += strlen(text);
	return 0;
}

static void read_lines(void)
{
	static const char text[] = "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1}}\n{\"error\":\"no\"}\n{broken";
	size_t length = 0;
	auto_ndjson struct ndjson lines = NDJSON_INIT("the engine", take_value, &length);
	auto_err struct err e = ERR_INIT;
	if (ndjson_feed(&lines, text, strlen(text), &e) == 0)
		(void)ndjson_end(&lines, &e);
}

static void read_frames(void)
{
	static const char text[] = "\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\3err\3\0\0\0\0\0\0\6broken";
	auto_buf struct buf tail = BUF_INIT(4);
	auto_err struct err e = ERR_INIT;
	struct demux demux = DEMUX_INIT;
	const struct docker_sink sink = { .on_output = docker_keep_tail, .context = &tail };
	if (demux_feed(&demux, text, sizeof(text) - 1, &sink, &e) == 0)
		(void)demux_end(&demux, &e);
}

static void pack_tree(void)
{
	auto_tar struct tar *tar = tar_new();
	auto_err struct err e = ERR_INIT;
	char room[4096];
	tar_add_directory(tar, "folder", 0755);
	if (tar_add_tree(tar, "tree", directory, NULL, &e) < 0)
		return;
	/* libarchive 3.6 uses entries that it could not allocate. */
	spare_allocations(true);
	while (tar_read(tar, room, sizeof(room), &e) > 0)
		;
	spare_allocations(false);
}

#define WITHOUT_MEMORY(work, least)                                                                                    \
	static void test_##work(void **state)                                                                          \
	{                                                                                                              \
		(void)state;                                                                                           \
		assert_in_range(fail_each_allocation(work), (least), 100000);                                          \
	}
WITHOUT_MEMORY(read_context, 20)
WITHOUT_MEMORY(read_credentials, 10)
WITHOUT_MEMORY(read_ssh_configuration, 8)
WITHOUT_MEMORY(read_ignore_file, 5)
WITHOUT_MEMORY(read_lines, 10)
WITHOUT_MEMORY(read_frames, 2)
WITHOUT_MEMORY(pack_tree, 30)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_context), cmocka_unit_test(test_read_credentials),
		cmocka_unit_test(test_read_ssh_configuration), cmocka_unit_test(test_read_ignore_file),
		cmocka_unit_test(test_read_lines), cmocka_unit_test(test_read_frames),
		cmocka_unit_test(test_pack_tree),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
