/*
 * How to reach an API server: read from a kubeconfig (Kubernetes' client configuration, version v1) or from the service
 * account that the kubelet mounts into a pod. What we cannot honour — exec and auth-provider plugins, passwords,
 * proxies, unverified TLS — is an error and never ignored.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_KUBECONFIG_H
#define SANDBOX_CONTROLPLANE_STORE_KUBECONFIG_H

#include "base/err.h"

/* Strings are owned, NULL where the configuration has nothing. */
struct kubeconfig {
	char *server; /* "https://127.0.0.1:6443", without a slash at the end */
	char *ca_pem;
	char *client_cert_pem;
	char *client_key_pem;
	char *token;
	char *token_file; /* read anew for each request: bound tokens are renewed in place */
};

/* The current context of the file at `path`. */
int kubeconfig_read(const char *path, struct kubeconfig *ret_config, struct err *e);
/* `directory` is normally KUBECONFIG_SERVICE_ACCOUNT; host and port come from KUBERNETES_SERVICE_HOST and _PORT. */
int kubeconfig_in_cluster(const char *directory, struct kubeconfig *ret_config, struct err *e);
void kubeconfig_release(struct kubeconfig *config);
#define KUBECONFIG_SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

#endif
