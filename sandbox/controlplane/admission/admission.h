/*
 * The admission webhook: an HTTPS listener of its own, because the API server insists on TLS, and the
 * MutatingWebhookConfiguration that tells the API server of it. Few and small requests: a thread for each connection.
 */
#ifndef SANDBOX_CONTROLPLANE_ADMISSION_ADMISSION_H
#define SANDBOX_CONTROLPLANE_ADMISSION_ADMISSION_H

#include "base/err.h"
#include "controlplane/admission/certificate.h"
#include "controlplane/store/kubernetes.h"

#include <stdint.h>

struct admission;

#define ADMISSION_NAMESPACE "flyte"

struct admission_options {
	const char *address;
	uint16_t port;    /* 0: any free one; see admission_port */
	const char *host; /* by which the API server reaches us: an address, or NAME.NAMESPACE.svc of a Service */
	const char *namespace; /* of the platform: where the certificate is kept; NULL: ADMISSION_NAMESPACE */
	/* Told, from a thread of its own, of what keeps the webhook from being there; it is tried again. May be NULL.
	 */
	void (*on_problem)(void *context, const struct err *problem);
	void *context;
};

/* Returns at once: the certificate is loaded or made, and the webhook registered with the API server, in a thread that
 * tries until it has succeeded. The strings are borrowed. */
int admission_start(const struct admission_options *options, struct kubernetes *kubernetes,
                    struct admission **ret_admission, struct err *e);
/* Listens only, with the given certificate. */
int admission_listen(const struct admission_options *options, const struct certificate *certificate,
                     struct admission **ret_admission, struct err *e);
uint16_t admission_port(const struct admission *admission);
/* Closes all connections and joins the threads. */
struct admission *admission_stop(struct admission *admission);

#endif
