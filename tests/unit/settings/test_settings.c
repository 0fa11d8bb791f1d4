/* The table of settings, what is read into it, what is refused and where it stands, and following a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "controlplane/settings/settings.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct settings *parse(const char *text)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	if (settings_parse(text, strlen(text), "config.yaml", false, &settings, &e) < 0)
		fail_msg("%s: %s", text, err_message(&e));
	return settings;
}

static void refuse(const char *text, const char *message)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings = NULL;
	assert_int_equal(settings_parse(text, strlen(text), "config.yaml", false, &settings, &e), -1);
	assert_null(settings);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_message(&e), message);
}

static void test_defaults(void **state)
{
	(void)state;
	const struct settings *settings = settings_default();
	assert_int_equal(settings->port, 30080);
	assert_string_equal(settings->bucket, "my-s3-bucket");
	assert_int_equal(settings->max_parallelism, 25);
	assert_int_equal(settings->domain_count, 3);
	assert_string_equal(settings->domains[2].id, "production");
	assert_true(settings_has_domain(settings, "staging"));
	assert_false(settings_has_domain(settings, "moon"));
	assert_string_equal(settings->task_resources.defaults.amounts[RESOURCE_CPU], "100m");
	assert_string_equal(settings->task_resources.default_limits.amounts[RESOURCE_MEMORY], "1Gi");
	assert_true(text_is_empty(settings->task_resources.default_limits.amounts[RESOURCE_CPU]));
	assert_true(text_is_empty(settings->task_resources.limits.amounts[RESOURCE_MEMORY]));
	assert_int_equal(json_object_size(settings->labels), 0);
	auto_settings const struct settings *empty = parse("# nothing\nflyteadmin:\ntask_resources: {defaults: }\n");
	assert_true(settings_equal(settings, empty));
}

static void test_values(void **state)
{
	(void)state;
	auto_settings const struct settings *settings = parse("flyteadmin:\n"
	                                                      "  maxParallelism: 7\n"
	                                                      "  labels: {team: ml, example.org/cost: '12'}\n"
	                                                      "  envs: {LEVEL: 3, DEBUG: true, RATE: 0.5}\n"
	                                                      "  interruptible: true\n"
	                                                      "  k8sServiceAccount: robot\n"
	                                                      "task_resources:\n"
	                                                      "  defaults: {cpu: 2, memory: 1Gi}\n"
	                                                      "  limits: {gpu: 1, ephemeralStorage: 10Gi}\n"
	                                                      "domains: [{id: dev}, {id: live, name: Live}]\n"
	                                                      "plugins:\n"
	                                                      "  k8s:\n"
	                                                      "    default-env-vars:\n"
	                                                      "    - A: one\n"
	                                                      "    - B: two\n"
	                                                      "    default-tolerations:\n"
	                                                      "    - {key: spot, operator: Exists}\n"
	                                                      "clusterPoolAssignments: {live: {pool: big}}\n");
	assert_int_equal(settings->max_parallelism, 7);
	assert_string_equal(settings_map_get(settings->labels, "example.org/cost"), "12");
	assert_string_equal(settings_map_get(settings->environment, "LEVEL"), "3");
	assert_string_equal(settings_map_get(settings->environment, "DEBUG"), "true");
	assert_string_equal(settings_map_get(settings->environment, "RATE"), "0.5");
	assert_true(settings->interruptible);
	assert_string_equal(settings->service_account, "robot");
	assert_string_equal(settings->task_resources.defaults.amounts[RESOURCE_CPU], "2");
	assert_string_equal(settings->task_resources.limits.amounts[RESOURCE_EPHEMERAL_STORAGE], "10Gi");
	assert_int_equal(settings->domain_count, 2);
	assert_string_equal(settings->domains[0].name, "dev");
	assert_string_equal(settings->domains[1].name, "Live");
	assert_string_equal(settings_map_get(settings->pod_environment, "B"), "two");
	assert_string_equal(json_string_at(json_array_get(settings->pod_tolerations, 0), "key", ""), "spot");
	assert_string_equal(settings_map_get(settings->cluster_pools, "live"), "big");
	assert_false(settings_equal(settings, settings_default()));
}

static void test_template_data(void **state)
{
	(void)state;
	setenv("SETTINGS_TEST_VALUE", "from the environment", 1);
	auto_settings const struct settings *settings =
	        parse("cluster_resources:\n"
	              "  templateData:\n"
	              "    one: {value: 1}\n"
	              "    two: {valueFrom: {env: SETTINGS_TEST_VALUE}}\n"
	              "  customData:\n"
	              "  - production:\n"
	              "    - projectQuotaCpu: {value: '5'}\n"
	              "    - projectQuotaMemory: {value: 4000Mi}\n"
	              "  - development: {projectQuotaCpu: {value: 4}}\n");
	assert_string_equal(settings_map_get(settings->cluster_resource_data, "one"), "1");
	assert_string_equal(settings_map_get(settings->cluster_resource_data, "two"), "from the environment");
	const json_t *domains = settings->cluster_resource_domain_data;
	assert_string_equal(json_string_at(domains, "production/projectQuotaMemory", ""), "4000Mi");
	assert_string_equal(json_string_at(domains, "development/projectQuotaCpu", ""), "4");
	refuse("cluster_resources:\n  templateData:\n    namespace: {value: kube-system}\n",
	       "config.yaml, line 3: cluster_resources.templateData.namespace: is the platform's, which gives it its value");
	refuse("cluster_resources:\n  customData:\n  - production:\n    - projectQuotaCpu: 5\n",
	       "config.yaml, line 4: cluster_resources.customData.0.production.0.projectQuotaCpu: must be {value: TEXT} or "
	       "{valueFrom: …}");
	refuse("cluster_resources: {templateData: {a: {valueFrom: {env: NO_SUCH_VARIABLE}}}}",
	       "config.yaml, line 1: cluster_resources.templateData.a.valueFrom: the variable 'NO_SUCH_VARIABLE' is not "
	       "set");
}

static void test_unknown_settings(void **state)
{
	(void)state;
	refuse("task_resource:\n  defaults: {}\n",
	       "config.yaml, line 1: task_resource: there is no such setting; did you mean 'task_resources'?");
	refuse("# a comment\ntask_resources:\n  limits:\n    cpu: 1\n    memry: 1Gi\n",
	       "config.yaml, line 5: task_resources.limits.memry: there is no such setting; did you mean 'memory'?");
	refuse("flyteadmin: {maxparallelism: 3}",
	       "config.yaml, line 1: flyteadmin.maxparallelism: there is no such setting; did you mean 'maxParallelism'?");
	refuse("\n\nzzz: 1\n", "config.yaml, line 3: zzz: there is no such setting");
	refuse("server: {security: {useAuth: true}}", "config.yaml, line 1: server: there is no such setting");
}

static void test_wrong_values(void **state)
{
	(void)state;
	refuse("[]", "config.yaml, line 1: the file must be a map");
	refuse("flyteadmin: 3", "config.yaml, line 1: flyteadmin: must be a map");
	refuse("task_resources:\n  limits:\n    memory: much\n",
	       "config.yaml, line 3: task_resources.limits.memory: 'much' is not a quantity of Kubernetes, like 500m or "
	       "1Gi");
	refuse("task_resources: {limits: {cpu: -1}}", "config.yaml, line 1: task_resources.limits.cpu: '-1' is not a "
	                                              "quantity of Kubernetes, like 500m or 1Gi");
	refuse("flyteadmin:\n  maxParallelism: -1\n",
	       "config.yaml, line 2: flyteadmin.maxParallelism: '-1' must be a number from 0 to 2147483647");
	refuse("flyteadmin: {maxParallelism: [1]}", "config.yaml, line 1: flyteadmin.maxParallelism: must be text");
	refuse("flyteadmin: {interruptible: 'yes'}",
	       "config.yaml, line 1: flyteadmin.interruptible: must be true or false");
	refuse("flyteadmin:\n  labels:\n    fine: x\n    'not fine': x\n",
	       "config.yaml, line 4: flyteadmin.labels.not fine: 'not fine' is not a label's key of Kubernetes");
	refuse("flyteadmin: {labels: {a: 'b c'}}",
	       "config.yaml, line 1: flyteadmin.labels.a: 'b c' is not a label's value of Kubernetes");
	refuse("flyteadmin: {labels: [a]}", "config.yaml, line 1: flyteadmin.labels: must be a map");
	refuse("flyteadmin: {envs: {'A=B': 1}}", "config.yaml, line 1: flyteadmin.envs.A=B: 'A=B' is not a variable's name");
	refuse("logger: {level: loud}", "config.yaml, line 1: logger.level: 'loud' must be debug, info, warn or error");
	refuse("domains: []", "config.yaml, line 1: domains: must be a list of {id: ID, name: NAME}, one at least");
	refuse("domains:\n- id: a\n- id: A\n",
	       "config.yaml, line 3: domains.1: the id 'A' must be lower case letters, digits and '-'");
	refuse("domains:\n- id: a\n- id: b\n- id: a\n", "config.yaml, line 4: domains.2: the domain 'a' is there already");
	refuse("domains: [{id: a, colour: red}]", "config.yaml, line 1: domains.0: must be {id: ID, name: NAME}");
	refuse("plugins:\n  k8s:\n    default-tolerations:\n    - spot\n",
	       "config.yaml, line 4: plugins.k8s.default-tolerations.0: must be a toleration of Kubernetes, like {key: k, "
	       "operator: Exists}");
	refuse("clusterPoolAssignments: {a: big}",
	       "config.yaml, line 1: clusterPoolAssignments.a: must be {pool: NAME}");
	refuse("propeller:\n  literal-offloading-config:\n    min-size-in-mb-for-offloading: 20\n"
	       "    max-size-in-mb-for-offloading: 10\n",
	       "config.yaml: propeller.literal-offloading-config: the least size, 20 MB, is above the greatest, 10 MB");
	refuse("a: b: c\n", "config.yaml is not valid YAML: line 1, column 5: mapping values are not allowed in this context");
}

static void test_size(void **state)
{
	(void)state;
	auto_free char *text = xmalloc(SETTINGS_FILE_MAXIMUM + 2);
	memset(text, '#', SETTINGS_FILE_MAXIMUM + 1);
	text[SETTINGS_FILE_MAXIMUM + 1] = '\0';
	refuse(text, "config.yaml is larger than 262144 bytes");
}

static void test_environment(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	const char *text = "task_resources: {defaults: {cpu: 2, memory: 1Gi}}\nplugins: {k8s: {default-pod-template-name: a}}";
	setenv("FLYTE_TASK_CPU_REQUEST", "3", 1);
	setenv("FLYTE_PORT", "1234", 1);
	setenv("FLYTE_POD_TEMPLATE", "", 1);
	setenv("FLYTE_INTERRUPTIBLE_TOLERATIONS", "[{\"key\": \"a\"}]", 1);
	auto_settings const struct settings *settings = NULL, *refused = NULL;
	assert_int_equal(settings_parse(text, strlen(text), "config.yaml", true, &settings, &e), 0);
	assert_string_equal(settings->task_resources.defaults.amounts[RESOURCE_CPU], "3");
	assert_string_equal(settings->task_resources.defaults.amounts[RESOURCE_MEMORY], "1Gi");
	assert_int_equal(settings->port, 1234);
	assert_string_equal(settings->pod_template, "");
	assert_int_equal(json_array_size(settings->interruptible_tolerations), 1);
	assert_string_equal(settings->console_url, "");
	setenv("SANDBOX_PUBLIC_ENDPOINT", "http://localhost:30080", 1);
	auto_settings const struct settings *of_sandbox = NULL, *of_cluster = NULL;
	assert_int_equal(settings_parse(text, strlen(text), "config.yaml", true, &of_sandbox, &e), 0);
	assert_string_equal(of_sandbox->console_url, "http://localhost:30080/console");
	const char *own = "flyteadmin: {consoleUrl: 'https://flyte.example/console'}";
	assert_int_equal(settings_parse(own, strlen(own), "config.yaml", true, &of_cluster, &e), 0);
	assert_string_equal(of_cluster->console_url, "https://flyte.example/console");
	unsetenv("SANDBOX_PUBLIC_ENDPOINT");
	setenv("FLYTE_PORT", "70000", 1);
	assert_int_equal(settings_parse("", 0, "config.yaml", true, &refused, &e), -1);
	assert_string_equal(err_message(&e), "FLYTE_PORT: '70000' must be a number from 1 to 65535");
	unsetenv("FLYTE_TASK_CPU_REQUEST");
	unsetenv("FLYTE_PORT");
	unsetenv("FLYTE_POD_TEMPLATE");
	unsetenv("FLYTE_INTERRUPTIBLE_TOLERATIONS");
}

static void test_resource_policy_text(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct resource_policy policy;
	const char *text = resource_policy_to_text(&arena, &settings_default()->task_resources);
	assert_string_equal(text, "{\"defaults\":{\"cpu\":\"100m\",\"memory\":\"200Mi\"},\"default_limits\":{\"memory\":\"1Gi\"},"
	                          "\"limits\":{}}");
	assert_int_equal(resource_policy_from_text(&arena, text, &policy, &e), 0);
	assert_string_equal(policy.defaults.amounts[RESOURCE_MEMORY], "200Mi");
	assert_null(policy.limits.amounts[RESOURCE_MEMORY]);
	assert_int_equal(resource_policy_from_text(&arena, "", &policy, &e), 0);
	assert_null(policy.defaults.amounts[RESOURCE_MEMORY]);
	assert_int_equal(resource_policy_from_text(&arena, "{", &policy, &e), -1);
}

static void test_connectors(void **state)
{
	struct settings_connector c;
	(void)state;
	auto_settings const struct settings *settings = parse(
	        "plugins:\n"
	        "  connector-service:\n"
	        "    defaultConnector: {endpoint: 'dns:///host.docker.internal:8000', timeouts: {CreateTask: 1m30s}}\n"
	        "    connectors:\n"
	        "      mine: {endpoint: 'c.example:443', insecure: false, defaultTimeout: 500ms, defaultServiceConfig: '{}'}\n"
	        "    connectorForTaskTypes: {spark: mine, other: defaultConnector}\n"
	        "    supportedTaskTypes: [a, b]\n"
	        "    pollInterval: 2m\n"
	        "    webApi: {caching: {resyncInterval: 250ms, maxSystemFailures: 0}}\n");
	assert_true(settings_connector(settings, CONNECTOR_DEFAULT, &c));
	assert_string_equal(c.target, "http://host.docker.internal:8000");
	assert_int_equal(settings_connector_timeout_ms(&c, "CreateTask"), 90000);
	assert_int_equal(settings_connector_timeout_ms(&c, "GetTask"), 10000);
	assert_true(settings_connector(settings, "mine", &c));
	assert_string_equal(c.target, "https://c.example:443");
	assert_int_equal(settings_connector_timeout_ms(&c, "GetTask"), 500);
	assert_false(settings_connector(settings, "nobody's", &c));
	assert_int_equal(settings->connector_list_ms, 120000);
	assert_int_equal(settings->connector_poll_ms, 250);
	assert_int_equal(settings->connector_failure_maximum, 0);
	assert_false(settings_connector(settings_default(), CONNECTOR_DEFAULT, &c)); /* off by default */
	assert_false(settings_equal(settings, settings_default()));
#define WRONG(text, where, what)                                                                                      \
	refuse("plugins: {connector-service: {" text "}}", "config.yaml, line 1: plugins.connector-service." where ": " what)
	WRONG("defaultConnector: {endpoint: here}", "defaultConnector.endpoint", "'here' must be HOST:PORT");
	WRONG("defaultConnector: {endpoint: 'a b:1'}", "defaultConnector.endpoint", "'a b:1' must be HOST:PORT");
	WRONG("defaultConnector: {endpoit: 'a:1'}", "defaultConnector.endpoit",
	      "there is no such setting; did you mean 'endpoint'?");
	WRONG("defaultConnector: {timeouts: {Create: 1s}}", "defaultConnector.timeouts.Create",
	      "there is no such call; there are CreateTask, ExecuteTaskSync, GetTask, DeleteTask and ListAgents");
	WRONG("defaultConnector: {defaultTimeout: 1ms}", "defaultConnector.defaultTimeout",
	      "'1ms' must be a duration from 100ms to 3600s, like 1m30s");
	WRONG("connectors: {mine: {}}", "connectors.mine", "has no endpoint");
	WRONG("pollInterval: soon", "pollInterval", "'soon' must be a duration from 1000ms to 3600s, like 1m30s");
	WRONG("supportedTaskTypes: a", "supportedTaskTypes", "must be a list of at most 1000 task types");
#undef WRONG
	refuse("plugins: {connector-service: {connectorForTaskTypes: {spark: mine}}}",
	       "config.yaml: plugins.connector-service.connectorForTaskTypes.spark: there is no connector 'mine' in "
	       "plugins.connector-service.connectors");
	refuse("plugins: {connector-service: {supportedTaskTypes: [a]}}",
	       "config.yaml: plugins.connector-service.supportedTaskTypes: there is no defaultConnector to run them");
}

static void test_links_to_logs(void **state)
{
	(void)state;
	auto_settings const struct settings *settings =
	        parse("plugins:\n"
	              "  logs:\n"
	              "    kubernetes-enabled: true\n"
	              "    kubernetes-template-uri: 'http://d/{{ .podName }}'\n"
	              "    templates:\n"
	              "      - {displayName: L, templateUris: ['http://l/{{.namespace}}'], messageFormat: 2}\n");
	assert_true(settings->log_kubernetes);
	assert_string_equal(settings->log_kubernetes_template, "http://d/{{ .podName }}");
	assert_int_equal(json_array_size(settings->log_templates), 1);
	assert_false(settings_default()->log_kubernetes);
#define WRONG(text, where, what)                                                                                      \
	refuse("plugins: {logs: {templates: " text "}}", "config.yaml, line 1: plugins.logs.templates" where ": " what)
	WRONG("http://l", "", "must be a list of at most 32 maps {displayName: NAME, templateUris: [URL]}");
	WRONG("[{displayName: L}]", ".0", "must be {displayName: NAME, templateUris: [URL]}");
	WRONG("[L]", ".0", "must be {displayName: NAME, templateUris: [URL]}");
	WRONG("[{displayName: L, templateUris: u}]", ".0.templateUris", "must be a list of 1 to 8 templates of URLs");
	WRONG("[{displayName: L, templateUris: ['']}]", ".0.templateUris.0", "must be the template of a URL");
	WRONG("[{displayName: L, templateUris: [u], messageFormat: 3}]", ".0.messageFormat",
	      "must be 0 (unknown), 1 (CSV) or 2 (JSON)");
	WRONG("[{displayName: L, templateUri: u}]", ".0.templateUri",
	      "there is no such key; there are displayName, templateUris, messageFormat, showWhilePending and "
	      "hideOnceFinished");
#undef WRONG
}

/* The guide has the table as the program prints it. */
static void test_guide(void **state)
{
	(void)state;
	auto_free char *table = NULL;
	size_t size;
	FILE *out = open_memstream(&table, &size);
	settings_print_markdown(out);
	fclose(out);
	auto_buf struct buf guide = BUF_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	if (file_read(TEST_DATA_DIR "/../../../docs/guide/configuration.md", &guide, &e) < 0)
		fail_msg("%s", err_message(&e));
	if (!strstr(buf_text(&guide), table))
		fail_msg("docs/guide/configuration.md lacks the table that `flyte-controlplane --settings-markdown` prints");
}

/* ---- Following a file ---- */

struct follower {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned good, bad;
	char *problem;
};

static void on_change(void *context, const struct err *problem)
{
	struct follower *f = context;
	pthread_mutex_lock(&f->lock);
	if (problem) {
		f->bad++;
		free(f->problem);
		f->problem = xstrdup(err_message(problem));
	} else {
		f->good++;
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void wait_for(struct follower *f, const unsigned *count, unsigned wanted)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 20;
	pthread_mutex_lock(&f->lock);
	while (*count < wanted) {
		if (pthread_cond_timedwait(&f->changed, &f->lock, &deadline))
			fail_msg("%u good and %u bad files after 20 s", f->good, f->bad);
	}
	pthread_mutex_unlock(&f->lock);
}

static void put(const char *path, const char *text)
{
	auto_err struct err e = ERR_INIT;
	if (file_write_atomic(path, text, strlen(text), 0644, &e) < 0)
		fail_msg("%s", err_message(&e));
}

static void assert_parallelism(struct settings_holder *holder, int64_t expected)
{
	auto_settings const struct settings *settings = settings_current(holder);
	assert_int_equal(settings->max_parallelism, expected);
}

static void test_following(void **state)
{
	(void)state;
	char directory[] = "/tmp/test-settings-XXXXXX";
	assert_non_null(mkdtemp(directory));
	auto_free char *path = file_join(directory, "config.yaml");
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	struct follower f = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	/* not there yet */
	assert_int_equal(settings_read(path, &settings, &e), 0);
	struct settings_holder *holder = settings_holder_new(settings, "");
	if (settings_follow(holder, on_change, &f, &e) < 0)
		fail_msg("%s", err_message(&e));
	auto_settings const struct settings *before = settings_current(holder);

	put(path, "flyteadmin: {maxParallelism: 3}\n");
	wait_for(&f, &f.good, 1);
	assert_parallelism(holder, 3);
	/* who has the old ones keeps them */
	assert_int_equal(before->max_parallelism, 25);

	put(path, "flyteadmin: {maxParallelism: three}\n");
	wait_for(&f, &f.bad, 1);
	assert_parallelism(holder, 3);
	static const char problem[] =
	        "config.yaml, line 1: flyteadmin.maxParallelism: 'three' must be a number from 0 to 2147483647";
	assert_string_equal(f.problem, problem);
	auto_free char *told = settings_problem(holder);
	assert_string_equal(told, problem);

	/* written in place, as editors do that keep the file */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("flyteadmin:\n", file);
	fputs("  maxParallelism: 4\n", file);
	fclose(file);
	wait_for(&f, &f.good, 2);
	assert_parallelism(holder, 4);
	auto_free char *fine = settings_problem(holder);
	assert_string_equal(fine, "");

	assert_int_equal(unlink(path), 0);
	wait_for(&f, &f.good, 3);
	assert_parallelism(holder, 25);

	assert_null(settings_holder_free(holder));
	assert_int_equal(rmdir(directory), 0);
	free(f.problem);
}

static void test_reload_of_the_same(void **state)
{
	(void)state;
	char directory[] = "/tmp/test-settings-XXXXXX";
	assert_non_null(mkdtemp(directory));
	auto_free char *path = file_join(directory, "config.yaml");
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	put(path, "flyteadmin: {maxParallelism: 3}\n");
	assert_int_equal(settings_read(path, &settings, &e), 0);
	struct settings_holder *holder = settings_holder_new(settings, "");
	put(path, "# other words\nflyteadmin:\n  maxParallelism: 3\n");
	assert_int_equal(settings_reload(holder, &e), 0);
	put(path, "flyteadmin: {maxParallelism: 5}\n");
	assert_int_equal(settings_reload(holder, &e), 1);
	assert_parallelism(holder, 5);
	settings_holder_free(holder);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_values),
		cmocka_unit_test(test_template_data), cmocka_unit_test(test_unknown_settings),
		cmocka_unit_test(test_wrong_values),  cmocka_unit_test(test_size),
		cmocka_unit_test(test_environment),   cmocka_unit_test(test_resource_policy_text),
		cmocka_unit_test(test_connectors),    cmocka_unit_test(test_guide),
		cmocka_unit_test(test_links_to_logs),
		cmocka_unit_test(test_following),     cmocka_unit_test(test_reload_of_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
