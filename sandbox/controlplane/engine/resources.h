/*
 * Compute resources of containers: Kubernetes quantities, and how a task's requests and limits become a container's
 * (../shared reference §2.12). Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_RESOURCES_H
#define SANDBOX_CONTROLPLANE_ENGINE_RESOURCES_H

#include "base/err.h"
#include "base/json.h"

#include "flyteidl/core/tasks.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum quantity_format { QUANTITY_DECIMAL, QUANTITY_DECIMAL_EXPONENT, QUANTITY_BINARY };

/* k8s.io/apimachinery resource.Quantity: a number with three decimal digits' steps down to nano. */
struct quantity {
	__int128 nano; /* the value times 10^9 */
	enum quantity_format format;
};

/* "100m", "1Gi", "1.5", "2e3"; finer than nano is rounded away from zero, larger than 2^63-1 is capped, as Kubernetes
 * does. */
bool quantity_parse(const char *text, struct quantity *ret_quantity);
/* <0, 0, >0 */
int quantity_compare(const struct quantity *a, const struct quantity *b);
#define QUANTITY_TEXT_SIZE 64
/* Kubernetes' canonical form: "1500m", "1536Mi". */
void quantity_print(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE]);

/* A container's {"requests": {…}, "limits": {…}} from a task's entries, with Kubernetes' resource names; NULL
 * `resources` gives empty ones. A new reference; NULL with ERR_INVALID ("BadTaskSpecification") for a malformed
 * quantity. STORAGE entries are dropped, as upstream does. */
json_t *resources_to_json(const Flyteidl__Core__Resources *resources, struct err *e);
/* A name that an override mentions, in its requests or limits, replaces both the request and the limit of that name. */
int resources_override(json_t *resources, const Flyteidl__Core__Resources *overrides, struct err *e);

struct resources_defaults {
	const char *cpu_request;
	const char *memory_request;
	const char *memory_limit; /* NULL: none */
};
/*
 * Fills what is missing: a request from its limit, else from the defaults; a memory, GPU or ephemeral storage limit
 * from its request; the memory limit from the defaults when the task gave neither. CPU gets no limit that was not asked
 * for: a container that starts on an idle machine may use it (design §5).
 */
void resources_fill(json_t *resources, const struct resources_defaults *defaults);

#endif
