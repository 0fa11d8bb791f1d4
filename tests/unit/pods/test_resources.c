/* Canonical forms as k8s.io/apimachinery v0.35.4 prints them. */
#include "base/text.h"
#include "controlplane/engine/resources.h"
#include "proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <string.h>

#include <cmocka.h>

static void test_canonical(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "0", "0" },
		{ "100m", "100m" },
		{ "1", "1" },
		{ "1.5", "1500m" },
		{ "0.1", "100m" },
		{ "1000m", "1" },
		{ "1500m", "1500m" },
		{ "200Mi", "200Mi" },
		{ "1024Mi", "1Gi" },
		{ "1536Mi", "1536Mi" },
		{ "1.5Gi", "1536Mi" },
		{ "0.5Ki", "512" },
		{ "1023", "1023" },
		{ "1024", "1024" },
		{ "1Ki", "1Ki" },
		{ "1025Ki", "1025Ki" },
		{ "0.5", "500m" },
		{ "1n", "1n" },
		{ "0.1n", "1n" },
		{ "1000k", "1M" },
		{ "12345678", "12345678" },
		{ "2e3", "2e3" },
		{ "1e-3", "1e-3" },
		{ "1e18", "1e18" },
		{ "1E", "1E" },
		{ "10E", "10E" },
		{ "16Ei", "9223372036854775807" },
		{ "-1", "-1" },
		{ "-1500m", "-1500m" },
		{ "+5", "5" },
		{ "1.", "1" },
		{ ".5", "500m" },
		{ "0.0000000001", "1n" },
		{ "0.1Ki", "102400m" },
		{ "1.0001Ki", "1024102400u" },
		{ "0.3Gi", "322122547200m" },
		{ "100e-1", "10" },
		{ "-0.1n", "-1n" },
		{ "0.00000000000000001234Ki", "1n" },
		{ "1e+3", "1e3" },
		{ "3e2", "300" },
		{ "15e2", "1500" },
		{ "1e10", "10e9" },
		{ "5Pi", "5Pi" },
		{ "9223372036854775808", "9223372036854775808" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct quantity quantity;
		char text[QUANTITY_TEXT_SIZE];
		assert_true(quantity_parse(rows[i][0], &quantity));
		quantity_print(&quantity, text);
		assert_string_equal(text, rows[i][1]);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const rows[] = { "",      " 1",   "1 ",    "m",   "1x",  "1Kii", "1e",
		                            "1.2.3", "1e3m", "1e+-3", "--1", "1KI", "e3",   "0x10" };
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct quantity quantity;
		assert_false(quantity_parse(rows[i], &quantity));
	}
}

static int compare(const char *a, const char *b)
{
	struct quantity x, y;
	assert_true(quantity_parse(a, &x));
	assert_true(quantity_parse(b, &y));
	return quantity_compare(&x, &y);
}

static void test_compare(void **state)
{
	(void)state;
	assert_int_equal(compare("1Gi", "1024Mi"), 0);
	assert_true(compare("1G", "1Gi") < 0);
	assert_true(compare("1", "999m") > 0);
	assert_true(compare("-1", "0") < 0);
	assert_int_equal(compare("0.3Gi", "322122547200m"), 0);
}

static Flyteidl__Core__Resources *make(struct arena *arena, const char *const (*entries)[3])
{
	Flyteidl__Core__Resources *resources = proto_new(arena, flyteidl__core__resources);
	for (; (*entries)[0]; entries++) {
		const char *name = (*entries)[1];
		Flyteidl__Core__Resources__ResourceEntry *entry =
		        (void *)proto_new_of(arena, &flyteidl__core__resources__resource_entry__descriptor);
		entry->name = text_equal(name, "cpu")      ? FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__CPU
		              : text_equal(name, "memory") ? FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY
		              : text_equal(name, "gpu")    ? FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__GPU
		              : text_equal(name, "storage")
		                      ? FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__STORAGE
		                      : FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__EPHEMERAL_STORAGE;
		entry->value = arena_strdup(arena, (*entries)[2]);
		if (text_equal((*entries)[0], "request"))
			proto_append(arena, resources->n_requests, resources->requests, entry);
		else
			proto_append(arena, resources->n_limits, resources->limits, entry);
	}
	return resources;
}

static const struct resource_policy defaults = {
	.defaults = { .amounts = { [RESOURCE_CPU] = "100m", [RESOURCE_MEMORY] = "200Mi" } },
	.default_limits = { .amounts = { [RESOURCE_MEMORY] = "500Mi" } },
};

/* Entries end with a row of NULLs. */
static void check(const char *const (*task)[3], const char *const (*overrides)[3], const char *expected)
{
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	auto_json json_t *resources = resources_to_json(make(&arena, task), &e);
	assert_non_null(resources);
	if (overrides)
		assert_int_equal(resources_override(resources, make(&arena, overrides), &e), 0);
	assert_int_equal(resources_fill(resources, &defaults, &e), 0);
	char *text = json_dumps(resources, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, expected);
	free(text);
}
#define ENTRIES(...) ((const char *const[][3]){ __VA_ARGS__ __VA_OPT__(, ){ NULL, NULL, NULL } })

static void test_fill(void **state)
{
	(void)state;
	check(ENTRIES(), NULL,
	      "{\"limits\":{\"memory\":\"500Mi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"200Mi\"}}");
	check(ENTRIES({ "request", "memory", "1Gi" }), NULL,
	      "{\"limits\":{\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"1Gi\"}}");
	check(ENTRIES({ "limit", "memory", "1Gi" }, { "limit", "cpu", "2" }), NULL,
	      "{\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"2\",\"memory\":\"1Gi\"}}");
	check(ENTRIES({ "request", "cpu", "2" }, { "request", "memory", "1Gi" }, { "limit", "memory", "2Gi" }), NULL,
	      "{\"limits\":{\"memory\":\"2Gi\"},\"requests\":{\"cpu\":\"2\",\"memory\":\"1Gi\"}}");
	check(ENTRIES({ "request", "gpu", "1" }, { "limit", "ephemeral", "5Gi" }, { "request", "storage", "9Gi" }),
	      NULL,
	      "{\"limits\":{\"ephemeral-storage\":\"5Gi\",\"memory\":\"500Mi\",\"nvidia.com/gpu\":\"1\"},"
	      "\"requests\":{\"cpu\":\"100m\",\"ephemeral-storage\":\"5Gi\",\"memory\":\"200Mi\",\"nvidia.com/"
	      "gpu\":\"1\"}}");
}

static void check_policy(const char *resources, const struct resource_policy *policy, const char *expected)
{
	auto_err struct err e = ERR_INIT;
	auto_json json_t *json = json_parse(resources, strlen(resources), "resources", &e);
	assert_non_null(json);
	if (resources_fill(json, policy, &e) < 0)
		fail_msg("%s", err_message(&e));
	auto_free char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, expected);
}

static void test_limits_of_the_platform(void **state)
{
	(void)state;
	const struct resource_policy policy = {
		.defaults = { .amounts = { [RESOURCE_CPU] = "4", [RESOURCE_GPU] = "1", [RESOURCE_MEMORY] = "200Mi" } },
		.default_limits = { .amounts = { [RESOURCE_MEMORY] = "3Gi" } },
		.limits = { .amounts = { [RESOURCE_CPU] = "2", [RESOURCE_MEMORY] = "1Gi" } },
	};
	/* what nobody asked for is cut off too, and a CPU limit of the platform is everybody's */
	check_policy("{\"requests\":{},\"limits\":{}}", &policy,
	             "{\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\",\"nvidia.com/gpu\":\"1\"},"
	             "\"requests\":{\"cpu\":\"2\",\"memory\":\"200Mi\",\"nvidia.com/gpu\":\"1\"}}");
	check_policy("{\"requests\":{\"memory\":\"2Gi\",\"cpu\":\"500m\"},\"limits\":{\"memory\":\"8Gi\",\"cpu\":1}}", &policy,
	             "{\"limits\":{\"cpu\":1,\"memory\":\"1Gi\",\"nvidia.com/gpu\":\"1\"},"
	             "\"requests\":{\"cpu\":\"500m\",\"memory\":\"1Gi\",\"nvidia.com/gpu\":\"1\"}}");
	/* the same amount in other words stays as it is written */
	check_policy("{\"requests\":{\"memory\":\"1024Mi\",\"nvidia.com/gpu\":\"2\"},\"limits\":{}}", &policy,
	             "{\"limits\":{\"cpu\":\"2\",\"memory\":\"1024Mi\",\"nvidia.com/gpu\":\"2\"},"
	             "\"requests\":{\"cpu\":\"2\",\"memory\":\"1024Mi\",\"nvidia.com/gpu\":\"2\"}}");
	auto_err struct err e = ERR_INIT;
	auto_json json_t *bad = json_pack("{s:{s:s}, s:{}}", "requests", "memory", "much", "limits");
	assert_int_equal(resources_fill(bad, &policy, &e), -1);
	assert_string_equal(err_message(&e), "\"much\" is not a quantity of memory");
}

static void test_override(void **state)
{
	(void)state;
	/* The override's 2Gi request does not end beneath the task's own 1Gi limit. */
	check(ENTRIES({ "request", "memory", "512Mi" }, { "limit", "memory", "1Gi" }, { "request", "cpu", "1" }),
	      ENTRIES({ "request", "memory", "2Gi" }),
	      "{\"limits\":{\"memory\":\"2Gi\"},\"requests\":{\"cpu\":\"1\",\"memory\":\"2Gi\"}}");
	check(ENTRIES({ "request", "memory", "512Mi" }), ENTRIES({ "request", "cpu", "250m" }, { "limit", "cpu", "1" }),
	      "{\"limits\":{\"cpu\":\"1\",\"memory\":\"512Mi\"},\"requests\":{\"cpu\":\"250m\",\"memory\":\"512Mi\"}}");
}

static void test_bad_entry(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	assert_null(resources_to_json(make(&arena, ENTRIES({ "limit", "memory", "lots" })), &e));
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_id(&e), "BadTaskSpecification");
	assert_string_equal(err_message(&e), "\"lots\" is not a quantity of memory");
	assert_null(resources_to_json(make(&arena, ENTRIES({ "request", "cpu", "-1" })), &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical), cmocka_unit_test(test_malformed), cmocka_unit_test(test_compare),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_limits_of_the_platform),      cmocka_unit_test(test_override),  cmocka_unit_test(test_bad_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
