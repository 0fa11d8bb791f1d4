/*
 * Identifiers at the API's edge: what a request must carry, and how identifiers read in messages. Texts are those of
 * flyteadmin at v1.16.8 (pkg/manager/impl/validation, pkg/repositories/errors), because clients and their tests match
 * on them.
 */
#ifndef SANDBOX_CONTROLPLANE_LAUNCH_IDS_H
#define SANDBOX_CONTROLPLANE_LAUNCH_IDS_H

#include "base/arena.h"
#include "base/err.h"
#include "proto/message.h"

#include "flyteidl/admin/common.pb-c.h"
#include "flyteidl/core/identifier.pb-c.h"

/* ERR_INVALID "missing <field>" when `value` is NULL or "". */
int ids_require(const char *value, const char *field, struct err *e);

/* All five parts there and of the expected type. A NULL id is "missing id". */
int ids_validate(const Flyteidl__Core__Identifier *id, Flyteidl__Core__ResourceType expected, struct err *e);
/* For creating: besides, the version is the same after URL query-escaping, since it becomes a part of URLs and object
 * keys. */
int ids_validate_new(const Flyteidl__Core__Identifier *id, Flyteidl__Core__ResourceType expected, struct err *e);
/* For reading: as ids_validate, but an id without a type (REST paths carry none) gets the expected one. Returns the id
 * to use, or NULL. */
const Flyteidl__Core__Identifier *ids_of_request(struct arena *arena, const Flyteidl__Core__Identifier *id,
                                                 Flyteidl__Core__ResourceType expected, struct err *e);
/* One of the known types, and not UNSPECIFIED. */
int ids_validate_resource_type(Flyteidl__Core__ResourceType type, struct err *e);
/* project, domain and name there. */
int ids_validate_named_entity(const Flyteidl__Admin__NamedEntityIdentifier *id, struct err *e);
int ids_validate_execution(const Flyteidl__Core__WorkflowExecutionIdentifier *id, struct err *e);
/* The compact text form of Go's protobuf, `resource_type:TASK project:"p" domain:"d" name:"n" version:"v"`. In the
 * arena. */
char *ids_text(struct arena *arena, const Flyteidl__Core__Identifier *id);
char *ids_execution_text(struct arena *arena, const Flyteidl__Core__WorkflowExecutionIdentifier *id);
/* ERR_NOT_FOUND `missing entity of type TASK with identifier …`. Returns -1. */
int ids_not_found(struct arena *arena, const Flyteidl__Core__Identifier *id, struct err *e);

/* A new identifier in the arena; the strings are copied. */
Flyteidl__Core__Identifier *ids_new(struct arena *arena, Flyteidl__Core__ResourceType type, const char *project,
                                    const char *domain, const char *name, const char *version);
Flyteidl__Core__WorkflowExecutionIdentifier *ids_new_execution(struct arena *arena, const char *project,
                                                               const char *domain, const char *name);

#endif
