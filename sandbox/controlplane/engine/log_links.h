/*
 * Links to the logs of a task's attempt, from templates that the platform sets (upstream: plugins.logs). Pure; results
 * are in the arena.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_LOG_LINKS_H
#define SANDBOX_CONTROLPLANE_ENGINE_LOG_LINKS_H

#include "base/arena.h"
#include "base/json.h"

#include "flyteidl/core/execution.pb-c.h"
#include "flyteidl/core/identifier.pb-c.h"

#include <stdint.h>

struct log_links {
	const char *kubernetes; /* template of the link "Kubernetes Logs"; NULL or "": none */
	const json_t *others;   /* settings' plugins.logs.templates, or NULL */
};

/* What the templates may name. */
struct log_links_subject {
	const char *namespace, *pod_name;
	const Flyteidl__Core__Identifier *task;
	const char *project, *domain, *execution; /* of the execution */
	const char *node_id;                      /* unique id */
	uint32_t attempt;
	const char *suffix; /* of the links' names; "" for none */
};

/* Appends a link for each template. Names in templates are as upstream's, in any case: {{ .podName }}; one that is not
 * known, or not known before the pod runs, stays as it is. */
void log_links_add(struct arena *arena, const struct log_links *links, const struct log_links_subject *subject,
                   size_t *count, Flyteidl__Core__TaskLog ***logs);

#endif
