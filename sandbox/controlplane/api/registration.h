/*
 * What registering tasks, workflows and launch plans has in common. The rule: the same content again is ALREADY_EXISTS,
 * other content under the same id is INVALID_ARGUMENT with what differs. Content is compared by the digest of its
 * canonical form. Creates race by design (clients send tasks from several threads and repeat calls), so every create
 * inserts first and compares when the id is taken.
 */
#ifndef SANDBOX_CONTROLPLANE_API_REGISTRATION_H
#define SANDBOX_CONTROLPLANE_API_REGISTRATION_H

#include "controlplane/api/api.h"
#include "controlplane/store/entity.h"
#include "proto/canonical.h"

#include "flyteidl/admin/description_entity.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

/* A method of AdminService whose messages are flyteidl.admin's. */
#define ADMIN_METHOD(rpc, request_prefix, response_prefix, function)                                                   \
	{                                                                                                              \
		"/flyteidl.service.AdminService/" rpc, &flyteidl__admin__##request_prefix##__descriptor,               \
		        &flyteidl__admin__##response_prefix##__descriptor, function                                    \
	}

struct entity_key registration_key(const Flyteidl__Core__Identifier *id);

/* The digest of `content`, in the arena. Puts the message's maps in canonical order. */
struct proto_bytes registration_digest(struct arena *arena, ProtobufCMessage *content);

/* What of a spec's description is kept in an entity of its own. In the arena; zero for NULL. */
struct entity_description registration_description(struct arena *arena,
                                                   const Flyteidl__Admin__DescriptionEntity *description);

bool registration_same(struct proto_bytes a, struct proto_bytes b);

/* "<entity> with identical structure already exists", ERR_EXISTS. Returns -1. */
int registration_identical(const char *entity, struct err *e);
/* ERR_INVALID with the paths in which the two differ. Returns -1. */
int registration_different(struct arena *arena, const char *entity, const char *name, ProtobufCMessage *old_content,
                           ProtobufCMessage *new_content, struct err *e);

/* The common part of ListTaskIds, ListWorkflowIds and ListLaunchPlanIds. */
ProtobufCMessage *registration_list_ids(struct api *api, struct rpc_call *call,
                                        const Flyteidl__Admin__NamedEntityIdentifierListRequest *request,
                                        const char *rpc, Flyteidl__Core__ResourceType type, struct err *e);

/* The common part of lists of one kind of entity: project and domain are required, the name narrows it down further. */
struct list_query;
struct list_request;
int registration_list_init(struct list_query *query, struct rpc_call *call,
                           const Flyteidl__Admin__ResourceListRequest *request, struct list_request *list,
                           struct err *e);

/*
 * Compiles and stores a workflow, in a transaction of its own, with its closure in the object store too. 1 when stored,
 * 0 when an identical one was there, -1 (a different one was there, it does not compile …).
 */
int registration_create_workflow(struct api *api, struct rpc_call *call, struct database_connection *c,
                                 const Flyteidl__Core__Identifier *id, const Flyteidl__Admin__WorkflowSpec *spec,
                                 int entity_state, struct err *e);
/* Validates a launch plan against its workflow's interface and stores it. As above. */
struct workflow_row;
int registration_create_launch_plan(struct rpc_call *call, struct database_connection *c,
                                    const Flyteidl__Core__Identifier *id, const Flyteidl__Admin__LaunchPlanSpec *spec,
                                    const struct workflow_row *workflow, int entity_state, struct err *e);

#endif
