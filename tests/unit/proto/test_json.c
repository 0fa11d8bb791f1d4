#include "proto/json.h"

#include "base/text.h"

#include <flyteidl/admin/common.pb-c.h>
#include <flyteidl/admin/execution.pb-c.h>
#include <flyteidl/core/literals.pb-c.h>
#include <flyteidl/core/tasks.pb-c.h>
#include <google/protobuf/any.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAXIMUM ((size_t)1024 * 1024)

static struct arena arena = ARENA_INIT(64 * MAXIMUM);

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void assert_prints(const ProtobufCMessage *message, unsigned flags, const char *wanted)
{
	auto_buf struct buf text = BUF_INIT(MAXIMUM);
	auto_err struct err e = ERR_INIT;
	assert_int_equal(proto_json_print(message, flags, &text, &e), 0);
	assert_string_equal(buf_text(&text), wanted);
}

#define PARSE(prefix, text, flags, e) proto_json_parse(&arena, prefix, (text), strlen(text), (flags), (e))

static void assert_literal(const char *text, const char *wanted)
{
	auto_err struct err e = ERR_INIT;
	Flyteidl__Core__Literal *literal = PARSE(flyteidl__core__literal, text, 0, &e);
	if (!literal)
		fail_msg("%s: %s", text, err_message(&e));
	assert_prints(&literal->base, PROTO_JSON_OMIT_DEFAULTS, wanted);
}

static void assert_refused(const char *text, unsigned flags, const char *in_message)
{
	auto_err struct err e = ERR_INIT;
	assert_null(PARSE(flyteidl__core__literal, text, flags, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	if (!strstr(err_message(&e), in_message))
		fail_msg("%s: \"%s\" does not contain \"%s\"", text, err_message(&e), in_message);
}

static void defaults_are_printed_or_omitted(void **state)
{
	(void)state;
	Flyteidl__Admin__ResourceListRequest *request = proto_new(&arena, flyteidl__admin__resource_list_request);
	assert_prints(&request->base, 0, "{\"id\":null,\"limit\":0,\"token\":\"\",\"filters\":\"\",\"sort_by\":null}");
	assert_prints(&request->base, PROTO_JSON_OMIT_DEFAULTS, "{}");
	request->sort_by = proto_new(&arena, flyteidl__admin__sort);
	request->sort_by->direction = FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING;
	assert_prints(&request->base, PROTO_JSON_OMIT_DEFAULTS | PROTO_JSON_CAMEL_CASE,
	              "{\"sortBy\":{\"direction\":\"ASCENDING\"}}");
	assert_prints(&request->base, PROTO_JSON_OMIT_DEFAULTS | PROTO_JSON_ENUM_NUMBERS,
	              "{\"sort_by\":{\"direction\":1}}");
	request->sort_by->direction = 77;
	assert_prints(&request->base, PROTO_JSON_OMIT_DEFAULTS, "{\"sort_by\":{\"direction\":77}}");
	/* Lists and maps appear empty, members of a oneof only when set. */
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	assert_prints(&map->base, 0, "{\"literals\":{}}");
	Flyteidl__Core__LiteralCollection *list = proto_new(&arena, flyteidl__core__literal_collection);
	assert_prints(&list->base, 0, "{\"literals\":[]}");
	Flyteidl__Core__Primitive *primitive = proto_new(&arena, flyteidl__core__primitive);
	assert_prints(&primitive->base, 0, "{}");
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	assert_prints(&primitive->base, 0, "{\"integer\":\"0\"}");
}

static void scalars_round_trip(void **state)
{
	(void)state;
	assert_literal("{\"scalar\":{\"primitive\":{\"integer\":\"-9223372036854775808\"}}}",
	               "{\"scalar\":{\"primitive\":{\"integer\":\"-9223372036854775808\"}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"integer\":9007199254740993}}}",
	               "{\"scalar\":{\"primitive\":{\"integer\":\"9007199254740993\"}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"integer\":1.5e1}}}",
	               "{\"scalar\":{\"primitive\":{\"integer\":\"15\"}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"float_value\":0.1}}}",
	               "{\"scalar\":{\"primitive\":{\"float_value\":0.1}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"floatValue\":\"-Infinity\"}}}",
	               "{\"scalar\":{\"primitive\":{\"float_value\":\"-Infinity\"}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"boolean\":false}}}",
	               "{\"scalar\":{\"primitive\":{\"boolean\":false}}}");
	assert_literal("{\"scalar\":{\"primitive\":{\"stringValue\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\u0001\"}}}",
	               "{\"scalar\":{\"primitive\":{\"string_value\":\"é😀\\n\\\"\\u0001\"}}}");
	/* URL alphabet and missing padding are accepted, the standard form is printed. */
	assert_literal("{\"scalar\":{\"binary\":{\"value\":\"-_8\"}}}",
	               "{\"scalar\":{\"binary\":{\"value\":\"+/8=\"}}}");
}

static void times_round_trip(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "\"datetime\":\"2026-01-31T23:59:59Z\"", "\"datetime\":\"2026-01-31T23:59:59Z\"" },
		{ "\"datetime\":\"2024-02-29T01:00:00.5+01:00\"", "\"datetime\":\"2024-02-29T00:00:00.500Z\"" },
		{ "\"datetime\":\"1969-12-31T23:59:59.000001Z\"", "\"datetime\":\"1969-12-31T23:59:59.000001Z\"" },
		{ "\"datetime\":\"0001-01-01T00:00:00Z\"", "\"datetime\":\"0001-01-01T00:00:00Z\"" },
		{ "\"datetime\":\"9999-12-31T23:59:59.999999999Z\"",
		  "\"datetime\":\"9999-12-31T23:59:59.999999999Z\"" },
		{ "\"duration\":\"-0.5s\"", "\"duration\":\"-0.500s\"" },
		{ "\"duration\":\"3.000000001s\"", "\"duration\":\"3.000000001s\"" },
		{ "\"duration\":\"0s\"", "\"duration\":\"0s\"" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		char *text = arena_printf(&arena, "{\"scalar\":{\"primitive\":{%s}}}", pairs[i][0]);
		char *wanted = arena_printf(&arena, "{\"scalar\":{\"primitive\":{%s}}}", pairs[i][1]);
		assert_literal(text, wanted);
	}
	assert_refused("{\"scalar\":{\"primitive\":{\"datetime\":\"2026-02-29T00:00:00Z\"}}}", 0, "a time like");
	assert_refused("{\"scalar\":{\"primitive\":{\"datetime\":\"0001-01-01T00:00:00+00:01\"}}}", 0,
	               "between the years");
	assert_refused("{\"scalar\":{\"primitive\":{\"duration\":\"1\"}}}", 0, "a duration like");
	assert_refused("{\"scalar\":{\"primitive\":{\"duration\":\"315576000001s\"}}}", 0, "a duration like");
}

static void struct_any_map_and_wrapper(void **state)
{
	(void)state;
	assert_literal("{\"scalar\":{\"generic\":{\"a\":[1,-2.5,null,true,\"s\",{\"b\":{}},[]]}}}",
	               "{\"scalar\":{\"generic\":{\"a\":[1,-2.5,null,true,\"s\",{\"b\":{}},[]]}}}");
	assert_literal("{\"map\":{\"literals\":{\"k\":{},\"\":{\"collection\":{\"literals\":[{}]}}}}}",
	               "{\"map\":{\"literals\":{\"k\":{},\"\":{\"collection\":{\"literals\":[{}]}}}}}");
	auto_err struct err e = ERR_INIT;
	Google__Rpc__Status *status =
	        PARSE(google__rpc__status, "{\"code\":5,\"details\":[{\"value\":\"AQI=\",\"@type\":\"t/x\"}]}", 0, &e);
	assert_non_null(status);
	assert_int_equal(status->details[0]->value.len, 2);
	assert_prints(&status->base, 0,
	              "{\"code\":5,\"message\":\"\",\"details\":[{\"@type\":\"t/x\",\"value\":\"AQI=\"}]}");
	Flyteidl__Admin__ExecutionSpec *spec =
	        PARSE(flyteidl__admin__execution_spec, "{\"interruptible\":false,\"maxParallelism\":\"7\"}", 0, &e);
	assert_non_null(spec);
	assert_non_null(spec->interruptible);
	assert_prints(&spec->base, PROTO_JSON_OMIT_DEFAULTS, "{\"max_parallelism\":7,\"interruptible\":false}");
}

static void null_means_unset(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__ExecutionSpec *spec = PARSE(
	        flyteidl__admin__execution_spec, "{\"interruptible\":null,\"tags\":null,\"launch_plan\":null}", 0, &e);
	assert_non_null(spec);
	assert_null(spec->interruptible);
	assert_prints(&spec->base, PROTO_JSON_OMIT_DEFAULTS, "{}");
	assert_refused("{\"collection\":{\"literals\":[null]}}", 0, "at \"collection.literals[0]\": null in a list");
	assert_refused("{\"map\":{\"literals\":{\"a\":null}}}", 0, "null in a map");
}

static void errors_name_the_place(void **state)
{
	(void)state;
	assert_refused("{\"scalar\":{\"primitve\":{}}}", 0, "at \"scalar.primitve\": unknown field");
	assert_refused("{\"scalar\":{\"primitive\":{\"integer\":\"x\"}}}", 0,
	               "at \"scalar.primitive.integer\": expected");
	assert_refused("{\"scalar\":{\"primitive\":{\"integer\":1.5}}}", 0, "expected a 64-bit integer");
	assert_refused("{\"scalar\":{\"primitive\":{\"integer\":9223372036854775808}}}", 0,
	               "expected a 64-bit integer");
	assert_refused("{\"scalar\":{\"primitive\":{\"boolean\":\"true\"}}}", 0, "expected false");
	assert_refused("{\"scalar\":{\"primitive\":{\"boolean\":true,\"integer\":1}}}", 0, "same oneof");
	assert_refused("{\"scalar\":{},\"collection\":{}}", 0, "same oneof");
	assert_refused("{\"hash\":\"a\\u0000\"}", 0, "NUL");
	assert_refused("{\"hash\":\"\\ud800\"}", 0, "surrogate");
	assert_refused("{\"hash\":\"\xff\"}", 0, "UTF-8");
	assert_refused("{\"hash\":\"a\nb\"}", 0, "control character");
	assert_refused("{\"hash\":\"a}", 0, "without end");
	assert_refused("{\"hash\":01}", 0, "expected a string");
	assert_refused("{,}", 0, "expected a key");
	assert_refused("{\"hash\":\"a\",}", 0, "expected a key");
	assert_refused("{\"x\":[1,]}", PROTO_JSON_IGNORE_UNKNOWN, "expected a value");
	assert_refused("{\"x\":[01]}", PROTO_JSON_IGNORE_UNKNOWN, "expected");
	assert_refused("{\"x\":{1:2}}", PROTO_JSON_IGNORE_UNKNOWN, "expected a key");
	assert_refused("{} {}", 0, "expected the end");
	assert_refused("", 0, "got the end");
}

static void unknown_fields_can_be_ignored(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	const char *text = "{\"x\":{\"a\":[1,2,{\"b\":\"}\\\"\"}],\"c\":null},\"hash\":\"h\",\"y\":-1.5e+3}";
	Flyteidl__Core__Literal *literal = PARSE(flyteidl__core__literal, text, PROTO_JSON_IGNORE_UNKNOWN, &e);
	assert_non_null(literal);
	assert_string_equal(literal->hash, "h");
}

static void depth_and_memory_are_bounded(void **state)
{
	(void)state;
	auto_buf struct buf text = BUF_INIT(MAXIMUM);
	for (int i = 0; i < 5000; i++)
		(void)buf_add_str(&text, "{\"collection\":{\"literals\":[");
	assert_refused(buf_text(&text), 0, "nested deeper than 100 levels");
	buf_clear(&text);
	(void)buf_add_str(&text, "{\"x\":");
	for (int i = 0; i < 5000; i++)
		(void)buf_add_str(&text, "[");
	assert_refused(buf_text(&text), PROTO_JSON_IGNORE_UNKNOWN, "nested deeper than 100 levels");
	/* Each {} costs far more than its two bytes; the arena's maximum ends that as an error. */
	buf_clear(&text);
	(void)buf_add_str(&text, "{\"literals\":[{}");
	for (int i = 0; i < 50000; i++)
		(void)buf_add_str(&text, ",{}");
	auto_arena struct arena small = ARENA_INIT(MAXIMUM);
	auto_err struct err e = ERR_INIT;
	assert_null(proto_json_parse(&small, flyteidl__core__literal_collection, text.data, text.length, 0, &e));
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static void a_full_buffer_is_an_error(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf text = BUF_INIT(20);
	Flyteidl__Admin__ResourceListRequest *request = proto_new(&arena, flyteidl__admin__resource_list_request);
	assert_int_equal(proto_json_print(&request->base, 0, &text, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
}

static int set(void *message, const char *path, const char *value, enum err_kind *ret_kind)
{
	auto_err struct err e = ERR_INIT;
	int status = proto_set_from_text(&arena, message, path, value, &e);
	*ret_kind = e.kind;
	return status;
}

static void fields_are_set_from_urls(void **state)
{
	(void)state;
	enum err_kind kind;
	Flyteidl__Admin__ResourceListRequest *request = proto_new(&arena, flyteidl__admin__resource_list_request);
	assert_int_equal(set(request, "limit", "10", &kind), 0);
	assert_int_equal(set(request, "id.project", "p", &kind), 0);
	assert_int_equal(set(request, "sort_by.direction", "1", &kind), 0);
	assert_int_equal(set(request, "sortBy.key", "created_at", &kind), 0);
	assert_prints(&request->base, PROTO_JSON_OMIT_DEFAULTS,
	              "{\"id\":{\"project\":\"p\"},\"limit\":10,\"sort_by\":{\"key\":\"created_at\",\"direction\":"
	              "\"ASCENDING\"}}");
	assert_int_equal(set(request, "nope", "1", &kind), -1);
	assert_int_equal(kind, ERR_NOT_FOUND);
	assert_int_equal(set(request, "limit.x", "1", &kind), -1);
	assert_int_equal(kind, ERR_NOT_FOUND);
	assert_int_equal(set(request, "id", "1", &kind), -1);
	assert_int_equal(kind, ERR_INVALID);
	assert_int_equal(set(request, "limit", "4294967296", &kind), -1);
	assert_int_equal(kind, ERR_INVALID);
	/* A path that does not exist creates nothing on the way. */
	Flyteidl__Admin__ResourceListRequest *other = proto_new(&arena, flyteidl__admin__resource_list_request);
	assert_int_equal(set(other, "sort_by.nope", "1", &kind), -1);
	assert_null(other->sort_by);
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&arena, flyteidl__admin__execution_spec);
	assert_int_equal(set(spec, "tags", "a", &kind), 0);
	assert_int_equal(set(spec, "tags", "b", &kind), 0);
	assert_int_equal(set(spec, "interruptible", "true", &kind), 0);
	assert_prints(&spec->base, PROTO_JSON_OMIT_DEFAULTS, "{\"interruptible\":true,\"tags\":[\"a\",\"b\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(defaults_are_printed_or_omitted, release),
		cmocka_unit_test_teardown(scalars_round_trip, release),
		cmocka_unit_test_teardown(times_round_trip, release),
		cmocka_unit_test_teardown(struct_any_map_and_wrapper, release),
		cmocka_unit_test_teardown(null_means_unset, release),
		cmocka_unit_test_teardown(errors_name_the_place, release),
		cmocka_unit_test_teardown(unknown_fields_can_be_ignored, release),
		cmocka_unit_test_teardown(depth_and_memory_are_bounded, release),
		cmocka_unit_test_teardown(a_full_buffer_is_an_error, release),
		cmocka_unit_test_teardown(fields_are_set_from_urls, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
