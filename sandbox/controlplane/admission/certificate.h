/*
 * The certificate with which the API server recognises our webhook: made once for an installation, kept as a Secret of
 * the platform's namespace, so that all replicas have the same.
 */
#ifndef SANDBOX_CONTROLPLANE_ADMISSION_CERTIFICATE_H
#define SANDBOX_CONTROLPLANE_ADMISSION_CERTIFICATE_H

#include "base/err.h"

struct certificate {
	char *certificate_pem, *key_pem;
};
void certificate_release(struct certificate *certificate);
#define auto_certificate __attribute__((cleanup(certificate_release)))

/* A new key and a certificate that it has signed itself, for a host name or an IP address, good for ten years. */
int certificate_make(const char *host, struct certificate *ret_certificate, struct err *e);

#endif
