/* What Kubernetes takes as a name, a label's key and a label's value. Pure. */
#ifndef SANDBOX_BASE_KUBERNETES_NAMES_H
#define SANDBOX_BASE_KUBERNETES_NAMES_H

#include <stdbool.h>

/* RFC 1123: up to 63 of [a-z0-9-], alphanumeric at both ends. */
bool kubernetes_is_dns_label(const char *text);
/* "prefix/name" or "name". */
bool kubernetes_is_label_key(const char *text);
/* May be "". */
bool kubernetes_is_label_value(const char *text);

#endif
