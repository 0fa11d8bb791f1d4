/*
 * What a round needs of the object store and of Kubernetes, as a table of functions: the real one (outside_new) or a
 * test's. All functions may be called from any thread, all may be repeated without harm, and all set `e` as
 * store/objects.h and store/kubernetes.h say.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_OUTSIDE_H
#define SANDBOX_CONTROLPLANE_ENGINE_OUTSIDE_H

#include "controlplane/store/kubernetes.h"
#include "controlplane/store/objects.h"

struct outside {
	void *context;
	int (*put)(void *context, const char *uri, struct proto_bytes bytes, struct err *e);
	int (*get)(void *context, struct arena *arena, const char *uri, size_t maximum, struct proto_bytes *ret_bytes,
	           struct err *e);
	/* ERR_NOT_FOUND when absent. */
	int (*head)(void *context, const char *uri, struct err *e);
	/* Creates the namespace too when it is missing. An existing pod of that name is success, and *ret_pod is what
	 * there is. */
	int (*create_pod)(void *context, const char *namespace, const json_t *pod, json_t **ret_pod, struct err *e);
	int (*get_pod)(void *context, const char *namespace, const char *name, json_t **ret_pod, struct err *e);
	/* ERR_NOT_FOUND when there is no PodTemplate of that name in the namespace. */
	int (*get_pod_template)(void *context, const char *namespace, const char *name, json_t **ret_template,
	                        struct err *e);
	/* An absent pod is success. ERR_CONFLICT: it has changed since that version ("": any). */
	int (*delete_pod)(void *context, const char *namespace, const char *name, const char *resource_version,
	                  struct err *e);
};

/* Neither is owned. Release with outside_free. */
struct outside *outside_new(struct objects *objects, struct kubernetes *kubernetes);
struct outside *outside_free(struct outside *outside);

#endif
