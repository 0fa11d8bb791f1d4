/* A project as `create project` and `update project` are told of it: by flags or by a file. */
#ifndef SANDBOX_CLI_FLYTECTL_FLYTE_PROJECT_H
#define SANDBOX_CLI_FLYTECTL_FLYTE_PROJECT_H

#include "cli/flytectl/flyte_client.h"

#include "flyteidl/admin/project.pb-c.h"

struct flyte_project {
	const char *id;
	const char *name;
	const char *description;
	struct option_list labels; /* "K=V", also several with commas */
	const char *file;
};

/* Entries of an option table; `at` is where the struct lies. */
#define FLYTE_PROJECT_TEXT(option, at, member, placeholder, sentence)                                                  \
	OPTION_TEXT_AT(option, (at) + offsetof(struct flyte_project, member), placeholder, sentence)
#define FLYTE_PROJECT_OPTIONS(at)                                                                                      \
	FLYTE_PROJECT_TEXT("id", at, id, "ID", "project: its id"),                                                     \
	        FLYTE_PROJECT_TEXT("name", at, name, "NAME",                                                           \
	                           "project: its name (the instance's --name stands before the verb)"),                \
	        FLYTE_PROJECT_TEXT("description", at, description, "TEXT", "project: what it is for"),                 \
	        { .name = "labels",                                                                                    \
		  .kind = OPTION_LIST,                                                                                 \
		  .offset = (at) + offsetof(struct flyte_project, labels),                                             \
		  .value = "K=V",                                                                                      \
		  .help = "project: label" },                                                                          \
	        FLYTE_PROJECT_TEXT("file", at, file, "FILE", "project: all of that from a YAML file")

/* In the arena. ERR_USAGE without an id, or with both --id and -p. */
Flyteidl__Admin__Project *flyte_project_of(struct flyte *flyte, const struct flyte_options *options,
                                           const struct flyte_project *project, struct err *e);

#endif
