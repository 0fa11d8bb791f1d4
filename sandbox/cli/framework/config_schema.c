#include "cli/framework/config_schema.h"

#include "base/text.h"
#include "cli/framework/cli.h"
#include "cli/framework/verb.h"

#define DURATION_PATTERN "^[0-9]+[smhd]?$"
#define NEEDS_TRUST "In a project's file only where the project is trusted"

/* What a value may be where any text is taken: as it would be typed. */
static json_t *scalar(void)
{
	return json_pack("{s:[s, s, s]}", "type", "string", "number", "boolean");
}

static json_t *choices(const struct option *option)
{
	json_t *list = json_array();
	for (const char *const *choice = option->choices; *choice; choice++)
		json_array_append_new(list, json_string(*choice));
	return json_pack("{s:o}", "enum", list);
}

static json_t *values_of(const struct option *option)
{
	switch (option->kind) {
	case OPTION_FLAG:
		return json_pack("{s:[b, b, i, i, s, s, s, s, s, s]}", "enum", 1, 0, 1, 0, "true", "false", "yes", "no", "1",
		                 "0");
	case OPTION_CHOICE:
		return choices(option);
	case OPTION_NUMBER:
		return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)option->minimum, "maximum",
		                 (json_int_t)option->maximum);
	case OPTION_SECONDS:
		return json_pack("{s:[s, s], s:s, s:i}", "type", "string", "integer", "pattern", DURATION_PATTERN, "minimum", 0);
	case OPTION_LIST:
		return json_pack("{s:[o, {s:s, s:o}, {s:s, s:o}]}", "anyOf", scalar(), "type", "array", "items", scalar(), "type",
		                 "object", "additionalProperties", scalar());
	case OPTION_TEXT:
		break;
	}
	return scalar();
}

static void add_options(json_t *properties, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		/* Of the command line alone (config_files.c). */
		if (options == global_options && text_equal(option->name, "help"))
			continue;
		json_t *property = values_of(option);
		auto_free char *description =
		        option->of_project ? xstrdup(option->help) : xasprintf("%s. %s", option->help, NEEDS_TRUST);
		json_object_set_new(property, "description", json_string(description));
		if (option->fallback)
			json_object_set_new(property, "default", json_string(option->fallback));
		json_object_set_new(properties, option->name, property);
	}
}

static json_t *section(const struct verb *verb)
{
	json_t *properties = json_object();
	add_options(properties, verb->options);
	return json_pack("{s:[s, s], s:s, s:o, s:b}", "type", "object", "null", "description", verb->summary, "properties",
	                 properties, "additionalProperties", 0);
}

json_t *config_schema(void)
{
	json_t *properties = json_object();
	add_options(properties, global_options);
	for (size_t i = 0; i < verb_count; i++)
		json_object_set_new(properties, verbs[i]->name, section(verbs[i]));
	return json_pack("{s:s, s:s, s:s, s:[s, s], s:o, s:b}", "$schema", "https://json-schema.org/draft/2020-12/schema",
	                 "title", "sandbox.yaml", "description",
	                 "settings of the launcher `sandbox`: options of every verb by their names, and a mapping for each verb",
	                 "type", "object", "null", "properties", properties, "additionalProperties", 0);
}
