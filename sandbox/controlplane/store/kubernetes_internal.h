/* Shared by kubernetes.c (single requests) and kubernetes_watch.c (streams). */
#ifndef SANDBOX_CONTROLPLANE_STORE_KUBERNETES_INTERNAL_H
#define SANDBOX_CONTROLPLANE_STORE_KUBERNETES_INTERNAL_H

#include "base/http.h"
#include "controlplane/store/kubernetes.h"

char *kubernetes_url(const struct kubernetes *k, const char *path_and_query); /* free() */
/* The header of a bearer token, or NULL when certificates are enough; free(). Sets `e` when the token cannot be read.
 */
int kubernetes_authorization(const struct kubernetes *k, char **ret_value, struct err *e);
struct http_client *kubernetes_make_client(const struct kubernetes *k);
/* Turns an error response into `e`; always -1. */
int kubernetes_translate(const struct http_response *response, struct err *e);

#endif
