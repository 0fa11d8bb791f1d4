/*
 * Templates in the command and arguments of a task: "{{.input}}" or "{{$input}}", in any case, with spaces allowed
 * inside of the braces (
 * ../shared reference §2.6). What is not one of the known names stays as it is. Pure; the result is in the arena.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_TEMPLATE_H
#define SANDBOX_CONTROLPLANE_ENGINE_TEMPLATE_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/literals.pb-c.h"

#include <stdbool.h>

/* A name whose value is NULL is left as it is. */
struct template_values {
	const char *input;        /* …/inputs.pb */
	const char *input_prefix; /* its directory */
	const char *output_prefix;
	const char *raw_output_data_prefix;
	const char *checkpoint_output_prefix;
	const char *prev_checkpoint_prefix; /* "" renders as two quotes */
	const char *per_retry_unique_key;
	const char *task_template_path;
	const char *namespace;                    /* also replaced inside of the values above */
	const Flyteidl__Core__LiteralMap *inputs; /* NULL or empty: {{.inputs.x}} is left as it is */
};

struct template_variable {
	const char *name, *value;
};
/* Replaces references to these, and nothing else. */
char *template_fill(struct arena *arena, const char *text, const struct template_variable *variables, size_t count);

/* NULL with ERR_INVALID when an input does not exist or has no text. `ret_uses_task_template` (may be NULL) is set when
 * {{.taskTemplatePath}} occurred, else left alone. */
char *template_render(struct arena *arena, const char *text, const struct template_values *values,
                      bool *ret_uses_task_template, struct err *e);

#endif
