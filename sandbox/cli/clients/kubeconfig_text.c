#include "cli/clients/kubeconfig_text.h"

#include "base/text.h"
#include "base/yaml.h"

#include <string.h>
#include <yaml.h>

#define EDIT_MAXIMUM ((size_t)8 * 1024 * 1024)
/* Three lists and the current context. */
#define EDITS_MAXIMUM (KUBECONFIG_LIST_COUNT + 1)

/* Lines [first, last) become `text`. An insertion has first == last. */
struct edit {
	size_t first;
	size_t last;
	char *text;
};

struct editor {
	const char *text;
	size_t length;
	const char **lines; /* beginnings; one more than there are lines, at the end of the text */
	size_t line_count;
	yaml_document_t document;
	const yaml_node_t *root;
	struct edit edits[EDITS_MAXIMUM];
	size_t edit_count;
};

static void index_lines(struct editor *editor)
{
	size_t count = 1;
	for (size_t i = 0; i < editor->length; i++)
		count += editor->text[i] == '\n';
	editor->lines = xcalloc(count + 1, sizeof(*editor->lines));
	const char *end = editor->text + editor->length;
	for (const char *line = editor->text; line < end;) {
		editor->lines[editor->line_count++] = line;
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		line = newline ? newline + 1 : end;
	}
	editor->lines[editor->line_count] = end;
}

static yaml_node_t *node(struct editor *editor, int index)
{
	return yaml_document_get_node(&editor->document, index);
}

static const char *scalar(const yaml_node_t *value)
{
	return value && value->type == YAML_SCALAR_NODE ? (const char *)value->data.scalar.value : NULL;
}

/* The pair with that key in a mapping, or NULL. `ret_next` gets the line of the key after it. */
static const yaml_node_pair_t *find_pair(struct editor *editor, const yaml_node_t *mapping, const char *key,
                                         size_t *ret_next)
{
	const yaml_node_pair_t *found = NULL;
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
	     pair++) {
		if (found) {
			*ret_next = node(editor, pair->key)->start_mark.line;
			return found;
		}
		if (text_equal(scalar(node(editor, pair->key)), key))
			found = pair;
	}
	*ret_next = editor->line_count;
	return found;
}

static bool is_blank_or_comment(const struct editor *editor, size_t line)
{
	const char *at = editor->lines[line];
	const char *end = editor->lines[line + 1];
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at == end || *at == '\n' || *at == '#';
}

/* Comments between two entries belong to the one below; "---" and "..." end a document. */
static size_t trim_end(const struct editor *editor, size_t first, size_t last)
{
	while (last > first + 1 &&
	       (is_blank_or_comment(editor, last - 1) || text_starts_with(editor->lines[last - 1], "...")))
		last--;
	return last;
}

static void add_edit(struct editor *editor, size_t first, size_t last, char *text)
{
	editor->edits[editor->edit_count++] = (struct edit){ .first = first, .last = last, .text = text };
}

/* "- name: …" with its lines indented by `indent`. */
static char *print_entry(json_t *entry, size_t indent)
{
	auto_json json_t *list = json_pack("[O]", entry);
	auto_buf struct buf printed = BUF_INIT(EDIT_MAXIMUM);
	auto_buf struct buf out = BUF_INIT(EDIT_MAXIMUM);
	if (yaml_print(list, &printed, NULL) < 0)
		return NULL;
	for (const char *line = buf_text(&printed); *line;) {
		size_t length = strcspn(line, "\n") + 1;
		if (buf_add_format(&out, "%*s", (int)indent, "") < 0 || buf_add(&out, line, length) < 0)
			return NULL;
		line += length;
	}
	return buf_steal(&out);
}

struct item {
	size_t first; /* lines */
	size_t last;
	size_t indent;
	bool found;
};

/* The lines of the list's entry of that name; when there is none, where one would be inserted. */
static struct item find_item(struct editor *editor, const yaml_node_t *list, size_t end, const char *name)
{
	struct item item = { .first = 0 };
	const yaml_node_item_t *top = list->data.sequence.items.top;
	for (const yaml_node_item_t *at = list->data.sequence.items.start; at < top; at++) {
		const yaml_node_t *entry = node(editor, *at);
		size_t ignored;
		size_t next = at + 1 < top ? node(editor, at[1])->start_mark.line : end;
		item.first = entry->start_mark.line;
		item.last = trim_end(editor, item.first, next);
		item.indent = strspn(editor->lines[item.first], " ");
		const yaml_node_pair_t *pair =
		        entry->type == YAML_MAPPING_NODE ? find_pair(editor, entry, "name", &ignored) : NULL;
		if (pair && text_equal(scalar(node(editor, pair->value)), name)) {
			item.found = true;
			return item;
		}
	}
	return item;
}

static json_t *wanted_entry(const json_t *wanted, const char *list, const char *name)
{
	size_t i;
	json_t *entry;
	json_array_foreach(json_object_get(wanted, list), i, entry)
	{
		if (text_equal(json_string_at(entry, "name", NULL), name))
			return entry;
	}
	return NULL;
}

static int edit_list(struct editor *editor, const char *key, const json_t *wanted, const char *name)
{
	size_t end;
	const yaml_node_pair_t *pair = find_pair(editor, editor->root, key, &end);
	json_t *entry = wanted_entry(wanted, key, name);
	if (!pair)
		return 0;
	const yaml_node_t *list = node(editor, pair->value);
	size_t key_line = node(editor, pair->key)->start_mark.line;
	bool sequence = list->type == YAML_SEQUENCE_NODE;
	bool empty = !sequence || list->data.sequence.items.start == list->data.sequence.items.top;
	if (empty && entry) {
		auto_free char *text = print_entry(entry, 0);
		add_edit(editor, key_line, key_line + 1, xasprintf("%s:\n%s", key, text ? text : ""));
		return 0;
	}
	if (empty)
		return 0;
	if (list->data.sequence.style == YAML_FLOW_SEQUENCE_STYLE)
		return -1;
	struct item item = find_item(editor, list, end, name);
	if (!item.found && entry)
		add_edit(editor, item.last, item.last, print_entry(entry, item.indent));
	else if (item.found && entry)
		add_edit(editor, item.first, item.last, print_entry(entry, item.indent));
	else if (item.found && list->data.sequence.items.top - list->data.sequence.items.start == 1)
		add_edit(editor, key_line, item.last, xasprintf("%s: []\n", key));
	else if (item.found)
		add_edit(editor, item.first, item.last, xstrdup(""));
	return 0;
}

/* A list that the file does not have comes at its end. */
static void add_missing_list(struct editor *editor, const char *key, const json_t *wanted, const char *name)
{
	size_t end;
	json_t *entry = wanted_entry(wanted, key, name);
	if (!entry || find_pair(editor, editor->root, key, &end))
		return;
	auto_free char *text = print_entry(entry, 0);
	add_edit(editor, editor->line_count, editor->line_count, xasprintf("%s:\n%s", key, text ? text : ""));
}

static void edit_current(struct editor *editor, const json_t *wanted)
{
	static const char key[] = "current-context";
	const char *value = json_string_at(wanted, key, NULL);
	size_t end;
	const yaml_node_pair_t *pair = find_pair(editor, editor->root, key, &end);
	if (!value || (pair && text_equal(scalar(node(editor, pair->value)), value)))
		return;
	auto_json json_t *line = json_pack("{s:s}", key, value);
	auto_buf struct buf text = BUF_INIT(EDIT_MAXIMUM);
	(void)yaml_print(line, &text, NULL);
	size_t at = pair ? node(editor, pair->key)->start_mark.line : editor->line_count;
	add_edit(editor, at, at + (pair != NULL), buf_steal(&text));
}

static char *apply(struct editor *editor)
{
	auto_buf struct buf out = BUF_INIT(EDIT_MAXIMUM);
	size_t line = 0;
	for (;;) {
		/* The edit that comes first; those at the same line in the order in which they were made. */
		struct edit *next = NULL;
		for (size_t i = 0; i < editor->edit_count; i++) {
			struct edit *edit = &editor->edits[i];
			if (edit->text && (!next || edit->first < next->first))
				next = edit;
		}
		size_t until = next ? next->first : editor->line_count;
		if (until < line ||
		    buf_add(&out, editor->lines[line], (size_t)(editor->lines[until] - editor->lines[line])) < 0)
			return NULL;
		if (!next)
			return buf_steal(&out);
		bool glued = out.length && out.data[out.length - 1] != '\n';
		if ((glued && buf_add_byte(&out, '\n') < 0) || buf_add_str(&out, next->text) < 0)
			return NULL;
		line = next->last;
		free(next->text);
		next->text = NULL;
	}
}

static char *edit(struct editor *editor, const json_t *wanted, const char *name)
{
	editor->root = yaml_document_get_root_node(&editor->document);
	if (!editor->root || editor->root->type != YAML_MAPPING_NODE ||
	    editor->root->data.mapping.style == YAML_FLOW_MAPPING_STYLE)
		return NULL;
	for (size_t i = 0; i < KUBECONFIG_LIST_COUNT; i++) {
		if (edit_list(editor, kubeconfig_lists[i], wanted, name) < 0)
			return NULL;
	}
	/* After the others: what is added to the file's last list stands on the same line. */
	for (size_t i = 0; i < KUBECONFIG_LIST_COUNT; i++)
		add_missing_list(editor, kubeconfig_lists[i], wanted, name);
	edit_current(editor, wanted);
	return apply(editor);
}

/* Line breaks that libyaml counts and we do not: a lone CR, NEL, LS and PS. */
static bool has_other_breaks(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		const unsigned char *at = (const unsigned char *)text + i;
		size_t left = length - i;
		bool lone_return = at[0] == '\r' && (left < 2 || at[1] != '\n');
		bool next_line = left >= 2 && at[0] == 0xc2 && at[1] == 0x85;
		bool separator = left >= 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9);
		if (lone_return || next_line || separator)
			return true;
	}
	return false;
}

char *kubeconfig_text_edit(const char *text, size_t length, const json_t *wanted, const char *name)
{
	struct editor editor = { .text = text, .length = length };
	yaml_parser_t parser;
	char *result = NULL;
	if (has_other_breaks(text, length))
		return NULL;
	if (!yaml_parser_initialize(&parser))
		memory_exhausted();
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
	if (yaml_parser_load(&parser, &editor.document)) {
		index_lines(&editor);
		result = edit(&editor, wanted, name);
		yaml_document_delete(&editor.document);
	} else if (parser.error == YAML_MEMORY_ERROR) {
		/* Not what the caller would take it for: a layout that costs the file its comments. */
		memory_exhausted();
	}
	yaml_parser_delete(&parser);
	for (size_t i = 0; i < editor.edit_count; i++)
		free(editor.edits[i].text);
	free(editor.lines);
	return result;
}
