/*
 * What is sent about an execution that has ended. Pure. Templates are flyteadmin's (pkg/async/notifications at v1.16.8):
 * `{{ name }}` or `{{name}}` of project, domain, name, phase, error, workflow.{project,domain,name,version} and
 * launch_plan.{…}; anything else stays as it is.
 */
#ifndef SANDBOX_CONTROLPLANE_NOTIFY_MESSAGE_H
#define SANDBOX_CONTROLPLANE_NOTIFY_MESSAGE_H

#include "base/arena.h"
#include "base/json.h"

#include "flyteidl/admin/common.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* Text is never NULL, "" is none. */
struct message_facts {
	const char *project, *domain, *name;
	const char *phase; /* "SUCCEEDED"; templates have it in lower case */
	const char *error; /* its message */
	const char *workflow_project, *workflow_domain, *workflow_name, *workflow_version;
	const char *launch_plan_project, *launch_plan_domain, *launch_plan_name, *launch_plan_version;
};

#define MESSAGE_MAXIMUM ((size_t)256 * 1024)
/* Of the error in a message. */
#define MESSAGE_ERROR_MAXIMUM ((size_t)8 * 1024)

/* In the arena, cut off at MESSAGE_MAXIMUM. `html`: values are escaped, so that what a user calls things is no markup. */
char *message_render(struct arena *arena, const char *template, const struct message_facts *facts, bool html);

/* Whom a notification is for; upstream sends mail for all three kinds. */
struct message_target {
	const char *kind; /* "email", "slack" or "pager_duty" */
	size_t count;
	char *const *recipients;
	const char *template; /* "": the platform's */
};
struct message_target message_target_of(const Flyteidl__Admin__Notification *notification);

/* What a webhook gets. `id` is the same when it is sent again. A new reference. */
json_t *message_json(const struct message_facts *facts, const struct message_target *target, const char *id,
                     const char *subject, const char *text);

#endif
