#include "controlplane/admission/admission.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/text.h"
#include "controlplane/admission/listener.h"
#include "controlplane/admission/review.h"

#include <errno.h>
#include <pthread.h>

#define SECRET "flyte-admission"
#define CONFIGURATION "flyte-secrets"
#define PEM_MAXIMUM ((size_t)64 * 1024)
#define PATH "/inject-secrets"
/* How long the API server waits for us before it refuses a pod. */
#define TIMEOUT_SECONDS 5
/* Between tries to be registered. */
#define PAUSE_FIRST_MS INT64_C(250)
#define PAUSE_MAXIMUM_MS INT64_C(30000)

struct admission {
	struct admission_options options;
	struct kubernetes *kubernetes;
	struct listener *listener;
	pthread_t thread;
	bool has_thread, stopping;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
};

/* ---- The certificate ---- */

static char *decode_pem(const json_t *secret, const char *key)
{
	auto_buf struct buf bytes = BUF_INIT(PEM_MAXIMUM);
	const char *text = json_string_at(json_object_get(secret, "data"), key, "");
	return *text && base64_decode(text, strlen(text), &bytes) == 0 ? buf_steal(&bytes) : NULL;
}

static json_t *secret_of(const char *namespace, const struct certificate *certificate)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Secret",
	                 "metadata", "name", SECRET, "namespace", namespace, "type", "Opaque", "stringData", "tls_crt",
	                 certificate->certificate_pem, "tls_key", certificate->key_pem);
}

static int load_certificate(struct kubernetes *kubernetes, const char *namespace, struct certificate *ret_certificate,
                            struct err *e)
{
	auto_json json_t *secret = NULL;
	auto_free char *path = xasprintf("/api/v1/namespaces/%s/secrets/" SECRET, namespace);
	if (kubernetes_get(kubernetes, path, &secret, e) < 0)
		return -1;
	*ret_certificate = (struct certificate){ .certificate_pem = decode_pem(secret, "tls_crt"),
		                                 .key_pem = decode_pem(secret, "tls_key") };
	if (ret_certificate->certificate_pem && ret_certificate->key_pem)
		return 0;
	certificate_release(ret_certificate);
	return err_set(e, ERR_INVALID, NULL, "the Secret %s/" SECRET " holds no certificate", namespace);
}

/* Whoever creates the Secret first decides; the others take what is there. */
static int share_certificate(struct kubernetes *kubernetes, const char *namespace, const char *host,
                             struct certificate *ret_certificate, struct err *e)
{
	auto_err struct err why = ERR_INIT;
	if (load_certificate(kubernetes, namespace, ret_certificate, &why) == 0)
		return 0;
	if (why.kind != ERR_NOT_FOUND)
		return err_move(e, &why);
	auto_certificate struct certificate made = { 0 };
	if (certificate_make(host, &made, e) < 0)
		return -1;
	auto_json json_t *secret = secret_of(namespace, &made);
	auto_free char *path = xasprintf("/api/v1/namespaces/%s/secrets", namespace);
	err_release(&why);
	if (kubernetes_create(kubernetes, path, secret, NULL, &why) < 0 &&
	    why.kind != ERR_EXISTS)
		return err_move(e, &why);
	return load_certificate(kubernetes, namespace, ret_certificate, e);
}

/* ---- The registration ---- */

/* An API server knows the Services of its cluster, but not always the cluster's DNS. */
static json_t *client_config(const char *host, uint16_t port, const char *certificate_pem)
{
	auto_free char *bundle = base64_encode(certificate_pem, strlen(certificate_pem));
	const char *dot = strchr(host, '.');
	const char *end = dot ? strchr(dot + 1, '.') : NULL;
	if (!end || !text_equal(end, ".svc")) {
		auto_free char *url = xasprintf("https://%s:%u" PATH, host, port);
		return json_pack("{s:s, s:s}", "url", url, "caBundle", bundle);
	}
	auto_free char *name = xstrndup(host, (size_t)(dot - host));
	auto_free char *namespace = xstrndup(dot + 1, (size_t)(end - dot - 1));
	return json_pack("{s:{s:s, s:s, s:s, s:i}, s:s}", "service", "name", name, "namespace", namespace, "path", PATH,
	                 "port", (int)port, "caBundle", bundle);
}

/* The platform in namespace "flyte" keeps the plain name. */
static char *configuration_name(const char *namespace)
{
	return text_equal(namespace, ADMISSION_NAMESPACE) ? xstrdup(CONFIGURATION)
	                                                  : xasprintf(CONFIGURATION "-%s", namespace);
}

/* The engine's own pods are left out: they have their secrets already. */
static json_t *configuration(const char *name, const char *host, uint16_t port, const char *certificate_pem)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:[{s:s, s:[s], s:s, s:s, s:i, s:o,"
	                 " s:[{s:[s], s:[s], s:[s], s:[s]}], s:{s:{s:s}, s:[{s:s, s:s, s:[s]}]}}]}",
	                 "apiVersion", "admissionregistration.k8s.io/v1", "kind", "MutatingWebhookConfiguration",
	                 "metadata", "name", name, "webhooks", "name", "secrets.flyte.org", "admissionReviewVersions",
	                 "v1", "sideEffects", "None", "failurePolicy", "Fail", "timeoutSeconds", TIMEOUT_SECONDS,
	                 "clientConfig", client_config(host, port, certificate_pem), "rules", "operations", "CREATE",
	                 "apiGroups", "", "apiVersions", "v1", "resources", "pods", "objectSelector", "matchLabels",
	                 REVIEW_LABEL, "true", "matchExpressions", "key", "app.kubernetes.io/managed-by", "operator",
	                 "NotIn", "values", "flyte-sandbox");
}

static int answer(const char *path, const struct buf *body, struct buf *out, struct err *e)
{
	if (!text_equal(path, PATH) && !text_starts_with(path, PATH "?"))
		return err_set(e, ERR_NOT_FOUND, NULL, "there is nothing at this path");
	auto_json json_t *review = json_parse(buf_text(body), body->length, "the request", e);
	auto_json json_t *response = review ? review_answer(review, e) : NULL;
	if (!response)
		return -1;
	auto_free char *text = json_to_text(response);
	return buf_add_str(out, text) < 0 ? err_set(e, ERR_EXHAUSTED, NULL, "the answer is too long") : 0;
}

/* ---- Start and stop ---- */

static struct admission *admission_new(const struct admission_options *options, struct kubernetes *kubernetes)
{
	struct admission *admission = xcalloc(1, sizeof(*admission));
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&admission->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&admission->mutex, NULL);
	admission->options = *options;
	admission->kubernetes = kubernetes;
	return admission;
}

static struct admission *admission_free(struct admission *admission)
{
	listener_stop(admission->listener);
	pthread_cond_destroy(&admission->wake);
	pthread_mutex_destroy(&admission->mutex);
	free(admission);
	return NULL;
}

/* What is done stays done when the rest fails. */
static int set_up(struct admission *admission, struct err *e)
{
	auto_certificate struct certificate certificate = { 0 };
	const struct admission_options *options = &admission->options;
	const char *namespace = options->namespace ? options->namespace : ADMISSION_NAMESPACE;
	if (share_certificate(admission->kubernetes, namespace, options->host, &certificate, e) < 0)
		return err_wrap(e, "cannot share a certificate");
	if (!admission->listener &&
	    listener_start(options->address, options->port, &certificate, answer, &admission->listener, e) < 0)
		return -1;
	auto_free char *name = configuration_name(namespace);
	auto_json json_t *object =
	        configuration(name, options->host, listener_port(admission->listener), certificate.certificate_pem);
	auto_free char *path =
	        xasprintf("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/%s", name);
	if (kubernetes_apply(admission->kubernetes, path, object, e) < 0)
		return err_wrap(e, "cannot register");
	return 0;
}

/* False when it is time to stop. */
static bool pause_before_retry(struct admission *admission, int64_t pause_ms)
{
	const int64_t until_ms = clock_monotonic_ms() + pause_ms;
	const struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
	pthread_mutex_lock(&admission->mutex);
	while (!admission->stopping && pthread_cond_timedwait(&admission->wake, &admission->mutex, &until) != ETIMEDOUT)
		;
	const bool stopping = admission->stopping;
	pthread_mutex_unlock(&admission->mutex);
	return !stopping;
}

static void *set_up_main(void *context)
{
	struct admission *admission = context;
	int64_t pause_ms = PAUSE_FIRST_MS;
	for (;;) {
		auto_err struct err e = ERR_INIT;
		if (set_up(admission, &e) == 0)
			return NULL;
		if (admission->options.on_problem)
			admission->options.on_problem(admission->options.context, &e);
		if (!pause_before_retry(admission, pause_ms))
			return NULL;
		pause_ms = pause_ms * 2 < PAUSE_MAXIMUM_MS ? pause_ms * 2 : PAUSE_MAXIMUM_MS;
	}
}

int admission_start(const struct admission_options *options, struct kubernetes *kubernetes,
                    struct admission **ret_admission, struct err *e)
{
	struct admission *admission = admission_new(options, kubernetes);
	const int failure = pthread_create(&admission->thread, NULL, set_up_main, admission);
	if (failure) {
		admission_free(admission);
		return err_set_errno(e, failure, NULL, "cannot start a thread for the webhook");
	}
	admission->has_thread = true;
	*ret_admission = admission;
	return 0;
}

int admission_listen(const struct admission_options *options, const struct certificate *certificate,
                     struct admission **ret_admission, struct err *e)
{
	struct admission *admission = admission_new(options, NULL);
	if (listener_start(options->address, options->port, certificate, answer, &admission->listener, e) < 0) {
		admission_free(admission);
		return -1;
	}
	*ret_admission = admission;
	return 0;
}

uint16_t admission_port(const struct admission *admission)
{
	return listener_port(admission->listener);
}

struct admission *admission_stop(struct admission *admission)
{
	if (!admission)
		return NULL;
	pthread_mutex_lock(&admission->mutex);
	admission->stopping = true;
	pthread_cond_broadcast(&admission->wake);
	pthread_mutex_unlock(&admission->mutex);
	if (admission->has_thread)
		pthread_join(admission->thread, NULL);
	return admission_free(admission);
}
