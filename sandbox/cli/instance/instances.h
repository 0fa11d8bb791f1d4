/* All instances of an engine. Labels are the only registry: an instance is a container, a volume, or both, that carry
 * its name in INSTANCE_LABEL. */
#ifndef SANDBOX_CLI_INSTANCE_INSTANCES_H
#define SANDBOX_CLI_INSTANCE_INSTANCES_H

#include "cli/instance/sandbox.h"

struct instance_entry {
	char *name;
	struct sandbox sandbox; /* SANDBOX_ABSENT when only the volume is left */
	json_t *volume;         /* as the engine lists it, or NULL */
	json_t *labels;         /* the container's, else the volume's */
};

struct instances {
	struct instance_entry *items; /* by name */
	size_t count;
};

#define INSTANCES_INIT                                                                                                 \
	{                                                                                                              \
		.items = NULL                                                                                          \
	}
#define auto_instances __attribute__((cleanup(instances_release)))
void instances_release(struct instances *instances);

/* Connects and asks. What goes away meanwhile is left out. */
int instances_find(struct cli *cli, struct instances *ret_instances, struct err *e);

#endif
