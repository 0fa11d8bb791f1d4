/*
 * The file that `get launchplan|task --execFile` writes and `create execution --execFile` reads, in flytectl's format
 * (cmd/get/execution_util.go, cmd/create/execution.go at v1.16.8):
 *
 *	iamRoleARN: ""
 *	inputs:
 *	    n: 3
 *	envs: {}
 *	kubeServiceAcct: ""
 *	targetDomain: ""
 *	targetProject: ""
 *	task: … | workflow: <launch plan>
 *	version: v1
 *
 * Pure.
 */
#ifndef SANDBOX_FLYTE_EXECUTION_FILE_H
#define SANDBOX_FLYTE_EXECUTION_FILE_H

#include "base/arena.h"
#include "base/yaml.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"

#define EXECUTION_FILE_MAXIMUM ((size_t)4 * 1024 * 1024)

struct execution_file {
	const char *task;     /* "" or the name; exactly one of the two is given */
	const char *workflow; /* the launch plan's name */
	const char *version;
	const char *target_project; /* these are "" when not given */
	const char *target_domain;
	const char *target_execution_cluster;
	const char *service_account;
	const char *iam_role;
	const char *cluster_pool;
	bool overwrite_cache;
	const json_t *inputs; /* object or NULL; within `document` */
	const json_t *envs;
	json_t *document; /* owned, as the places of its members are */
	struct yaml_places places;
};
/* clang-format off */
#define EXECUTION_FILE_INIT { .document = NULL }
/* clang-format on */
#define auto_execution_file __attribute__((cleanup(execution_file_release)))
void execution_file_release(struct execution_file *file);

/* Text goes to the arena. ERR_INVALID "bad-execution-file" names line and member; unknown members are refused. */
int execution_file_parse(struct arena *arena, const char *bytes, size_t length, const char *subject,
                         struct execution_file *ret_file, struct err *e);

/* What may be given, under its name. */
struct execution_input {
	const char *name;
	Flyteidl__Core__LiteralType *type;
	const Flyteidl__Core__Literal *fallback; /* default, or NULL */
	bool required;
	const char *description;
};
struct execution_inputs {
	struct execution_input *list;
	size_t count;
};
struct execution_inputs execution_inputs_of_parameters(struct arena *arena,
                                                       const Flyteidl__Core__ParameterMap *parameters);
struct execution_inputs execution_inputs_of_variables(struct arena *arena,
                                                      const Flyteidl__Core__VariableMap *variables);

/* The literals of the file's inputs, in the arena. ERR_INVALID "bad-input" names line, input and what was expected;
 * required ones that the file does not give are all named. */
Flyteidl__Core__LiteralMap *execution_file_literals(struct arena *arena, const struct execution_file *file,
                                                    const struct execution_inputs *inputs, struct err *e);
/* Appends a file for `name`, with every input that may be given. */
int execution_file_print(struct arena *arena, bool is_task, const char *name, const char *version,
                         const struct execution_inputs *inputs, int64_t now_seconds, struct buf *out, struct err *e);

#endif
