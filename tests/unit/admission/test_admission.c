/* What the webhook answers, and that it does so over HTTPS with its own certificate. */
#include "base/base64.h"
#include "base/http.h"
#include "base/text.h"
#include "controlplane/admission/admission.h"
#include "controlplane/admission/review.h"
#include "controlplane/admission/secret_annotation.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* group: "User-Info", key: "Name", mount_requirement: FILE, as Go's text marshaller writes it. */
#define AS_FILE "m4zg54lqhiqcevltmvzc1slomzxsectlmv3tuibcjzqw1zjcbjww54loorpxezlrovuxezlnmvxhioraizeuyrik"
/* group:"g"  key:"k" mount_requirement:ENV_VAR env_var:"X" */
#define AS_VARIABLE "m4zg54lqhirgoiraebvwk5j1ejvseidnn41w34c6ojsxc4ljojsw1zlooq4ektswl4lecuramvxhmx2wmfzduisyei"
/* colour: "red" */
#define UNKNOWN_FIELD "mnxwy22voi4caitsmvsce"

static void test_annotations(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	static const struct {
		const char *encoded, *group, *key, *env_var;
		int mount;
	} rows[] = {
		{ AS_FILE, "User-Info", "Name", "", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE },
		{ AS_VARIABLE, "g", "k", "X", FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ENV_VAR },
		/* Enums by number, other separators, other quotes. */
		{ "nnsxsoraejvselbam4zg54lqhiqcezzchmqg122vnz1f53tfof1ws3tfnvsw34b1eaza", "g", "k", "",
		  FLYTEIDL__CORE__SECRET__MOUNT_TYPE__FILE },
		{ "nnsxsoraejqvyitclrofymzqgnodenbulrxceidhojxxk3b1eatxcjy", "q", "a\"b\\\xc3\xa4\n", "", 0 },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_err struct err e = ERR_INIT;
		const Flyteidl__Core__Secret *secret = secret_annotation_read(&arena, rows[i].encoded, &e);
		if (!secret)
			fail_msg("row %zu: %s", i, err_message(&e));
		assert_string_equal(secret->group, rows[i].group);
		assert_string_equal(secret->key, rows[i].key);
		assert_string_equal(secret->env_var, rows[i].env_var);
		assert_int_equal(secret->mount_requirement, rows[i].mount);
	}
	static const char *const refused[] = {
		"A", "0", "nnsxsoraejvq", UNKNOWN_FIELD, "nnsxsibcnmra", "nvxxk2tul4zgk3lvnfzgk2lfnz1duicmj4kui"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
		auto_err struct err e = ERR_INIT;
		if (secret_annotation_read(&arena, refused[i], &e))
			fail_msg("\"%s\" was accepted", refused[i]);
		assert_int_equal(e.kind, ERR_INVALID);
	}
}

static json_t *review_with(json_t *annotations)
{
	return json_pack("{s:s, s:s, s:{s:s, s:{s:{s:o}, s:{s:[{s:s, s:s}], s:[{s:s}]}}}}", "apiVersion",
	                 "admission.k8s.io/v1", "kind", "AdmissionReview", "request", "uid", "u1", "object", "metadata",
	                 "annotations", annotations, "spec", "containers", "name", "main", "image", "i",
	                 "initContainers", "name", "first");
}

static json_t *patched_spec(const json_t *response)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20);
	const char *encoded = json_string_at(response, "response/patch", "");
	assert_string_equal(json_string_at(response, "response/patchType", ""), "JSONPatch");
	assert_int_equal(base64_decode(encoded, strlen(encoded), &text), 0);
	auto_json json_t *patch = json_parse(buf_text(&text), text.length, "patch", &e);
	assert_int_equal(json_array_size(patch), 1);
	const json_t *operation = json_array_get(patch, 0);
	assert_string_equal(json_string_at(operation, "op", ""), "replace");
	assert_string_equal(json_string_at(operation, "path", ""), "/spec");
	return json_incref(json_object_get(operation, "value"));
}

static void test_review(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *review = review_with(json_pack("{s:s, s:s, s:s}", "flyte.secrets/s0", AS_FILE,
	                                                 "flyte.secrets/s1", AS_VARIABLE, "other", "x"));
	auto_json json_t *answer = review_answer(review, &e);
	assert_non_null(answer);
	assert_string_equal(json_string_at(answer, "kind", ""), "AdmissionReview");
	assert_string_equal(json_string_at(answer, "response/uid", ""), "u1");
	assert_true(json_is_true(json_lookup(answer, "response/allowed")));
	auto_json json_t *spec = patched_spec(answer);
	assert_string_equal(
	        json_string_at(json_array_get(json_object_get(spec, "volumes"), 0), "secret/secretName", ""),
	        "User-Info");
	static const char *const lists[] = { "containers", "initContainers" };
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		const json_t *container = json_array_get(json_object_get(spec, lists[i]), 0);
		assert_string_equal(
		        json_string_at(json_array_get(json_object_get(container, "volumeMounts"), 0), "mountPath", ""),
		        "/etc/flyte/secrets/user-info");
		bool found = false;
		for (size_t k = 0; k < json_array_size(json_object_get(container, "env")); k++)
			found |= text_equal(
			        json_string_at(json_array_get(json_object_get(container, "env"), k), "name", ""),
			        "_FSEC_G_K");
		assert_true(found);
	}
}

static void test_reviews_without_a_change(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *plain = review_with(json_pack("{s:s}", "other", "x"));
	auto_json json_t *answer = review_answer(plain, &e);
	assert_true(json_is_true(json_lookup(answer, "response/allowed")));
	assert_null(json_lookup(answer, "response/patch"));
	auto_json json_t *broken = review_with(json_pack("{s:s}", "flyte.secrets/s0", UNKNOWN_FIELD));
	auto_json json_t *refusal = review_answer(broken, &e);
	assert_true(json_is_false(json_lookup(refusal, "response/allowed")));
	assert_non_null(
	        strstr(json_string_at(refusal, "response/status/message", ""), "annotation \"flyte.secrets/s0\""));
	auto_json json_t *empty = json_object();
	assert_null(review_answer(empty, &e));
	assert_int_equal(e.kind, ERR_INVALID);
}

/* ---- Over HTTPS ---- */

struct client {
	uint16_t port;
	const char *ca_pem;
	unsigned count;
};

static void *ask(void *context)
{
	struct client *client = context;
	struct http_client *http =
	        http_client_new(&(struct http_client_options){ .ca_pem = client->ca_pem, .cancel_fd = -1 });
	auto_free char *url = xasprintf("https://127.0.0.1:%u/inject-secrets?timeout=5s", client->port);
	auto_json json_t *review = review_with(json_pack("{s:s}", "flyte.secrets/s0", AS_FILE));
	auto_free char *body = json_to_text(review);
	for (int i = 0; i < 3; i++) {
		auto_err struct err e = ERR_INIT;
		auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
		const struct http_request request = {
			.method = "POST", .url = url, .body = body, .body_length = strlen(body)
		};
		client->count += http_perform(http, &request, &response, &e) == 0 && response.status == 200 &&
		                 strstr(buf_text(&response.body), "\"patch\"");
	}
	http_client_free(http);
	return NULL;
}

static long status_of(struct http_client *http, const char *method, const char *url, const char *body)
{
	auto_err struct err e = ERR_INIT;
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	const struct http_request request = { .method = method, .url = url, .body = body, .body_length = strlen(body) };
	return http_perform(http, &request, &response, &e) < 0 ? -1 : response.status;
}

static void test_https(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	auto_certificate struct certificate certificate = { 0 }, other = { 0 };
	struct admission *admission;
	const struct admission_options options = { .address = "127.0.0.1", .host = "127.0.0.1" };
	assert_int_equal(certificate_make("127.0.0.1", &certificate, &e), 0);
	if (admission_listen(&options, &certificate, &admission, &e) < 0)
		fail_msg("%s", err_message(&e));
	/* More connections than there are places: the others wait for their turn. */
	enum { CLIENTS = 24 };
	struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] =
		        (struct client){ .port = admission_port(admission), .ca_pem = certificate.certificate_pem };
		assert_int_equal(pthread_create(&threads[i], NULL, ask, &clients[i]), 0);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(clients[i].count, 3);
	}
	struct http_client *http = http_client_new(
	        &(struct http_client_options){ .ca_pem = certificate.certificate_pem, .cancel_fd = -1 });
	auto_free char *url = xasprintf("https://127.0.0.1:%u/inject-secrets", admission_port(admission));
	auto_free char *elsewhere = xasprintf("https://127.0.0.1:%u/other", admission_port(admission));
	assert_int_equal(status_of(http, "GET", url, ""), 405);
	assert_int_equal(status_of(http, "POST", elsewhere, "{}"), 404);
	assert_int_equal(status_of(http, "POST", url, "{"), 400);
	/* Who expects another certificate is not served. */
	assert_int_equal(certificate_make("127.0.0.1", &other, &e), 0);
	struct http_client *stranger =
	        http_client_new(&(struct http_client_options){ .ca_pem = other.certificate_pem, .cancel_fd = -1 });
	assert_int_equal(status_of(stranger, "POST", url, "{}"), -1);
	/* A stop does not wait for connections that are kept open. */
	assert_null(admission_stop(admission));
	http_client_free(stranger);
	http_client_free(http);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_review),
		cmocka_unit_test(test_reviews_without_a_change),
		cmocka_unit_test(test_https),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
