/* What names a registered entity: tasks, workflows and launch plans share this form (flyteidl's Identifier without its
 * type). */
#ifndef SANDBOX_CONTROLPLANE_STORE_ENTITY_H
#define SANDBOX_CONTROLPLANE_STORE_ENTITY_H

#include "proto/message.h"

#include <stdbool.h>

struct entity_key {
	const char *project;
	const char *domain;
	const char *name;
	const char *version;
};

/* What came as `spec.description` of a task or workflow; all zero when nothing did. */
struct entity_description {
	bool given;
	struct proto_bytes long_description; /* flyteidl.admin.Description; NULL data for none */
	const char *source_link;             /* "" for none */
};

#endif
