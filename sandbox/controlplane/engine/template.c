/*
 * One pass from left to right: a value that is put in is not searched for templates again, so that an input can hold
 * any text. (Upstream replaces name after name; the results differ only where an input's or path's value is itself a
 * template.) {{.namespace}} inside of a path is the exception, which configured prefixes may use.
 */
#include "controlplane/engine/template.h"

#include "base/buf.h"
#include "base/text.h"
#include "proto/go_format.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define RENDERED_MAXIMUM ((size_t)8 * 1024 * 1024)

/* A "{{ .name }}" found at the start of a text. */
struct reference {
	const char *name;
	size_t name_length;
	size_t length; /* of the whole, braces included */
};

static size_t skip_spaces(const char *text)
{
	return strspn(text, " \t\n\f\r");
}

static bool parse_reference(const char *text, struct reference *ret_reference)
{
	if (!text_starts_with(text, "{{"))
		return false;
	const char *at = text + 2;
	at += skip_spaces(at);
	if (*at != '.' && *at != '$')
		return false;
	const char *name = ++at;
	/* A brace ends it, too: else many beginnings without an end would each cross the whole text. */
	at += strcspn(at, "{} \t\n\f\r");
	size_t name_length = (size_t)(at - name);
	at += skip_spaces(at);
	if (!name_length || !text_starts_with(at, "}}"))
		return false;
	*ret_reference =
	        (struct reference){ .name = name, .name_length = name_length, .length = (size_t)(at + 2 - text) };
	return true;
}

static bool is_named(const struct reference *reference, const char *name)
{
	return strlen(name) == reference->name_length &&
	       strncasecmp(reference->name, name, reference->name_length) == 0;
}

static const char *find(const struct reference *reference, const struct template_variable *variables, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_named(reference, variables[i].name))
			return variables[i].value;
	}
	return NULL;
}

char *template_fill(struct arena *arena, const char *text, const struct template_variable *variables, size_t count)
{
	auto_buf struct buf out = BUF_INIT(RENDERED_MAXIMUM);
	while (*text) {
		struct reference reference = { .length = 1 };
		const char *value = parse_reference(text, &reference) ? find(&reference, variables, count) : NULL;
		if (value)
			buf_add_str(&out, value);
		else
			buf_add(&out, text, reference.length);
		text += reference.length;
	}
	return arena_strdup(arena, buf_text(&out));
}

/* The value of a reference other than inputs.x; NULL when unknown or not given. */
static const char *look_up(const struct reference *reference, const struct template_values *values,
                           bool *ret_uses_task_template)
{
	const struct template_variable table[] = {
		{ "input", values->input },
		{ "inputPrefix", values->input_prefix },
		{ "outputPrefix", values->output_prefix },
		{ "rawOutputDataPrefix", values->raw_output_data_prefix },
		{ "checkpointOutputPrefix", values->checkpoint_output_prefix },
		{ "perRetryUniqueKey", values->per_retry_unique_key },
		{ "taskTemplatePath", values->task_template_path },
		{ "namespace", values->namespace },
	};
	if (is_named(reference, "prevCheckpointPrefix")) {
		const char *previous = values->prev_checkpoint_prefix;
		return previous && !*previous ? "\"\"" : previous;
	}
	if (is_named(reference, "taskTemplatePath") && ret_uses_task_template)
		*ret_uses_task_template = true;
	return find(reference, table, ARRAY_LENGTH(table));
}

static bool is_input(const struct reference *reference)
{
	return reference->name_length > 7 && strncasecmp(reference->name, "inputs.", 7) == 0;
}

/* Input names are case-sensitive, unlike the word "inputs". */
static const char *input_value(struct arena *arena, const struct reference *reference,
                               const struct template_values *values, struct err *e)
{
	const char *name = arena_strndup(arena, reference->name + 7, reference->name_length - 7);
	for (size_t i = 0; i < values->inputs->n_literals; i++) {
		const Flyteidl__Core__LiteralMap__LiteralsEntry *entry = values->inputs->literals[i];
		if (!text_equal(entry->key, name) || !entry->value)
			continue;
		const char *text = go_format_literal(arena, entry->value, e);
		if (!text)
			err_wrap(e, "input template [%.*s]: failed to bind a value to inputName [%s]",
			         (int)reference->length, reference->name, name);
		return text;
	}
	err_set(e, ERR_INVALID, "BadTaskSpecification",
	        "input template [{{.inputs.%s}}]: requested input is not found [%s]", name, name);
	return NULL;
}

/* Paths may contain {{.namespace}}. */
static const char *expand_namespace(struct arena *arena, const char *value, const struct template_values *values,
                                    struct err *e)
{
	if (!strstr(value, "{{") || value == values->namespace)
		return value;
	return template_render(arena, value, &(struct template_values){ .namespace = values->namespace }, NULL, e);
}

char *template_render(struct arena *arena, const char *text, const struct template_values *values,
                      bool *ret_uses_task_template, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(RENDERED_MAXIMUM);
	bool has_inputs = values->inputs && values->inputs->n_literals;
	int outcome = 0;
	while (*text && outcome == 0) {
		struct reference reference;
		if (!parse_reference(text, &reference)) {
			outcome = buf_add_byte(&out, *text++);
			continue;
		}
		bool input = has_inputs && is_input(&reference);
		const char *value = input ? input_value(arena, &reference, values, e)
		                          : look_up(&reference, values, ret_uses_task_template);
		if (value && !input)
			value = expand_namespace(arena, value, values, e);
		else if (!value && input)
			return NULL;
		outcome = value ? buf_add_str(&out, value) : buf_add(&out, text, reference.length);
		text += reference.length;
	}
	if (outcome < 0) {
		err_set(e, ERR_EXHAUSTED, "BadTaskSpecification", "a command argument is longer than %zu bytes",
		        RENDERED_MAXIMUM);
		return NULL;
	}
	return arena_strdup(arena, buf_text(&out));
}
