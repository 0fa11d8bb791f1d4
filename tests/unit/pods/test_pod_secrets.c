/* Secrets that a task asks for, as files and variables of its pod. */
#include "pod_fixture.h"

static void test_secret_files(void **state)
{
	struct fixture *fixture = *state;
	add_secret(fixture, "User-Info", "Name", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	add_secret(fixture, "User-Info", "Mail", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ANY, "MAIL_FILE");
	auto_json json_t *pod = build(fixture);
	const json_t *container = container_of(pod, "spec/containers", 0);
	auto_free char *volumes = json_dumps(json_lookup(pod, "spec/volumes"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(volumes,
	                    "[{\"name\":\"flyte-secret-0\",\"secret\":{\"items\":[{\"key\":\"Name\",\"path\":\"name\"},"
	                    "{\"key\":\"Mail\",\"path\":\"mail\"}],\"optional\":true,\"secretName\":\"User-Info\"}}]");
	auto_free char *mounts = json_dumps(json_object_get(container, "volumeMounts"), JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(
	        mounts,
	        "[{\"mountPath\":\"/etc/flyte/secrets/user-info\",\"name\":\"flyte-secret-0\",\"readOnly\":true}]");
	assert_string_equal(variable(container, "FLYTE_SECRETS_DEFAULT_DIR"), "/etc/flyte/secrets");
	assert_string_equal(variable(container, "FLYTE_SECRETS_FILE_PREFIX"), "");
	assert_string_equal(variable(container, "MAIL_FILE"), "/etc/flyte/secrets/user-info/mail");
	assert_text(pod, "metadata/labels/inject-flyte-secrets", "true");
}

static void test_secret_variables(void **state)
{
	struct fixture *fixture = *state;
	add_secret(fixture, "user-info", "name", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ENV_VAR, "MY_NAME");
	auto_json json_t *pod = build(fixture);
	const json_t *env = json_object_get(container_of(pod, "spec/containers", 0), "env");
	unsigned found = 0;
	for (size_t i = 0; i < json_array_size(env); i++) {
		const json_t *entry = json_array_get(env, i);
		const char *name = json_string_at(entry, "name", "");
		if (!text_equal(name, "_FSEC_USER-INFO_NAME") && !text_equal(name, "MY_NAME"))
			continue;
		assert_text(entry, "valueFrom/secretKeyRef/name", "user-info");
		assert_text(entry, "valueFrom/secretKeyRef/key", "name");
		assert_true(json_is_true(json_lookup(entry, "valueFrom/secretKeyRef/optional")));
		found++;
	}
	assert_int_equal(found, 2);
	assert_string_equal(variable(container_of(pod, "spec/containers", 0), "FLYTE_SECRETS_ENV_PREFIX"), "_FSEC_");
	assert_null(json_lookup(pod, "spec/volumes"));
	add_secret(fixture, "", "x", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	expect_refusal(fixture, "a secret needs a group and a key");
}

/* Secrets are for all containers of a pod, the volume is there once. */
static void test_secrets_of_a_pod_task(void **state)
{
	struct fixture *fixture = *state;
	use_pod_spec(fixture, "{\"initContainers\":[{\"name\":\"first\",\"image\":\"i\"}],"
	                      "\"containers\":[{\"name\":\"main\",\"image\":\"m\"}]}");
	add_secret(fixture, "g", "K", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE, "");
	auto_json json_t *pod = build(fixture);
	assert_json(json_lookup(pod, "spec/volumes"),
	            "[{\"name\":\"flyte-secret-0\",\"secret\":{\"secretName\":\"g\",\"optional\":true,"
	            "\"items\":[{\"key\":\"K\",\"path\":\"k\"}]}}]");
	static const char mounts[] =
	        "[{\"name\":\"flyte-secret-0\",\"mountPath\":\"/etc/flyte/secrets/g\",\"readOnly\":true}]";
	assert_json(json_object_get(container_of(pod, "spec/containers", 0), "volumeMounts"), mounts);
	assert_json(json_object_get(container_of(pod, "spec/initContainers", 0), "volumeMounts"), mounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_secret_files),
		TEST(test_secret_variables),
		TEST(test_secrets_of_a_pod_task),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
