#include "cli/flytectl/flyte_project.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "proto/json.h"

#include <string.h>

#define FILE_MAXIMUM ((size_t)1024 * 1024)

static Flyteidl__Admin__Project *read_file(struct flyte *flyte, const char *path, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return NULL;
	auto_json json_t *document = yaml_parse(buf_text(&text), text.length, path, e);
	auto_free char *json = document ? json_to_text(document) : NULL;
	Flyteidl__Admin__Project *project =
	        json ? proto_json_parse(&flyte->arena, flyteidl__admin__project, json, strlen(json), 0, e) : NULL;
	if (!project)
		err_wrap(e, "%s", path);
	return project;
}

static int add_label(struct flyte *flyte, Flyteidl__Admin__Labels *labels, const char *text, size_t length,
                     struct err *e)
{
	const char *sign = memchr(text, '=', length);
	if (!sign || sign == text)
		return err_set(e, ERR_USAGE, "bad-value", "--labels: '%.*s' is not NAME=VALUE", (int)length, text);
	Flyteidl__Admin__Labels__ValuesEntry *entry = (Flyteidl__Admin__Labels__ValuesEntry *)proto_new_of(
	        &flyte->arena, &flyteidl__admin__labels__values_entry__descriptor);
	entry->key = arena_strndup(&flyte->arena, text, (size_t)(sign - text));
	entry->value = arena_strndup(&flyte->arena, sign + 1, length - (size_t)(sign + 1 - text));
	proto_append(&flyte->arena, labels->n_values, labels->values, entry);
	return 0;
}

static int add_labels(struct flyte *flyte, const struct option_list *list, Flyteidl__Admin__Project *project,
                      struct err *e)
{
	if (!list->count)
		return 0;
	project->labels = proto_new(&flyte->arena, flyteidl__admin__labels);
	for (size_t i = 0; i < list->count; i++) {
		for (const char *at = list->items[i]; *at;) {
			const size_t length = strcspn(at, ",");
			if (add_label(flyte, project->labels, at, length, e) < 0)
				return -1;
			at += length + (at[length] == ',');
		}
	}
	return 0;
}

Flyteidl__Admin__Project *flyte_project_of(struct flyte *flyte, const struct flyte_options *options,
                                           const struct flyte_project *given, struct err *e)
{
	Flyteidl__Admin__Project *project =
	        given->file ? read_file(flyte, given->file, e) : proto_new(&flyte->arena, flyteidl__admin__project);
	if (!project)
		return NULL;
	if (!given->file) {
		project->id = arena_strdup(&flyte->arena, given->id);
		project->name = arena_strdup(&flyte->arena, given->name);
		project->description = arena_strdup(&flyte->arena, given->description);
		if (add_labels(flyte, &given->labels, project, e) < 0)
			return NULL;
	}
	const bool named = !text_is_empty(options->project);
	if (!*project->id && !named) {
		err_set(e, ERR_USAGE, "missing-option", "project id wasn't passed");
		err_hint(e, "give --id ID, or -p ID");
		return NULL;
	}
	if (*project->id && named) {
		err_set(e, ERR_USAGE, "bad-option", "both project and id are passed");
		return NULL;
	}
	if (named)
		project->id = arena_strdup(&flyte->arena, options->project);
	return project;
}
