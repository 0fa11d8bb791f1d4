/* The Kubernetes client against a scripted API server that cuts its answers at random places. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "controlplane/store/kubeconfig.h"
#include "controlplane/store/kubernetes.h"
#include "script_server.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PODS "/api/v1/pods"
#define WAIT_MS INT64_C(20000)

static char directory[] = "/tmp/test-kubernetes-XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const names[] = { "config", "token" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		auto_free char *path = file_join(directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static char *write_file(const char *name, const char *text)
{
	char *path = file_join(directory, name);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	return path;
}

static struct kubernetes *client_of(struct script_server *server)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *text = xasprintf(
	        "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
	        "clusters: [{name: k, cluster: {server: '%s/'}}]\nusers: [{name: u, user: {token: secret}}]\n",
	        script_server_url(server));
	auto_free char *path = write_file("config", text);
	struct kubernetes *k = NULL;
	if (kubernetes_open(path, &k, &e) < 0)
		fail_msg("%s", err_message(&e));
	return k;
}

static void test_requests(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 201, .body = "{\"metadata\":{\"uid\":\"1\"}}", .chunked = true },
		{ .status = 200, .body = "{\"kind\":\"Pod\"}" },
		{ .status = 200, .body = "{}" },
		{ .status = 200, .body = "{}" },
		{ .status = 200, .body = "{}" },
		{ .status = 200, .body = "{}" },
	};
	struct script_server *server = script_server_start(answers, 6, 7);
	struct kubernetes *k = client_of(server);
	auto_err struct err e = ERR_INIT;
	auto_json json_t *pod = json_pack("{s:s}", "kind", "Pod"), *created = NULL, *got = NULL;
	assert_int_equal(kubernetes_create(k, "/api/v1/namespaces/a/pods", pod, &created, &e), 0);
	assert_string_equal(json_string_at(created, "metadata/uid", ""), "1");
	const char *request = script_server_request(server, 0);
	assert_true(text_starts_with(request, "POST /api/v1/namespaces/a/pods HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nAuthorization: Bearer secret\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
	assert_true(text_ends_with(request, "\r\n\r\n{\"kind\":\"Pod\"}"));
	assert_int_equal(kubernetes_get(k, "/api/v1/namespaces/a/pods/p", &got, &e), 0);
	assert_string_equal(json_string_at(got, "kind", ""), "Pod");
	assert_int_equal(kubernetes_apply(k, "/api/v1/namespaces/a", pod, &e), 0);
	request = script_server_request(server, 2);
	assert_true(text_starts_with(request, "PATCH /api/v1/namespaces/a?fieldManager=flyte&force=true HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/apply-patch+yaml\r\n"));
	assert_int_equal(kubernetes_delete(k, "/api/v1/namespaces/a/pods/p", 0, &e), 0);
	assert_true(text_starts_with(script_server_request(server, 3),
	                             "DELETE /api/v1/namespaces/a/pods/p?gracePeriodSeconds=0 HTTP/1.1\r\n"));
	assert_int_equal(kubernetes_delete(k, "/api/v1/namespaces/a/pods/p", -1, &e), 0);
	assert_true(
	        text_starts_with(script_server_request(server, 4), "DELETE /api/v1/namespaces/a/pods/p HTTP/1.1\r\n"));
	assert_int_equal(kubernetes_delete_version(k, "/api/v1/namespaces/a/pods/p", 7, "12", &e), 0);
	request = script_server_request(server, 5);
	assert_true(text_starts_with(request, "DELETE /api/v1/namespaces/a/pods/p HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\"preconditions\":{\"resourceVersion\":\"12\"},\"gracePeriodSeconds\":7}"));
	kubernetes_free(k);
	script_server_stop(server);
}

static void test_errors(void **state)
{
	(void)state;
#define STATUS(reason, message) "{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
	static const struct {
		struct script_answer answer;
		enum err_kind kind;
		const char *id;
		const char *message;
	} rows[] = {
		{ { .status = 400, .body = STATUS("BadRequest", "bad") }, ERR_INVALID, "kubernetes-invalid", "bad" },
		{ { .status = 401, .body = STATUS("Unauthorized", "who") },
		  ERR_UNAUTHENTICATED,
		  "kubernetes-unauthorized",
		  "who" },
		{ { .status = 403, .body = STATUS("Forbidden", "may not") },
		  ERR_PERMISSION,
		  "kubernetes-forbidden",
		  "may not" },
		{ { .status = 403, .body = STATUS("Forbidden", "pods p is forbidden: exceeded quota: q") },
		  ERR_EXHAUSTED,
		  "quota-exceeded",
		  "pods p is forbidden: exceeded quota: q" },
		{ { .status = 404, .body = STATUS("NotFound", "none") },
		  ERR_NOT_FOUND,
		  "kubernetes-not-found",
		  "none" },
		{ { .status = 409, .body = STATUS("AlreadyExists", "there") },
		  ERR_EXISTS,
		  "kubernetes-exists",
		  "there" },
		{ { .status = 409, .body = STATUS("Conflict", "newer") },
		  ERR_CONFLICT,
		  "kubernetes-conflict",
		  "newer" },
		{ { .status = 422, .body = STATUS("Invalid", "spec") }, ERR_INVALID, "kubernetes-invalid", "spec" },
		{ { .status = 429, .body = STATUS("TooManyRequests", "slow") },
		  ERR_UNAVAILABLE,
		  "kubernetes-unavailable",
		  "slow" },
		{ { .status = 500, .body = STATUS("InternalError", "oops") },
		  ERR_UNAVAILABLE,
		  "kubernetes-unavailable",
		  "oops" },
		{ { .status = 503, .body = "not JSON" },
		  ERR_UNAVAILABLE,
		  "kubernetes-unavailable",
		  "the Kubernetes API answered with status 503" },
		{ { .status = 200, .body = "not JSON" }, ERR_INTERNAL, "kubernetes-answer", NULL },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct script_server *server = script_server_start(&rows[i].answer, 1, (unsigned)i);
		struct kubernetes *k = client_of(server);
		auto_err struct err e = ERR_INIT;
		json_t *object = NULL;
		assert_int_equal(kubernetes_get(k, "/x", &object, &e), -1);
		assert_null(object);
		assert_int_equal(e.kind, rows[i].kind);
		assert_string_equal(err_id(&e), rows[i].id);
		if (rows[i].message)
			assert_string_equal(err_message(&e), rows[i].message);
		kubernetes_free(k);
		script_server_stop(server);
	}
}

/* What a watch reported, as one line: "+a" added, "~a" modified, "-a" deleted, "=" synchronised, "!id" a problem. */
struct seen {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	char text[1024];
	struct kubernetes_watch *watch;
	pthread_t thread;
};

static void add_seen(struct seen *seen, const char *mark, const char *name)
{
	pthread_mutex_lock(&seen->mutex);
	size_t length = strlen(seen->text);
	snprintf(seen->text + length, sizeof(seen->text) - length, "%s%s%s", length ? " " : "", mark, name);
	pthread_cond_broadcast(&seen->changed);
	pthread_mutex_unlock(&seen->mutex);
}

static void on_event(void *context, enum kubernetes_event event, const json_t *object)
{
	static const char *const marks[] = { [KUBERNETES_ADDED] = "+",
		                             [KUBERNETES_MODIFIED] = "~",
		                             [KUBERNETES_DELETED] = "-",
		                             [KUBERNETES_SYNCED] = "=" };
	add_seen(context, marks[event], json_string_at(object, "metadata/name", ""));
}

static void on_problem(void *context, const struct err *problem)
{
	add_seen(context, "!", err_id(problem));
}

static void *run_watch(void *context)
{
	struct seen *seen = context;
	kubernetes_watch_run(seen->watch, on_event, seen);
	return NULL;
}

static void wait_for(struct seen *seen, const char *expected)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&seen->mutex);
	int outcome = 0;
	while (!text_equal(seen->text, expected) && outcome != ETIMEDOUT)
		outcome = pthread_cond_timedwait(&seen->changed, &seen->mutex, &until);
	pthread_mutex_unlock(&seen->mutex);
	assert_string_equal(seen->text, expected);
}

#define USUAL_MS INT64_C(-1)

static void start_watch(struct seen *seen, struct kubernetes *k, const char *selector, int64_t relist_ms)
{
	*seen = (struct seen){ .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	seen->watch = kubernetes_watch_new(k, PODS, selector);
	if (relist_ms != USUAL_MS)
		kubernetes_watch_relist_after(seen->watch, relist_ms);
	kubernetes_watch_on_problem(seen->watch, on_problem, seen);
	assert_int_equal(pthread_create(&seen->thread, NULL, run_watch, seen), 0);
}

static void stop_watch(struct seen *seen)
{
	int64_t before = clock_monotonic_ms();
	kubernetes_watch_stop(seen->watch);
	pthread_join(seen->thread, NULL);
	assert_true(clock_monotonic_ms() - before < 2000);
	/* A complete list is something heard; problems alone are not. */
	if (strchr(seen->text, '='))
		assert_true(kubernetes_watch_heard_us(seen->watch) > 0);
	else
		assert_int_equal(kubernetes_watch_heard_us(seen->watch), 0);
	kubernetes_watch_free(seen->watch);
}

#define OBJECT(name, version) "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define LIST(items, version) "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define PAGE(items, version, token)                                                                                    \
	"{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, name, version) "{\"type\":\"" type "\",\"object\":" OBJECT(name, version) "}\n"
#define GONE_EVENT                                                                                                     \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too "   \
	"old\"}}\n"

static void expect_request(struct script_server *server, size_t index, const char *line)
{
	const char *request = script_server_request(server, index);
	if (!text_starts_with(request, line))
		fail_msg("request %zu is %.200s, not %s", index, request, line);
}

#define STREAM(version)                                                                                                \
	"GET " PODS "?watch=1&allowWatchBookmarks=true&timeoutSeconds=290&resourceVersion=" version                    \
	"&labelSelector=a%3Db HTTP/1.1\r\n"
#define LIST_REQUEST "GET " PODS "?limit=100&labelSelector=a%3Db HTTP/1.1\r\n"

/* Pages, every kind of event, a stream that ends and is continued, one that expires, one that breaks within a line;
 * many boundaries. */
static void test_watch(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 200, .body = PAGE(OBJECT("a", "1") "," OBJECT("b", "2"), "10", "to/ken"), .chunked = true },
		{ .status = 200, .body = LIST(OBJECT("c", "3"), "10") },
		{ .status = 200,
		  .chunked = true,
		  .body = EVENT("MODIFIED", "a", "11") EVENT("ADDED", "d", "12") EVENT("DELETED", "b", "13")
		          EVENT("BOOKMARK", "", "20") },
		{ .status = 200, .chunked = true, .body = EVENT("MODIFIED", "c", "21") GONE_EVENT },
		{ .status = 200, .body = LIST(OBJECT("a", "11"), "30") },
		{ .status = 200,
		  .chunked = true,
		  .cut = true,
		  .body = EVENT("MODIFIED", "a", "31") "{\"type\":\"MODIFIED\",\"obj" },
		{ .status = 200, .chunked = true, .hold = true, .body = EVENT("MODIFIED", "e", "32") },
	};
	for (unsigned seed = 0; seed < 25; seed++) {
		struct script_server *server = script_server_start(answers, ARRAY_LENGTH(answers), seed);
		struct kubernetes *k = client_of(server);
		struct seen seen;
		start_watch(&seen, k, "a=b", USUAL_MS);
		wait_for(&seen, "+a +b +c = ~a +d -b ~c +a = ~a !connection-failed ~e");
		stop_watch(&seen);
		expect_request(server, 0, LIST_REQUEST);
		expect_request(server, 1, "GET " PODS "?limit=100&labelSelector=a%3Db&continue=to%2Fken HTTP/1.1\r\n");
		expect_request(server, 2, STREAM("10"));
		expect_request(server, 3, STREAM("20"));
		expect_request(server, 4, LIST_REQUEST);
		expect_request(server, 5, STREAM("30"));
		expect_request(server, 6, STREAM("31"));
		kubernetes_free(k);
		script_server_stop(server);
	}
}

/* 410 as a status; a list that fails half-way starts anew and is not taken for complete. */
static void test_watch_starts_anew(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 503, .body = "{}" },
		{ .status = 200, .body = PAGE(OBJECT("a", "1"), "10", "t") },
		{ .status = 503, .body = "{}" },
		{ .status = 200, .body = LIST(OBJECT("a", "1"), "10") },
		{ .status = 410, .body = "{\"message\":\"too old\"}" },
		{ .status = 200, .body = LIST("", "40") },
		{ .status = 200, .chunked = true, .hold = true },
	};
	struct script_server *server = script_server_start(answers, ARRAY_LENGTH(answers), 1);
	struct kubernetes *k = client_of(server);
	struct seen seen;
	start_watch(&seen, k, NULL, USUAL_MS);
	wait_for(&seen, "!kubernetes-unavailable +a !kubernetes-unavailable +a = =");
	stop_watch(&seen);
	kubernetes_free(k);
	script_server_stop(server);
}

/* A stream that ends when a list is due again is followed by one: here b went, and no event told. */
static void test_watch_lists_again(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 200, .body = LIST(OBJECT("a", "1") "," OBJECT("b", "2"), "10") },
		{ .status = 200, .chunked = true, .body = EVENT("MODIFIED", "a", "11") },
		{ .status = 200, .body = LIST(OBJECT("a", "11"), "20") },
		{ .status = 200, .chunked = true, .hold = true },
	};
	struct script_server *server = script_server_start(answers, ARRAY_LENGTH(answers), 1);
	struct kubernetes *k = client_of(server);
	struct seen seen;
	start_watch(&seen, k, "a=b", 0);
	wait_for(&seen, "+a +b = ~a +a =");
	stop_watch(&seen);
	expect_request(server, 2, LIST_REQUEST);
	kubernetes_free(k);
	script_server_stop(server);
}

/* Stopping ends the pause between two tries at once, however long it has become. */
static void test_stop_while_waiting(void **state)
{
	(void)state;
	struct script_server *server = script_server_start(NULL, 0, 1);
	struct kubernetes *k = client_of(server);
	script_server_stop(server);
	struct seen seen;
	start_watch(&seen, k, NULL, USUAL_MS);
	wait_for(&seen, "!connect-failed !connect-failed !connect-failed !connect-failed");
	stop_watch(&seen);
	kubernetes_free(k);
}

static void test_kubeconfig(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_free char *token = write_file("token", "from-file\n");
	auto_free char *path = write_file(
	        "config",
	        "apiVersion: v1\nkind: Config\ncurrent-context: two\n"
	        "contexts:\n- name: one\n  context: {cluster: one, user: one}\n"
	        "- name: two\n  context:\n    cluster: two\n    user: two\n    namespace: flyte\n"
	        "clusters:\n- name: one\n  cluster: {server: 'https://one:1'}\n"
	        "- name: two\n  cluster:\n    server: https://127.0.0.1:6443/\n"
	        "    certificate-authority-data: Q0EK\n"
	        "users:\n- name: two\n  user:\n    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n"
	        "    tokenFile: token\n");
	struct kubeconfig config = { 0 };
	if (kubeconfig_read(path, &config, &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_string_equal(config.server, "https://127.0.0.1:6443");
	assert_string_equal(config.ca_pem, "CA\n");
	assert_string_equal(config.client_cert_pem, "CERT");
	assert_string_equal(config.client_key_pem, "KEY");
	assert_string_equal(config.token_file, token);
	assert_null(config.token);
	kubeconfig_release(&config);
}

static void test_bad_kubeconfigs(void **state)
{
	(void)state;
#define CONTEXT "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
	static const struct {
		const char *text;
		enum err_kind kind;
		const char *message;
	} rows[] = {
		{ "", ERR_INVALID, "there is no current context" },
		{ "a: [", ERR_INVALID, "is not valid YAML: line 2, column 1" },
		{ CONTEXT, ERR_INVALID, "there is no cluster \"k\"" },
		{ CONTEXT "clusters: [{name: k, cluster: {server: 'https://x'}}]", ERR_INVALID,
		  "there is no user \"u\"" },
		{ CONTEXT "clusters: [{name: k, cluster: {}}]\nusers: [{name: u, user: {}}]", ERR_INVALID,
		  "no \"server\" URL" },
		{ CONTEXT "clusters: [{name: k, cluster: {server: 'https://x', insecure-skip-tls-verify: "
		          "true}}]\nusers: [{name: u, user: {}}]",
		  ERR_UNSUPPORTED, "\"insecure-skip-tls-verify\" is not supported" },
		{ CONTEXT "clusters: [{name: k, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {exec: "
		          "{command: x}}}]",
		  ERR_UNSUPPORTED, "\"exec\" is not supported" },
		{ CONTEXT "clusters: [{name: k, cluster: {server: 'https://x', certificate-authority-data: "
		          "'*'}}]\nusers: [{name: u, user: {}}]",
		  ERR_INVALID, "not valid Base64" },
		{ CONTEXT "clusters: [{name: k, cluster: {server: 'https://x', certificate-authority: "
		          "none.pem}}]\nusers: [{name: u, user: {}}]",
		  ERR_NOT_FOUND, "none.pem" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_err struct err e = ERR_INIT;
		auto_free char *path = write_file("config", rows[i].text);
		struct kubernetes *k = NULL;
		assert_int_equal(kubernetes_open(path, &k, &e), -1);
		assert_int_equal(e.kind, rows[i].kind);
		if (!strstr(err_message(&e), rows[i].message))
			fail_msg("\"%s\" does not say \"%s\"", err_message(&e), rows[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_starts_anew),
		cmocka_unit_test(test_watch_lists_again),
		cmocka_unit_test(test_stop_while_waiting),
		cmocka_unit_test(test_kubeconfig),
		cmocka_unit_test(test_bad_kubeconfigs),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
