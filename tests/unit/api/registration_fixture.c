#include "registration_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgres.h"

#include <pthread.h>
#include <string.h>

struct fake_objects *store;
struct api api;
static struct postgres *postgres;
static struct api_config config;

void use_settings(const char *yaml)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	if (settings_parse(yaml, strlen(yaml), "settings", false, &settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	settings_holder_free(api.settings);
	api.settings = settings_holder_new(settings, "");
}

char *format_id(const char *type, const char *name, const char *version)
{
	return xasprintf("{'resource_type': '%s', 'project': 'flytesnacks', 'domain': 'development', 'name': '%s', "
	                 "'version': '%s'}",
	                 type, name, version);
}

char *task_request(const char *name, const char *version, const char *image, const char *container)
{
	auto_free char *id = format_id("TASK", name, version);
	return xasprintf(
	        "{'id': %s, 'spec': {'template': {'type': 'container', 'metadata': {'runtime': {'version': '1.16'}},"
	        " 'interface': {'inputs': {'variables': {'x': {'type': {'simple': 'INTEGER'}}}},"
	        " 'outputs': {'variables': {'y': {'type': {'simple': 'INTEGER'}}}}},"
	        " 'container': {'image': '%s', 'command': ['true']%s%s}}, 'description': {'short_description': 'about "
	        "%s'}}}",
	        id, image, *container ? ", " : "", container, name);
}

void create_task(const char *name, const char *version)
{
	auto_free char *request = task_request(name, version, "busybox", "");
	done("CreateTask", request);
}

char *workflow_request(const char *name, const char *version, const char *task_name, int nodes)
{
	auto_free char *id = format_id("WORKFLOW", name, version);
	auto_free char *task = format_id("TASK", task_name, "v1");
	auto_buf struct buf list = BUF_INIT((size_t)1024 * 1024);
	for (int i = 0; i < nodes; i++)
		buf_add_format(&list,
		               "%s{'id': 'n%d', 'metadata': {'name': 'step'}, 'inputs': [{'var': 'x', 'binding': "
		               "{'promise': {'var': 'x'}}}],"
		               " 'task_node': {'reference_id': %s}}",
		               i ? ", " : "", i, task);
	return xasprintf("{'id': %s, 'spec': {'template': {'id': %s, 'metadata': {}, 'interface':"
	                 " {'inputs': {'variables': {'x': {'type': {'simple': 'INTEGER'}}}},"
	                 " 'outputs': {'variables': {'y': {'type': {'simple': 'INTEGER'}}}}}, 'nodes': [%s],"
	                 " 'outputs': [{'var': 'y', 'binding': {'promise': {'node_id': 'n%d', 'var': 'y'}}}]}}}",
	                 id, id, buf_text(&list), nodes - 1);
}

void create_workflow(const char *name, const char *version, const char *task_name)
{
	auto_free char *request = workflow_request(name, version, task_name, 1);
	done("CreateWorkflow", request);
}

char *launch_plan_request(const char *name, const char *version, const char *workflow, const char *spec)
{
	auto_free char *id = format_id("LAUNCH_PLAN", name, version);
	auto_free char *workflow_id = format_id("WORKFLOW", workflow, "v1");
	return xasprintf("{'id': %s, 'spec': {'workflow_id': %s%s%s}}", id, workflow_id, *spec ? ", " : "", spec);
}

char *get_request(const char *type, const char *name, const char *version)
{
	auto_free char *id = format_id(type, name, version);
	return xasprintf("{'id': %s}", id);
}

json_t *get(const char *method, const char *type, const char *name, const char *version)
{
	auto_free char *request = get_request(type, name, version);
	return succeed(method, request);
}

int registration_start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s: %s\n", e.kind == ERR_NOT_FOUND ? "skipped" : "failed", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	store = fake_objects_start();
	config = api_config_default;
	api.config = &config;
	json_calls_api(&api);
	api.database = database_new(postgres_url(postgres), 8);
	api.objects = objects_new(&(struct objects_options){ .endpoint = fake_objects_endpoint(store),
	                                                     .access_key = "minio",
	                                                     .secret_key = "miniostorage",
	                                                     .region = "us-east-1" });
	if (database_migrate(api.database, clock_monotonic_ms() + 60000, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", err_message(&e));
	return -1;
}

int registration_stop(void **state)
{
	(void)state;
	api.settings = settings_holder_free(api.settings);
	api.objects = objects_free(api.objects);
	api.database = database_free(api.database);
	store = fake_objects_stop(store);
	postgres = postgres_stop(postgres);
	return 0;
}

static void *race_thread(void *context)
{
	struct racer *racer = context;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *response = call_from("127.0.0.1", racer->method, racer->request, NULL, &e);
	racer->kind = response ? ERR_NONE : e.kind;
	return NULL;
}

void race(struct racer *racers, size_t count, unsigned ret_kinds[ERR_KIND_COUNT])
{
	pthread_t threads[16];
	memset(ret_kinds, 0, sizeof(unsigned) * ERR_KIND_COUNT);
	for (size_t i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, race_thread, &racers[i]);
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		ret_kinds[racers[i].kind]++;
	}
}
