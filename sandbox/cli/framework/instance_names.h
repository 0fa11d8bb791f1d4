/*
 * An instance's names. Everything that belongs to an instance is found by its name: container, volume and Kubernetes
 * context have it, and the files in ~/.flyte have it without the leading "flyte-". `--name ci1` means the instance
 * "flyte-sandbox-ci1".
 */
#ifndef SANDBOX_CLI_FRAMEWORK_INSTANCE_NAMES_H
#define SANDBOX_CLI_FRAMEWORK_INSTANCE_NAMES_H

#include "base/err.h"

#include <stdbool.h>

#define INSTANCE_DEFAULT "flyte-sandbox"
/* Label on container and volume; its value is the instance's name. */
#define INSTANCE_LABEL "dev.sandbox.instance"

struct instance_names {
	char *name;          /* container, volume and context */
	char *configuration; /* ~/.flyte/config-sandbox.yaml */
	char *kubeconfig;    /* ~/.flyte/sandbox/kubeconfig */
	bool is_default;
};

#define INSTANCE_NAMES_INIT                                                                                                  \
	{                                                                                                              \
		.name = NULL                                                                                           \
	}

/* `name` as given by the person; NULL or "" is the default. ERR_USAGE for a name that Docker would refuse,
 * ERR_PRECONDITION without HOME. */
int instance_names_of(const char *name, struct instance_names *ret_instance, struct err *e);
void instance_names_release(struct instance_names *instance);

#endif
