#include "controlplane/engine/log_links.h"

#include "base/text.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Flyteidl__Core__Identifier *task_id(struct arena *arena)
{
	Flyteidl__Core__Identifier *id = proto_new(arena, flyteidl__core__identifier);
	id->project = arena_strdup(arena, "tp");
	id->domain = arena_strdup(arena, "td");
	id->name = arena_strdup(arena, "wf.t");
	id->version = arena_strdup(arena, "v1");
	return id;
}

static void test_links(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
	auto_err struct err e = ERR_INIT;
	static const char text[] =
	        "[{\"displayName\": \"All\", \"messageFormat\": 2, \"showWhilePending\": true, \"templateUris\": ["
	        "\"http://l/{{ .taskID }}/{{$taskVersion}}/{{.taskProject}}/{{.taskDomain}}/{{ .taskRetryAttempt }}\","
	        "\"{{.executionProject}}/{{.executionDomain}}/{{.executionName}}/{{.nodeID}}?{{.logName}}&{{.podUID}}\"]}]";
	auto_json json_t *others = json_parse(text, strlen(text), "test", &e);
	const struct log_links links = { .kubernetes = "http://k/{{ .Namespace }}/{{.podName}}{{", .others = others };
	const struct log_links_subject subject = { .namespace = "p-d",
		                                   .pod_name = "e1-n0-2",
		                                   .task = task_id(&arena),
		                                   .project = "p",
		                                   .domain = "d",
		                                   .execution = "e1",
		                                   .node_id = "n0",
		                                   .attempt = 2,
		                                   .suffix = "-7" };
	size_t count = 0;
	Flyteidl__Core__TaskLog **logs = NULL;
	log_links_add(&arena, &links, &subject, &count, &logs);
	assert_int_equal(count, 3);
	assert_string_equal(logs[0]->name, "Kubernetes Logs-7");
	assert_string_equal(logs[0]->uri, "http://k/p-d/e1-n0-2{{");
	assert_int_equal(logs[0]->message_format, FLYTEIDL__CORE__TASK_LOG__MESSAGE_FORMAT__UNKNOWN);
	assert_string_equal(logs[1]->name, "All-7");
	assert_string_equal(logs[1]->uri, "http://l/wf.t/v1/tp/td/2");
	assert_int_equal(logs[1]->message_format, FLYTEIDL__CORE__TASK_LOG__MESSAGE_FORMAT__JSON);
	assert_true(logs[1]->showwhilepending);
	assert_false(logs[1]->hideoncefinished);
	assert_string_equal(logs[2]->uri, "p/d/e1/n0?All-7&{{.podUID}}"); /* not known before there is a pod */
}

static void test_none(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
	const struct log_links_subject subject = { .suffix = "" };
	size_t count = 0;
	Flyteidl__Core__TaskLog **logs = NULL;
	log_links_add(&arena, &(struct log_links){ 0 }, &subject, &count, &logs);
	log_links_add(&arena, &(struct log_links){ .kubernetes = "" }, &subject, &count, &logs);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_links), cmocka_unit_test(test_none) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
