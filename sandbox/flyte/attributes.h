/*
 * Matchable attributes as flytectl's attribute files have them: project, domain and workflow beside the members of the
 * attribute's message, e.g. for a task-resource-attribute
 *
 *	domain: development
 *	project: flytesnacks
 *	defaults:
 *	  cpu: "1"
 *	limits:
 *	  memory: 450Mi
 *
 * (flytectl/cmd/config/subcommand/…/file_config.go at v1.16.8.) Pure.
 */
#ifndef SANDBOX_FLYTE_ATTRIBUTES_H
#define SANDBOX_FLYTE_ATTRIBUTES_H

#include "base/arena.h"
#include "base/json.h"

#include "flyteidl/admin/matchable_resource.pb-c.h"

#define ATTRIBUTE_FILE_MAXIMUM ((size_t)1024 * 1024)

struct attribute_kind {
	const char *name; /* "task-resource-attribute" */
	const char *plural;
	Flyteidl__Admin__MatchableResource resource;
	Flyteidl__Admin__MatchingAttributes__TargetCase target;
	const ProtobufCMessageDescriptor *descriptor;
};
/* By either name, NULL for anything else. */
const struct attribute_kind *attribute_kind_find(const char *name);
extern const struct attribute_kind attribute_kinds[];
extern const size_t attribute_kind_count;

struct attribute_file {
	const char *project; /* in the arena, "" when not given */
	const char *domain;
	const char *workflow;
	Flyteidl__Admin__MatchingAttributes *attributes;
};
/* ERR_INVALID "bad-attribute-file" names the place; unknown members are refused. */
int attribute_file_parse(struct arena *arena, const struct attribute_kind *kind, const char *bytes, size_t length,
                         const char *subject, struct attribute_file *ret_file, struct err *e);
/* The file's content as a new object: the scope, then the attribute's members, in the form that flytectl reads too
 * (enums by number, {value: …} for a BoolValue). `attributes` may be NULL. */
json_t *attribute_file_json(const struct attribute_kind *kind, const char *project, const char *domain,
                            const char *workflow, const Flyteidl__Admin__MatchingAttributes *attributes, struct err *e);

#endif
