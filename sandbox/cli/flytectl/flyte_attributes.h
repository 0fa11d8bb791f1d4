/* Matchable attributes at the control plane: of a workflow, of a project and domain, or of a project, whichever the
 * scope names. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_ATTRIBUTES_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_ATTRIBUTES_H

#include "cli/flytectl/flyte_client.h"
#include "flyte/attributes.h"

/* The names of attribute_kinds, where a constant has to have them. */
#define FLYTE_ATTRIBUTE_NAMES                                                                                          \
	"task-resource-attribute", "cluster-resource-attribute", "execution-queue-attribute",                          \
	        "execution-cluster-label", "plugin-override", "workflow-execution-config"

struct attribute_scope {
	const char *project;
	const char *domain;   /* "" for the project as a whole */
	const char *workflow; /* or "" */
};

/* As flytectl: with -p alone the project as a whole; without both flytesnacks and development. */
struct attribute_scope attribute_scope_of(const struct flyte_options *options, const char *workflow);

int flyte_attributes_get(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                         Flyteidl__Admin__MatchingAttributes **ret_attributes, struct err *e);

struct attribute_change {
	const char *file; /* --attrFile, or NULL */
	bool dry_run;
	bool force;
};
/* The verbs' work: a file's attributes take the place of what was there; deleted; shown or written to a file. */
int flyte_attributes_update(struct flyte *flyte, const struct attribute_kind *kind,
                            const struct attribute_change *change, struct err *e);
int flyte_attributes_delete(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                            const struct attribute_change *change, struct err *e);
int flyte_attributes_show(struct flyte *flyte, const struct attribute_kind *kind, const struct attribute_scope *scope,
                          const char *file, bool generate, struct err *e);

#endif
