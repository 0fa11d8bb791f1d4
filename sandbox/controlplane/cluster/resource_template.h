/*
 * Templates of Kubernetes objects: YAML in which `{{ name }}` stands for a value, as flyteadmin's cluster resources have
 * them. Values are put into the text, therefore only text that YAML reads as one plain scalar is taken as a value: what a
 * user sets as an attribute cannot become another part of the object. Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_CLUSTER_RESOURCE_TEMPLATE_H
#define SANDBOX_CONTROLPLANE_CLUSTER_RESOURCE_TEMPLATE_H

#include "base/err.h"
#include "base/json.h"

#define RESOURCE_TEMPLATE_MAXIMUM ((size_t)1024 * 1024)

struct resource_values {
	const char *namespace, *project, *domain; /* which nobody else can give */
	const json_t *maps[3];                    /* name to text, the first that has a name wins; may be NULL */
};

/* Owned by the caller; an object with apiVersion, kind and metadata.name. NULL with ERR_INVALID that names `subject`. */
json_t *resource_template_render(const char *text, size_t length, const char *subject,
                                 const struct resource_values *values, struct err *e);
/* The value of a variable, or NULL. */
const char *resource_values_get(const struct resource_values *values, const char *name);

#endif
