/* What names a registered entity: tasks, workflows and launch plans share this form (flyteidl's Identifier without its type). */
#ifndef SANDBOX_CONTROLPLANE_STORE_ENTITY_H
#define SANDBOX_CONTROLPLANE_STORE_ENTITY_H

struct entity_key {
	const char *project;
	const char *domain;
	const char *name;
	const char *version;
};

#endif
