#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "json_calls.h"
#include "proto/json.h"

#include <string.h>

#define ARENA ARENA_INIT((size_t)256 * 1024 * 1024)

static struct api *called_api;

void json_calls_api(struct api *api)
{
	called_api = api;
}

static const struct rpc_method *find_method(const char *name)
{
	const struct api_methods areas[] = { api_task_methods(),
		                             api_workflow_methods(),
		                             api_launch_plan_methods(),
		                             api_named_entity_methods(),
		                             api_project_methods(),
		                             api_description_methods(),
		                             api_event_methods(),
		                             api_matchable_attributes_methods(),
		                             api_version_methods(),
		                             api_execution_methods(),
		                             api_signal_methods(),
		                             api_data_proxy_methods() };
	for (size_t i = 0; i < ARRAY_LENGTH(areas); i++) {
		for (size_t j = 0; j < areas[i].count; j++) {
			const char *slash = strrchr(areas[i].methods[j].path, '/');
			if (slash && text_equal(slash + 1, name))
				return &areas[i].methods[j];
		}
	}
	fail_msg("no method %s", name);
	return NULL;
}

static void replace(char *text, char from, char to)
{
	for (char *p = text; (p = strchr(p, from)); p++)
		*p = to;
}

json_t *call_from(const char *peer, const char *method_name, const char *request, const char **ret_detail,
                  struct err *e)
{
	auto_arena struct arena arena = ARENA;
	const struct rpc_method *method = find_method(method_name);
	char *text = arena_strdup(&arena, request);
	replace(text, '\'', '"');
	ProtobufCMessage *message = proto_json_parse_of(&arena, method->request, text, strlen(text), 0, e);
	if (!message)
		fail_msg("%s: %s", text, err_message(e));
	struct rpc_call call = { .arena = &arena,
		                 .request_id = "test",
		                 .peer_address = peer,
		                 .authority = "",
		                 .deadline_ms = clock_monotonic_ms() + 60000 };
	ProtobufCMessage *response = method->handler(called_api, &call, message, e);
	if (ret_detail)
		*ret_detail = call.error_detail ? call.error_detail->descriptor->short_name : "";
	if (!response) {
		assert_int_not_equal(e->kind, ERR_NONE);
		return NULL;
	}
	assert_ptr_equal(response->descriptor, method->response);
	auto_buf struct buf out = BUF_INIT((size_t)64 * 1024 * 1024);
	assert_int_equal(proto_json_print(response, PROTO_JSON_OMIT_DEFAULTS, &out, e), 0);
	return json_parse(buf_text(&out), out.length, "response", e);
}

json_t *succeed(const char *method, const char *request)
{
	auto_err struct err e = ERR_INIT;
	json_t *response = call_from("127.0.0.1", method, request, NULL, &e);
	if (!response)
		fail_msg("%s %s: %s", method, request, err_message(&e));
	return response;
}

void done(const char *method, const char *request)
{
	auto_json json_t *response = succeed(method, request);
	assert_int_equal(json_object_size(response), 0);
}

void refuse_with(const char *method, const char *request, enum err_kind kind, const char *text, const char *detail)
{
	auto_err struct err e = ERR_INIT;
	const char *actual;
	auto_json json_t *response = call_from("127.0.0.1", method, request, &actual, &e);
	assert_null(response);
	if (e.kind != kind || strcmp(err_message(&e), text) != 0)
		fail_msg("%s %s:\nexpected %s \"%s\"\ngot      %s \"%s\"", method, request, err_kind_name(kind), text,
		         err_kind_name(e.kind), err_message(&e));
	assert_string_equal(actual, detail);
}

void refuse(const char *method, const char *request, enum err_kind kind, const char *text)
{
	refuse_with(method, request, kind, text, "");
}

void assert_field(const json_t *value, const char *path, const char *expected)
{
	const char *actual = json_string_at(value, path, NULL);
	if (!actual || strcmp(actual, expected) != 0)
		fail_msg("%s is \"%s\" instead of \"%s\"", path, actual ? actual : "(missing)", expected);
}

void assert_list(json_t *response, const char *list, const char *path, const char *expected)
{
	auto_buf struct buf seen = BUF_INIT(4096);
	size_t i;
	json_t *element;
	json_array_foreach(json_lookup(response, list), i, element)
	{
		assert_int_equal(buf_add_format(&seen, "%s ", json_string_at(element, path, "?")), 0);
	}
	assert_int_equal(buf_add_format(&seen, "[%s]", json_string_at(response, "token", "")), 0);
	assert_string_equal(buf_text(&seen), expected);
}

void assert_listed(const char *method, const char *request, const char *list, const char *path, const char *expected)
{
	auto_json json_t *response = succeed(method, request);
	assert_list(response, list, path, expected);
}

void assert_response(const char *method, const char *request, const char *expected)
{
	auto_json json_t *response = succeed(method, request);
	auto_free char *text = json_dumps(response, JSON_SORT_KEYS);
	replace(text, '"', '\'');
	assert_string_equal(text, expected);
}
