/* The launcher's parsers, and what makes documents, without memory: each allocation fails once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/clients/kubeconfig.h"
#include "cli/framework/config_files.h"
#include "cli/framework/verb.h"
#include "cli/instance/service_table.h"
#include "cli/instance/spec.h"
#include "cli/instance/status_port.h"
#include "cli/lifecycle/snapshot_file.h"
#include "cli/terminal/columns.h"
#include "failing_memory.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char directory[64];
static char snapshot[128];

static const char settings[] = "name: ci1\n"
                               "start:\n"
                               "  ports: auto\n"
                               "  port: {http: 8080}\n"
                               "  env: {LOG_LEVEL: debug, OTHER: \"1\"}\n";

static void write_snapshot(void)
{
	auto_err struct err e = ERR_INIT;
	/* libarchive 3.6 uses the filter that it could not allocate. */
	spare_allocations(true);
	struct snapshot_writer *writer = snapshot_writer_open(snapshot, &e);
	spare_allocations(false);
	if (writer && snapshot_writer_add(writer, "some bytes", 10, &e) == 0) {
		auto_json json_t *manifest = json_pack("{s:s}", "instance", "flyte-sandbox");
		(void)snapshot_writer_finish(writer, manifest, &e);
	}
	snapshot_writer_free(writer);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/test-memory-XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	setenv("HOME", directory, 1);
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(file_write_atomic(CONFIG_PROJECT_NAME, settings, strlen(settings), 0600, NULL), 0);
	(void)snprintf(snapshot, sizeof(snapshot), "%s/s.sandbox", directory);
	write_snapshot();
	assert_true(file_exists(snapshot));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(CONFIG_PROJECT_NAME);
	unlink(snapshot);
	return rmdir(directory);
}

static void read_yaml(void)
{
	static const char text[] = "a: &x [1, 2.5, text, 'quoted', null, true]\nb: *x\nc: {d: \"e\\n\"}\n";
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(65536);
	auto_yaml_places struct yaml_places places = YAML_PLACES_INIT;
	auto_json json_t *value = yaml_parse_places(text, strlen(text), "a text", &places, &e);
	if (value)
		(void)yaml_print(value, &out, &e);
}

static void read_settings(void)
{
	struct config_files files = CONFIG_FILES_INIT;
	auto_err struct err e = ERR_INIT;
	if (config_files_load(&files, &e) == 0) {
		const struct verb *verb = verb_find("start");
		auto_free void *values = xcalloc(1, verb->values_size);
		auto_option_origins struct option_origins origins = { .of = { NULL } };
		const struct option_set set = { verb->options, values, &origins };
		const char *trusted[] = { "/" };
		const struct option_list trust = { trusted, 1 };
		if (options_set_fallbacks(&set, &e) == 0 && config_files_apply(&files, "start", &set, &e) == 0)
			(void)config_files_settle(&files, "start", &set, &trust, &e);
		options_release(&set);
		auto_free char *value = NULL;
		auto_free char *origin = NULL;
		const struct option env = { .name = "env", .kind = OPTION_LIST };
		(void)config_files_value(&files, "start", &env, &(struct option_list){ .items = NULL }, &value,
		                         &origin);
	}
	config_files_release(&files);
}

static void read_command_line(void)
{
	const struct verb *verb = verb_find("start");
	auto_free void *values = xcalloc(1, verb->values_size);
	const struct option_set set = { verb->options, values };
	const struct parse parse = { .sets = &set, .set_count = 1 };
	char words[][32] = { "--env", "A=b", "--port=http=1", "--ttl", "1h", "--imge", "x" };
	char *pointers[ARRAY_LENGTH(words)];
	size_t arguments;
	auto_err struct err e = ERR_INIT;
	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		pointers[i] = words[i];
	(void)options_parse(&parse, pointers, ARRAY_LENGTH(words), &arguments, &e);
	options_release(&set);
}

static json_t *entries(void)
{
	return json_pack("{s:s, s:[{s:s, s:{s:s}}], s:[{s:s, s:{s:s}}], s:[{s:s, s:{}}], s:s}", "apiVersion", "v1", "clusters",
	                 "name", "ours", "cluster", "server", "https://x", "contexts", "name", "ours", "context", "cluster",
	                 "ours", "users", "name", "ours", "user", "current-context", "ours");
}

static void edit_kubeconfig(const char *text)
{
	auto_json json_t *ours = entries();
	auto_free char *merged = NULL;
	auto_free char *back = NULL;
	auto_err struct err e = ERR_INIT;
	if (kubeconfig_merge_text(text, strlen(text), "a file", ours, true, &merged, &e) == 0)
		(void)kubeconfig_remove_text(merged, strlen(merged), "a file", "ours", &back, &e);
}

static void edit_block_kubeconfig(void)
{
	edit_kubeconfig("# mine\napiVersion: v1\nkind: Config\nclusters:\n- name: other # keep\n  cluster:\n    server: https://y\n"
	                "contexts: []\nusers:\n- name: other\n  user: {}\ncurrent-context: other\n");
}

static void edit_flow_kubeconfig(void)
{
	edit_kubeconfig("{apiVersion: v1, clusters: [{name: other, cluster: {server: y}}], contexts: [], users: []}\n");
}

static void read_snapshot(void)
{
	auto_err struct err e = ERR_INIT;
	auto_json json_t *manifest = snapshot_manifest(snapshot, &e);
	if (manifest && snapshot_verify(snapshot, manifest, &e) == 0) {
		auto_fd int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)snapshot_read_volume(snapshot, manifest, fd, &e);
	}
}

static const struct ports ports = { .host_port = { 30080, 6443, 30001, 30002 }, .address = "127.0.0.1", .host = "localhost" };

static void show_services(void)
{
	static const char *const texts[] = {
		"{\"service\":\"postgres\",\"status\":\"ready\",\"namespace\":\"flyte\",\"message\":\"\",\"endpoint_port\":5432}",
		"{\"service\":\"minio\",\"status\":\"failed\",\"namespace\":\"flyte\",\"message\":\"no disk\\nmore\"}",
		"{\"ready\":false,\"timings\":{\"postgres\":140}}"
	};
	auto_services struct services services = SERVICES_INIT;
	auto_buf struct buf out = BUF_INIT(65536);
	auto_err struct err e = ERR_INIT;
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		size_t index;
		auto_json json_t *line = json_parse(texts[i], strlen(texts[i]), "a line", &e);
		if (!line || services_take(&services, line, &index, &e) < 0)
			return;
	}
	const struct service_table_style style = { .columns = 60, .colors = true };
	service_table_render(&services, &ports, &style, &out);
	auto_free char *missing = services_missing(&services);
	(void)missing;
}

static void describe_container(void)
{
	static char name[] = "flyte-sandbox";
	static const struct instance_names instance = { .name = name };
	const struct spec spec = { .instance = &instance, .image = "image:1", .ports = &ports, .status_token = "token" };
	auto_json json_t *body = spec_build(&spec);
	struct status_port port;
	status_port_of_container(body, &port);
	status_port_release(&port);
}

static void align_columns(void)
{
	static const char *const heading[] = { "NAME", "STATE" };
	static const char *const row[] = { "flyte-sandbox", NULL };
	auto_columns struct columns columns = COLUMNS_INIT(2);
	auto_buf struct buf out = BUF_INIT(65536);
	columns_add(&columns, heading);
	columns_add(&columns, row);
	columns_render(&columns, true, &out);
}

#define WITHOUT_MEMORY(work, least)                                                                                    \
	static void test_##work(void **state)                                                                          \
	{                                                                                                              \
		(void)state;                                                                                           \
		assert_in_range(fail_each_allocation(work), (least), 100000);                                          \
	}
WITHOUT_MEMORY(read_yaml, 30)
WITHOUT_MEMORY(read_settings, 30)
WITHOUT_MEMORY(read_command_line, 3)
WITHOUT_MEMORY(edit_block_kubeconfig, 100)
WITHOUT_MEMORY(edit_flow_kubeconfig, 100)
WITHOUT_MEMORY(write_snapshot, 20)
WITHOUT_MEMORY(read_snapshot, 20)
WITHOUT_MEMORY(show_services, 20)
WITHOUT_MEMORY(describe_container, 100)
WITHOUT_MEMORY(align_columns, 4)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_yaml),
		cmocka_unit_test(test_read_settings),
		cmocka_unit_test(test_read_command_line),
		cmocka_unit_test(test_edit_block_kubeconfig),
		cmocka_unit_test(test_edit_flow_kubeconfig),
		cmocka_unit_test(test_write_snapshot),
		cmocka_unit_test(test_read_snapshot),
		cmocka_unit_test(test_show_services),
		cmocka_unit_test(test_describe_container),
		cmocka_unit_test(test_align_columns),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
