/*
 * The Flyte API: handlers of AdminService, SignalService and DataProxyService, a file per area. A handler validates its
 * request, uses the store, and answers; it keeps no state of its own. What all handlers need is `struct api`, given to
 * the transport as their context.
 */
#ifndef SANDBOX_CONTROLPLANE_API_API_H
#define SANDBOX_CONTROLPLANE_API_API_H

#include "base/parallel.h"
#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"
#include "controlplane/store/objects.h"
#include "rpc/call.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/core/compiler.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/* Where we are: the same for the life of the process. Strings are borrowed and outlive every call. */
struct api_config {
	const char *bucket; /* "my-s3-bucket" */

	/* Presigned URLs name the endpoint that the caller can reach: callers whose address lies in `cluster_network`
	 * get the second. */
	const char *objects_public_endpoint;  /* "http://localhost:30002" */
	const char *objects_cluster_endpoint; /* "http://flyte-sandbox-minio.flyte:9000" */
	const char
	        *cluster_network; /* CIDR list separated by ',': "10.42.0.0/16"; "" or NULL: nobody is in the cluster */

	const char *version;     /* "v0.1.0", what GetVersion says */
	const char *build;       /* revision, may be "" */
};

/* The context of every handler. */
struct api {
	struct database *database;
	struct objects *objects;
	const struct api_config *config;
	struct settings_holder *settings; /* a handler takes those that are current, once; NULL: the defaults */
	struct parallel *parallel;        /* for requests to the object store that need not wait for each other; may be NULL */
};

/* The defaults of the sandbox; a program copies them and overrides what its command line says. */
extern const struct api_config api_config_default;

struct api_methods {
	const struct rpc_method *methods;
	size_t count;
};

/* AdminService, by area. The program joins them: a service is one table. */
struct api_methods api_task_methods(void);
struct api_methods api_workflow_methods(void);
struct api_methods api_launch_plan_methods(void);
struct api_methods api_named_entity_methods(void);
struct api_methods api_description_methods(void);
struct api_methods api_event_methods(void);
struct api_methods api_project_methods(void);
struct api_methods api_matchable_attributes_methods(void);
struct api_methods api_version_methods(void);
struct api_methods api_execution_methods(void);
/* SignalService. */
struct api_methods api_signal_methods(void);
/* DataProxyService. */
struct api_methods api_data_proxy_methods(void);
/* datacatalog.DataCatalog. */
struct api_methods api_catalog_methods(void);

/* Until when a call waits for a connection: at most until its own deadline, and never longer than 30 s. Monotonic. */
int64_t api_connect_deadline(const struct rpc_call *call);
/* Borrows a connection for the call. */
int api_connect(struct api *api, const struct rpc_call *call, struct database_connection **ret_connection,
                struct err *e);

/* ERR_INVALID unless the project is registered and active and the domain is configured. */
int api_check_project_and_domain(struct api *api, struct rpc_call *call, struct database_connection *c,
                                 const char *project, const char *domain, struct err *e);

/* In the arena. */
Google__Protobuf__Timestamp *api_timestamp(struct arena *arena, int64_t wall_ns);
/* "s3://<bucket>/<path>". */
char *api_object_uri(const struct api *api, struct arena *arena, const char *path_format, ...) PRINTF_LIKE(3, 4);

/* Reads as stored rows; ERR_NOT_FOUND in upstream's words. The messages are in the call's arena. */
struct api_launch_plan {
	int64_t id, workflow_id;
	Flyteidl__Admin__LaunchPlan *message;
};
struct api_workflow {
	int64_t id;
	const Flyteidl__Core__Identifier *identifier;
	Flyteidl__Core__CompiledWorkflowClosure *closure;
};
struct api_task {
	int64_t id;
	Flyteidl__Core__CompiledTask *compiled;
};
int api_load_launch_plan(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                         struct api_launch_plan *ret_launch_plan, struct err *e);
int api_load_workflow(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                      struct api_workflow *ret_workflow, struct err *e);
int api_load_workflow_by_id(struct rpc_call *call, struct database_connection *c, int64_t id,
                            struct api_workflow *ret_workflow, struct err *e);
int api_load_task(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                  struct api_task *ret_task, struct err *e);

/*
 * For running a single task: the workflow and launch plan `.flytegen.<task>` with the task's version, found or created
 * (safe when several ask at once). Outside of a transaction of the caller's. `launch_plan_template` gives auth_role and
 * security_context of a launch plan that is created; may be NULL.
 */
struct api_generated {
	struct api_task task;
	struct api_workflow workflow;
	struct api_launch_plan launch_plan;
};
int api_workflow_for_task(struct api *api, struct rpc_call *call, struct database_connection *c,
                          const Flyteidl__Core__Identifier *task_id,
                          const Flyteidl__Admin__LaunchPlanSpec *launch_plan_template,
                          struct api_generated *ret_generated, struct err *e);

/* Whether the numeric address lies in one of the CIDR networks, separated by ','. */
bool api_networks_have(const char *networks, const char *address);
/* The endpoint to name in URLs for this caller. */
const char *api_objects_endpoint(const struct api *api, const struct rpc_call *call);

#endif
