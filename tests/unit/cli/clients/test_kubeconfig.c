/* The merge into the user's kubeconfig: other entries and comments stay byte by byte, values are right in any layout.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/yaml.h"
#include "cli/clients/kubeconfig.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char inside[] =
        "clusters:\n- cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data: QQ==}\n  name: default\n"
        "users:\n- name: default\n  user: {client-key-data: Qg==}\ncurrent-context: default\n";

static json_t *ours(const char *server)
{
	auto_json json_t *document = yaml_parse(inside, strlen(inside), "inside", NULL);
	json_t *result = kubeconfig_for_instance(document, "flyte-sandbox", server, NULL);
	assert_non_null(result);
	return result;
}

static char *merge(const char *text, const char *server, bool make_current)
{
	auto_json json_t *entries = ours(server);
	auto_err struct err e = ERR_INIT;
	char *result = NULL;
	if (kubeconfig_merge_text(text, strlen(text), "test", entries, make_current, &result, &e) < 0)
		fail_msg("%s", err_message(&e));
	return result;
}

static char *removed(const char *text)
{
	auto_err struct err e = ERR_INIT;
	char *result = NULL;
	if (kubeconfig_remove_text(text, strlen(text), "test", "flyte-sandbox", &result, &e) < 0)
		fail_msg("%s", err_message(&e));
	return result;
}

static const char hand_made[] = "# my clusters\n"
                                "apiVersion: v1\n"
                                "kind: Config\n"
                                "clusters:\n"
                                "- cluster:\n"
                                "    server: https://prod:6443   # careful\n"
                                "  name: prod\n"
                                "\n"
                                "# the people\n"
                                "contexts:\n"
                                "- name: prod\n"
                                "  context: {cluster: prod, user: me}\n"
                                "current-context: prod\n"
                                "users:\n"
                                "- name: me\n"
                                "  user:\n"
                                "    token: 'a: b'\n"
                                "preferences: {}\n";

#define OUR_CLUSTER                                                                                                    \
	"- name: flyte-sandbox\n"                                                                                      \
	"  cluster:\n"                                                                                                 \
	"    server: https://127.0.0.1:6443\n"                                                                         \
	"    certificate-authority-data: QQ==\n"

static void test_hand_made(void **state)
{
	(void)state;
	auto_free char *merged = merge(hand_made, "https://127.0.0.1:6443", true);
	assert_string_equal(merged, "# my clusters\n"
	                            "apiVersion: v1\n"
	                            "kind: Config\n"
	                            "clusters:\n"
	                            "- cluster:\n"
	                            "    server: https://prod:6443   # careful\n"
	                            "  name: prod\n" OUR_CLUSTER "\n"
	                            "# the people\n"
	                            "contexts:\n"
	                            "- name: prod\n"
	                            "  context: {cluster: prod, user: me}\n"
	                            "- name: flyte-sandbox\n"
	                            "  context:\n"
	                            "    cluster: flyte-sandbox\n"
	                            "    namespace: flyte\n"
	                            "    user: flyte-sandbox\n"
	                            "current-context: flyte-sandbox\n"
	                            "users:\n"
	                            "- name: me\n"
	                            "  user:\n"
	                            "    token: 'a: b'\n"
	                            "- name: flyte-sandbox\n"
	                            "  user:\n"
	                            "    client-key-data: Qg==\n"
	                            "preferences: {}\n");
	/* Again it changes nothing; another port changes one line; removal gives the file back, but for the current
	 * context. */
	auto_free char *again = merge(merged, "https://127.0.0.1:6443", true);
	assert_string_equal(again, merged);
	auto_free char *moved = merge(merged, "https://127.0.0.1:7000", true);
	assert_int_equal(strlen(moved), strlen(merged));
	assert_non_null(strstr(moved, "server: https://127.0.0.1:7000\n"));
	auto_free char *back = removed(moved);
	const char *current = strstr(hand_made, "current-context: prod");
	auto_free char *expected = xasprintf("%.*scurrent-context: \"\"%s", (int)(current - hand_made), hand_made,
	                                     current + strlen("current-context: prod"));
	assert_string_equal(back, expected);
}

static void test_current_context(void **state)
{
	(void)state;
	auto_free char *kept = merge(hand_made, "https://127.0.0.1:6443", false);
	assert_non_null(strstr(kept, "current-context: prod\n"));
	auto_free char *back = removed(kept);
	assert_string_equal(back, hand_made);
	auto_free char *unset = merge("apiVersion: v1\ncurrent-context: \"\"\n", "https://x", false);
	assert_non_null(strstr(unset, "current-context: flyte-sandbox\n"));
}

static json_t *load(const char *text)
{
	json_t *document = yaml_parse(text, strlen(text), "result", NULL);
	assert_non_null(document);
	return document;
}

/* Any layout: the three entries are there once, what was there stays, and removal restores the values. */
static void test_layouts(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"# only a comment\n",
		"apiVersion: v1\n",
		"{\"apiVersion\":\"v1\",\"clusters\":[{\"name\":\"a\",\"cluster\":{}}],\"users\":[],\"contexts\":null}",
		"clusters: []\ncontexts: []\nusers: []\n",
		"clusters:\ncontexts:\nusers:\n",
		"clusters: [{name: a, cluster: {}}]\n",
		"users:\n    - name: a\n      user: {}\n    -\n      name: b\n      user: {}\n",
		"clusters:\n- name: &n a\n  cluster: {}\nusers:\n- name: *n\n  user: {}\n",
		"current-context: a",
		"clusters:\n- name: a\n  cluster:\n    note: |\n      text\n      # no comment\n\n# end\n",
		"---\nclusters:\n- name: a\n  cluster: {}\n...\n",
		"clusters:\r\n- name: a\r\n  cluster: {}\r\n",
		"clusters: # here\n# between\n- name: a # x\n  cluster: {}\n  # inside\nusers: null\n",
		"\"clusters\":\n  - {name: a, cluster: {}}\n",
		"current-context:\n  a\nusers:\n- name: flyte-sandbox\n  user: {token: old}\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_free char *merged = merge(texts[i], "https://127.0.0.1:1", true);
		auto_json json_t *before = load(texts[i]);
		auto_json json_t *after = load(merged);
		assert_string_equal(json_string_at(after, "current-context", ""), "flyte-sandbox");
		static const char *const lists[] = { "clusters", "contexts", "users" };
		for (size_t j = 0; j < 3; j++) {
			json_t *list = json_object_get(after, lists[j]);
			size_t found = 0;
			for (size_t k = 0; k < json_array_size(list); k++)
				found += strcmp(json_string_at(json_array_get(list, k), "name", ""), "flyte-sandbox") ==
				         0;
			assert_int_equal(found, 1);
			for (size_t k = 0; k < json_array_size(json_object_get(before, lists[j])); k++) {
				json_t *entry = json_array_get(json_object_get(before, lists[j]), k);
				if (strcmp(json_string_at(entry, "name", ""), "flyte-sandbox") != 0 &&
				    !json_equal(entry, json_array_get(list, k)))
					fail_msg("layout %zu: an entry of %s has changed:\n%s", i, lists[j], merged);
			}
		}
		auto_free char *back = removed(merged);
		auto_json json_t *last = load(back);
		assert_string_equal(json_string_at(last, "current-context", ""), "");
		assert_null(strstr(back, "flyte-sandbox"));
	}
}

static void test_not_a_kubeconfig(void **state)
{
	(void)state;
	static const char *const texts[] = { "a: [", "- a\n", "text", "a: 1\na: 2\n" };
	auto_json json_t *entries = ours("https://x");
	for (size_t i = 0; i < 4; i++) {
		char *result = NULL;
		auto_err struct err e = ERR_INIT;
		assert_int_equal(kubeconfig_merge_text(texts[i], strlen(texts[i]), "test", entries, true, &result, &e),
		                 -1);
		assert_string_equal(err_id(&e), "malformed-yaml");
		assert_null(result);
	}
}

static void test_file(void **state)
{
	(void)state;
	char directory[] = "/tmp/test-kubeconfig-XXXXXX";
	assert_non_null(mkdtemp(directory));
	auto_free char *path = xasprintf("%s/sub/config", directory);
	auto_free char *target = xasprintf("%s/real", directory);
	auto_free char *lock = xasprintf("%s.lock", path);
	auto_free char *folder = xasprintf("%s/sub", directory);
	auto_json json_t *entries = ours("https://x");
	auto_err struct err e = ERR_INIT;
	struct stat status;
	assert_int_equal(kubeconfig_remove(path, "flyte-sandbox", &e), 0);
	assert_int_equal(kubeconfig_merge(path, entries, true, &e), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(access(lock, F_OK), -1);
	/* A symlink stays one, and the file's mode too. */
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(chmod(target, 0640), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(kubeconfig_remove(path, "flyte-sandbox", &e), 0);
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(stat(target, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	/* A lock that stays taken. */
	int fd = open(lock, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(kubeconfig_merge(path, entries, true, &e), -1);
	assert_string_equal(err_id(&e), "kubeconfig-locked");
	assert_non_null(strstr(e.hint, ".lock"));
	unlink(lock);
	unlink(path);
	unlink(target);
	rmdir(folder);
	rmdir(directory);
}

static void test_path(void **state)
{
	(void)state;
	setenv("HOME", "/home/u", 1);
	setenv("KUBECONFIG", ":/a/b:/c", 1);
	auto_free char *first = kubeconfig_path(NULL);
	assert_string_equal(first, "/a/b");
	unsetenv("KUBECONFIG");
	auto_free char *usual = kubeconfig_path(NULL);
	assert_string_equal(usual, "/home/u/.kube/config");
	unsetenv("HOME");
	auto_err struct err e = ERR_INIT;
	assert_null(kubeconfig_path(&e));
	assert_string_equal(err_id(&e), "no-home");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_made), cmocka_unit_test(test_current_context),
		cmocka_unit_test(test_layouts),   cmocka_unit_test(test_not_a_kubeconfig),
		cmocka_unit_test(test_file),      cmocka_unit_test(test_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
