/*
 * Rows of the table `launch_plans`. Rows and what they point to live in the arena given; times are nanoseconds since the Unix epoch.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_LAUNCH_PLANS_H
#define SANDBOX_CONTROLPLANE_STORE_LAUNCH_PLANS_H

#include "controlplane/store/database.h"
#include "controlplane/store/entity.h"
#include "controlplane/store/list.h"

struct launch_plan_row {
	int64_t id;
	struct entity_key key;
	int64_t workflow_id;
	struct proto_bytes spec;             /* flyteidl.admin.LaunchPlanSpec */
	struct proto_bytes expected_inputs;  /* flyteidl.core.ParameterMap */
	struct proto_bytes expected_outputs; /* flyteidl.core.VariableMap */
	struct proto_bytes digest;           /* of the canonical LaunchPlan; not read by launch_plans_list */
	struct proto_bytes workflow_quality_of_service; /* flyteidl.core.QualityOfService of its workflow, or NULL data; not read by launch_plans_list */
	int64_t state;                       /* flyteidl.admin.LaunchPlanState */
	const char *schedule_type;           /* "NONE", "CRON", "RATE" */
	int64_t created_at, updated_at;
};

/* As workflows_insert; the state of a new row is always INACTIVE. */
int launch_plans_insert(struct database_connection *c, struct arena *arena, const struct launch_plan_row *launch_plan,
                        int entity_state, struct err *e);
/* 1 found, 0 not, -1. */
int launch_plans_get(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                     struct launch_plan_row *ret_launch_plan, struct err *e);
/* The version that is active; key->version is ignored. */
int launch_plans_get_active(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                            struct launch_plan_row *ret_launch_plan, struct err *e);
/*
 * Activates this version and deactivates the one that was active, or deactivates it, in one transaction of its own;
 * schedules begin and end with it, and the scheduler is told. 1 done, 0 no such launch plan, -1. Who activates versions
 * of the same launch plan at once does so one after the other.
 */
int launch_plans_set_state(struct database_connection *c, struct arena *arena, const struct entity_key *key,
                           bool active, struct err *e);

struct launch_plan_rows {
	size_t count;
	struct launch_plan_row *rows;
};
/* One page of a query of LIST_LAUNCH_PLAN; in the query's arena. */
int launch_plans_list(struct database_connection *c, struct list_query *query, struct launch_plan_rows *ret_rows,
                      struct err *e);

#endif
