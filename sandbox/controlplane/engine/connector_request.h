/*
 * From a task to what its connector is sent (flyteidl.admin.CreateTaskRequest): the template with the container's
 * arguments filled in, the inputs themselves, and who runs it. Pure, over the same request as a pod.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_CONNECTOR_REQUEST_H
#define SANDBOX_CONTROLPLANE_ENGINE_CONNECTOR_REQUEST_H

#include "controlplane/engine/pod.h"
#include "proto/message.h"

/* Of whatever task: what a CreateTaskRequest is called with besides the pod's request. */
struct connector_request_extra {
	const Flyteidl__Core__TaskExecutionIdentifier *id;
	uint32_t maximum_attempts;
};

/* No data with ERR_INVALID (BadTaskSpecification) when an argument cannot be filled in. */
struct proto_bytes connector_request_build(struct arena *arena, const struct pod_request *request,
                                           const struct connector_request_extra *extra, struct err *e);

#endif
