#include "flyte/execution_file.h"

#include "base/text.h"
#include "base/yaml.h"
#include "controlplane/compiler/types.h"
#include "flyte/literal.h"
#include "proto/message.h"

#include <string.h>

#define NAMES_SHOWN_MAXIMUM ((size_t)4096)

static const char *const known[] = { "iamRoleARN",    "inputs",      "envs",     "kubeServiceAcct",
	                             "targetDomain",  "task",        "version",  "targetExecutionCluster",
	                             "targetProject", "workflow",    "relaunch", "overwriteCache",
	                             "recover",       "clusterPool", "dryRun" };

void execution_file_release(struct execution_file *file)
{
	json_decref(file->document);
	yaml_places_release(&file->places);
	*file = (struct execution_file)EXECUTION_FILE_INIT;
}

struct reading {
	struct arena *arena;
	const json_t *document;
	const char *subject;
	const struct yaml_places *places;
	bool failed;
};

static int wrong(struct reading *r, const char *member, const char *what, struct err *e)
{
	r->failed = true;
	return err_set(e, ERR_INVALID, "bad-execution-file", "%s: line %zu: '%s' %s", r->subject,
	               yaml_line_of(r->places, &member, 1), member, what);
}

/* The member as text: numbers too, because a version may look like one. "" when absent. */
static const char *text_at(struct reading *r, const char *member, struct err *e)
{
	const json_t *value = json_object_get(r->document, member);
	if (r->failed || !value || json_is_null(value))
		return "";
	if (json_is_string(value))
		return arena_strdup(r->arena, json_string_value(value));
	if (!json_is_number(value)) {
		wrong(r, member, "has to be text", e);
		return "";
	}
	auto_free char *text = json_to_text(value);
	return arena_strdup(r->arena, text);
}

static const json_t *object_at(struct reading *r, const char *member, struct err *e)
{
	const json_t *value = json_object_get(r->document, member);
	if (r->failed || !value || json_is_null(value))
		return NULL;
	if (!json_is_object(value))
		wrong(r, member, "has to be a mapping", e);
	return value;
}

static int check_members(struct reading *r, struct err *e)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)r->document, key, value)
	{
		bool found = false;
		for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
			found = found || text_equal(known[i], key);
		if (found)
			continue;
		wrong(r, key, "is no member of an execution file", e);
		const char *near = text_suggest(key, known, ARRAY_LENGTH(known));
		return near ? err_hint(e, "did you mean '%s'?", near) : -1;
	}
	return 0;
}

int execution_file_parse(struct arena *arena, const char *bytes, size_t length, const char *subject,
                         struct execution_file *ret_file, struct err *e)
{
	auto_yaml_places struct yaml_places places = YAML_PLACES_INIT;
	auto_json json_t *document = yaml_parse_places(bytes, length, subject, &places, e);
	if (!document)
		return -1;
	if (!json_is_object(document)) {
		err_set(e, ERR_INVALID, "bad-execution-file", "%s: not a mapping", subject);
		return err_hint(e, "`sandbox get launchplan NAME --version VERSION --execFile FILE` writes one");
	}
	struct reading r = { .arena = arena, .document = document, .subject = subject, .places = &places };
	if (check_members(&r, e) < 0)
		return -1;
	struct execution_file file = {
		.task = text_at(&r, "task", e),
		.workflow = text_at(&r, "workflow", e),
		.version = text_at(&r, "version", e),
		.target_project = text_at(&r, "targetProject", e),
		.target_domain = text_at(&r, "targetDomain", e),
		.target_execution_cluster = text_at(&r, "targetExecutionCluster", e),
		.service_account = text_at(&r, "kubeServiceAcct", e),
		.iam_role = text_at(&r, "iamRoleARN", e),
		.cluster_pool = text_at(&r, "clusterPool", e),
		.overwrite_cache = json_is_true(json_object_get(document, "overwriteCache")),
		.inputs = object_at(&r, "inputs", e),
		.envs = object_at(&r, "envs", e),
	};
	if (r.failed)
		return -1;
	if (!*file.task == !*file.workflow)
		return err_set(e, ERR_INVALID, "bad-execution-file",
		               "%s: either task or workflow name should be specified to launch an execution", subject);
	file.document = json_incref(document);
	file.places = places;
	places = (struct yaml_places)YAML_PLACES_INIT;
	*ret_file = file;
	return 0;
}

/* ---- Inputs ---- */

struct execution_inputs execution_inputs_of_parameters(struct arena *arena,
                                                       const Flyteidl__Core__ParameterMap *parameters)
{
	struct execution_inputs inputs = { .count = 0 };
	if (!parameters)
		return inputs;
	inputs.list = arena_array(arena, struct execution_input, parameters->n_parameters + 1);
	for (size_t i = 0; i < parameters->n_parameters; i++) {
		const Flyteidl__Core__Parameter *parameter = parameters->parameters[i]->value;
		if (!parameter || !parameter->var)
			continue;
		inputs.list[inputs.count++] = (struct execution_input){
			.name = parameters->parameters[i]->key,
			.type = parameter->var->type,
			.fallback = parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT
			                    ? parameter->default_
			                    : NULL,
			.required = parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED &&
			            parameter->required,
			.description = parameter->var->description,
		};
	}
	return inputs;
}

struct execution_inputs execution_inputs_of_variables(struct arena *arena, const Flyteidl__Core__VariableMap *variables)
{
	struct execution_inputs inputs = { .count = 0 };
	if (!variables)
		return inputs;
	inputs.list = arena_array(arena, struct execution_input, variables->n_variables + 1);
	for (size_t i = 0; i < variables->n_variables; i++) {
		const Flyteidl__Core__Variable *variable = variables->variables[i]->value;
		if (!variable)
			continue;
		inputs.list[inputs.count++] = (struct execution_input){ .name = variables->variables[i]->key,
			                                                .type = variable->type,
			                                                .required = true,
			                                                .description = variable->description };
	}
	return inputs;
}

static const struct execution_input *find_input(const struct execution_inputs *inputs, const char *name)
{
	for (size_t i = 0; i < inputs->count; i++) {
		if (text_equal(inputs->list[i].name, name))
			return &inputs->list[i];
	}
	return NULL;
}

static int no_input(const struct execution_inputs *inputs, const char *name, struct err *e)
{
	err_set(e, ERR_INVALID, "bad-input", "no matching type for [%s]", name);
	if (!inputs->count)
		return err_hint(e, "it has no inputs");
	auto_free const char **names = xcalloc(inputs->count, sizeof(*names));
	auto_buf struct buf list = BUF_INIT(NAMES_SHOWN_MAXIMUM);
	for (size_t i = 0; i < inputs->count; i++) {
		names[i] = inputs->list[i].name;
		/* As many as there is room for. */
		(void)buf_add_format(&list, "%s%s", i ? ", " : "", names[i]);
	}
	const char *near = text_suggest(name, names, inputs->count);
	return near ? err_hint(e, "did you mean '%s'?", near) : err_hint(e, "its inputs are %s", buf_text(&list));
}

/* The control plane would name one of them, without its type. */
static int check_required(struct arena *arena, const struct execution_file *file, const struct execution_inputs *inputs,
                          struct err *e)
{
	auto_buf struct buf missing = BUF_INIT(NAMES_SHOWN_MAXIMUM);
	for (size_t i = 0; i < inputs->count; i++) {
		const struct execution_input *input = &inputs->list[i];
		if (input->required && !json_object_get(file->inputs, input->name))
			(void)buf_add_format(&missing, "%s%s (%s)", missing.length ? ", " : "", input->name,
			                     types_describe_in(arena, input->type));
	}
	if (!missing.length)
		return 0;
	return err_set(e, ERR_INVALID, "bad-input", "line %zu: inputs without a value or default: %s",
	               yaml_line_of(&file->places, (const char *const[]){ "inputs" }, 1), buf_text(&missing));
}

Flyteidl__Core__LiteralMap *execution_file_literals(struct arena *arena, const struct execution_file *file,
                                                    const struct execution_inputs *inputs, struct err *e)
{
	Flyteidl__Core__LiteralMap *map = proto_new(arena, flyteidl__core__literal_map);
	map->literals =
	        arena_array(arena, Flyteidl__Core__LiteralMap__LiteralsEntry *, json_object_size(file->inputs) + 1);
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)file->inputs, name, value)
	{
		const struct execution_input *input = find_input(inputs, name);
		const size_t line = yaml_line_of(&file->places, (const char *const[]){ "inputs", name }, 2);
		if (!input) {
			no_input(inputs, name, e);
			err_wrap(e, "line %zu", line);
			return NULL;
		}
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
		                arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = arena_strdup(arena, name);
		entry->value = literal_from_json(arena, input->type, value, e);
		if (!entry->value) {
			err_wrap(e, "line %zu: input '%s'", line, name);
			return NULL;
		}
		map->literals[map->n_literals++] = entry;
	}
	return check_required(arena, file, inputs, e) < 0 ? NULL : map;
}

/* ---- Writing ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct execution_input *)a)->name, ((const struct execution_input *)b)->name);
}

/* One input as YAML below "inputs:", with its description as a comment above it. */
static int print_input(struct arena *arena, const struct execution_input *input, int64_t now_seconds, struct buf *out,
                       struct err *e)
{
	auto_buf struct buf text = BUF_INIT(EXECUTION_FILE_MAXIMUM);
	const Flyteidl__Core__Literal *literal =
	        input->fallback ? input->fallback : literal_default(arena, input->type, now_seconds, e);
	json_t *value = literal ? literal_to_json(arena, literal, e) : NULL;
	auto_json json_t *member = value ? json_pack("{s:o}", input->name, value) : NULL;
	if (!member || yaml_print(member, &text, e) < 0)
		return err_wrap(e, "input '%s'", input->name);
	if (!text_is_empty(input->description) && !text_equal(input->description, input->name))
		(void)buf_add_format(out, "  # %.*s\n", (int)strcspn(input->description, "\r\n"), input->description);
	for (const char *line = buf_text(&text); *line;) {
		const size_t length = strcspn(line, "\n");
		(void)buf_add_format(out, "  %.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
	return 0;
}

static int print_rest(bool is_task, const char *name, const char *version, struct buf *out, struct err *e)
{
	/* The order of flytectl's struct; names and versions may need quotes. */
	auto_json json_t *rest =
	        json_pack("{s:{}, s:s, s:s, s:s, s:s, s:s}", "envs", "kubeServiceAcct", "", "targetDomain", "",
	                  "targetProject", "", is_task ? "task" : "version", is_task ? name : version,
	                  is_task ? "version" : "workflow", is_task ? version : name);
	return yaml_print(rest, out, e);
}

int execution_file_print(struct arena *arena, bool is_task, const char *name, const char *version,
                         const struct execution_inputs *inputs, int64_t now_seconds, struct buf *out, struct err *e)
{
	if (inputs->count)
		qsort(inputs->list, inputs->count, sizeof(*inputs->list), by_name);
	if (buf_add_str(out, inputs->count ? "iamRoleARN: \"\"\ninputs:\n" : "iamRoleARN: \"\"\ninputs: {}\n") < 0)
		return err_set(e, ERR_EXHAUSTED, "too-large", "the execution file is too large");
	for (size_t i = 0; i < inputs->count; i++) {
		if (print_input(arena, &inputs->list[i], now_seconds, out, e) < 0)
			return -1;
	}
	return print_rest(is_task, name, version, out, e);
}
