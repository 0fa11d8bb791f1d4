/* Templates of Kubernetes objects: whose value wins, and what no value may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "controlplane/cluster/resource_template.h"

#include <string.h>

#define HEAD "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n"

static json_t *render(const char *text, const struct resource_values *values, struct err *e)
{
	return resource_template_render(text, strlen(text), "file.yaml", values, e);
}

static void expect(const char *text, const struct resource_values *values, const char *expected)
{
	auto_err struct err e = ERR_INIT;
	auto_json json_t *object = render(text, values, &e);
	if (!object)
		fail_msg("%s: %s", text, err_message(&e));
	auto_free char *json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(json, expected);
}

static void refuse(const char *text, const struct resource_values *values, const char *message)
{
	auto_err struct err e = ERR_INIT;
	assert_null(render(text, values, &e));
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_message(&e), message);
}

static const struct resource_values plain = { .namespace = "p-d", .project = "p", .domain = "d" };

static void test_whose_value(void **state)
{
	(void)state;
	auto_json json_t *first = json_pack("{s:s, s:s}", "a", "of attributes", "namespace", "kube-system");
	auto_json json_t *second = json_pack("{s:s, s:s}", "a", "of the domain", "b", "of the domain");
	auto_json json_t *third = json_pack("{s:s, s:s}", "b", "of everybody", "c", "12");
	const struct resource_values values = { .namespace = "p-d",
		                                .project = "p",
		                                .domain = "d",
		                                .maps = { first, second, third } };
	expect(HEAD "  namespace: {{ namespace }}\ndata:\n  a: {{a}}\n  b: \"{{  b }}\"\n  c: '{{ c }}'\n  d: {{ project }}/{{ domain }}\n",
	       &values,
	       "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"of attributes\",\"b\":\"of the domain\",\"c\":\"12\",\"d\":\"p/d\"},"
	       "\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":\"p-d\"}}");
}

static void test_yaml_with_braces(void **state)
{
	(void)state;
	expect(HEAD "data: {a: {b: {}}}\n", &plain,
	       "{\"apiVersion\":\"v1\",\"data\":{\"a\":{\"b\":{}}},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}");
}

static void test_refusals(void **state)
{
	(void)state;
	refuse(HEAD "data: {{ quota }}\n", &plain, "file.yaml: there is no value for '{{ quota }}'");
	refuse("kind: Namespace\n", &plain, "file.yaml is no object of Kubernetes: it has no apiVersion");
	refuse("[]", &plain, "file.yaml is no object of Kubernetes: it has no apiVersion");
	refuse("apiVersion: v1\nkind: Namespace\n", &plain, "file.yaml is no object of Kubernetes: it has no metadata/name");
	refuse(HEAD "  namespace: default\n", &plain, "file.yaml is for the namespace \"default\" instead of \"p-d\"");
	refuse("a: b: c", &plain, "file.yaml is not valid YAML: line 1, column 5: mapping values are not allowed in this context");
}

static void test_values_stay_values(void **state)
{
	(void)state;
	static const char *const bad[] = { "a\nb: c", "a: b", "a, b", "{a", "[a", "a #b", "'a", "\"a", "*a", "&a", "!a", "- a",
		                           "? a", "a:", " a", "a ", "|", "a\tb", "" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		auto_json json_t *map = json_pack("{s:s}", "v", bad[i]);
		const struct resource_values values = { .namespace = "p-d", .project = "p", .domain = "d", .maps = { map } };
		refuse(HEAD "data: {a: {{ v }}}\n", &values,
		       "file.yaml: the value of '{{ v }}' must be plain text: letters, digits and /.+-_:@%=~");
	}
	static const char *const good[] = { "5", "4000Mi", "500m", "arn:aws:iam::1:role/x", "a@b.c", "true", "two words", "1.5" };
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
		auto_json json_t *map = json_pack("{s:s}", "v", good[i]);
		auto_err struct err e = ERR_INIT;
		const struct resource_values values = { .namespace = "p-d", .project = "p", .domain = "d", .maps = { map } };
		auto_json json_t *object = render(HEAD "data: {a: '{{ v }}', b: [{{ v }}]}\n", &values, &e);
		if (!object)
			fail_msg("%s: %s", good[i], err_message(&e));
		assert_string_equal(json_string_at(object, "data/a", ""), good[i]);
		assert_int_equal(json_array_size(json_lookup(object, "data/b")), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_value),
		cmocka_unit_test(test_yaml_with_braces),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_values_stay_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
