/* The container's specification: least privilege, and a hash that changes with what matters. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "cli/instance/spec.h"

#include <string.h>

static char name[] = "flyte-sandbox";
static const struct instance_names instance = { .name = name };
static const struct ports ports = { .host_port = { 30080, 6443, 30001, 30002 },
	                            .address = "127.0.0.1",
	                            .host = "localhost" };
static const struct spec base = { .instance = &instance, .image = "image:1", .ports = &ports, .api_minor = 41 };

static const char *hash(const json_t *body)
{
	return json_string_value(json_object_get(json_lookup(body, "Labels"), SPEC_LABEL));
}

static bool has(const json_t *list, const char *text)
{
	size_t i;
	json_t *entry;
	json_array_foreach(list, i, entry)
	{
		if (text_equal(json_string_value(entry), text))
			return true;
	}
	return false;
}

static void test_least_privilege(void **state)
{
	(void)state;
	auto_json json_t *body = spec_build(&base);
	const json_t *host = json_lookup(body, "HostConfig");
	assert_null(json_object_get(host, "Privileged"));
	assert_true(has(json_object_get(host, "CapDrop"), "ALL"));
	const json_t *capabilities = json_object_get(host, "CapAdd");
	assert_true(has(capabilities, "SYS_ADMIN") && has(capabilities, "NET_ADMIN") &&
	            has(capabilities, "SYS_RESOURCE"));
	assert_false(has(capabilities, "SYS_MODULE") || has(capabilities, "SYS_BOOT") || has(capabilities, "SYS_TIME"));
	assert_string_equal(json_string_at(host, "CgroupnsMode", ""), "private");
	assert_true(json_is_array(json_object_get(host, "MaskedPaths")));
	assert_false(json_boolean_at(host, "Init", true));
	const json_t *binding = json_array_get(json_object_get(json_object_get(host, "PortBindings"), "5432/tcp"), 0);
	assert_string_equal(json_string_at(binding, "HostIp", ""), "127.0.0.1");
	assert_string_equal(json_string_at(binding, "HostPort", ""), "30001");
	assert_true(has(json_object_get(body, "Env"), "FLYTE_S3_PUBLIC_ENDPOINT=http://localhost:30002"));
}

static void test_missing_capability(void **state)
{
	(void)state;
	struct spec spec = base;
	spec.missing_capabilities = UINT64_C(1) << 24; /* CAP_SYS_RESOURCE of linux/capability.h */
	auto_json json_t *body = spec_build(&spec);
	const json_t *capabilities = json_lookup(body, "HostConfig/CapAdd");
	assert_false(has(capabilities, "SYS_RESOURCE"));
	assert_true(has(capabilities, "SYS_ADMIN") && has(capabilities, "MKNOD"));
}

static void test_hash(void **state)
{
	(void)state;
	auto_json json_t *one = spec_build(&base);
	auto_json json_t *same = spec_build(&base);
	assert_string_equal(hash(one), hash(same));
	struct spec spec = base;
	const char *pair = "A=b";
	const struct option_list environment = { &pair, 1 };
	spec.environment = &environment;
	auto_json json_t *other = spec_build(&spec);
	assert_string_not_equal(hash(one), hash(other));
	assert_true(has(json_object_get(other, "Env"), "A=b"));
	spec = base;
	spec.memory_bytes = INT64_C(1) << 30;
	auto_json json_t *limited = spec_build(&spec);
	assert_string_not_equal(hash(one), hash(limited));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_least_privilege),
		                            cmocka_unit_test(test_missing_capability), cmocka_unit_test(test_hash) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
