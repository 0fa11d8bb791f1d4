#include "cli/flytectl/flyte_print.h"

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/flytectl/grid.h"
#include "proto/json.h"

#include <string.h>
#include <unistd.h>

#define TEXT_MAXIMUM ((size_t)256 * 1024 * 1024)
#define DESCRIPTION_COLUMNS 25
#define ANSWER_MAXIMUM 64
#define CHANGES_LINES_MAXIMUM ((size_t)2000)

const char *flyte_format(const struct cli *cli)
{
	return text_equal(cli->globals.output, "text") ? "table" : cli->globals.output;
}

void flyte_put_json(json_t *value)
{
	auto_json json_t *owned = value;
	auto_free char *text = json_dumps(owned, JSON_INDENT(2) | JSON_ENCODE_ANY);
	puts(text ? text : "null");
}

json_t *flyte_message_json(const ProtobufCMessage *message, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	if (proto_json_print(message, PROTO_JSON_CAMEL_CASE | PROTO_JSON_OMIT_DEFAULTS, &text, e) < 0)
		return NULL;
	return json_parse(buf_text(&text), text.length, "a message", e);
}

/* ---- Cells ---- */

static void add_description(const char *name, const char *description, struct buf *out)
{
	const bool says_more = !text_is_empty(description) && !text_equal(name, description);
	auto_free char *line = xasprintf("%s%s%s", name, says_more ? ": " : "", says_more ? description : "");
	const bool long_line = strlen(line) > DESCRIPTION_COLUMNS;
	(void)buf_add_format(out, "%s%.*s%s", out->length ? "\n" : "",
	                     long_line ? DESCRIPTION_COLUMNS - 3 : (int)strlen(line), line, long_line ? "..." : "");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The variables of an interface, a line each, in the order of their names. */
static char *descriptions_of(const json_t *variables, const char *path)
{
	auto_buf struct buf out = BUF_INIT(TEXT_MAXIMUM);
	auto_free const char **names = xcalloc(json_object_size(variables) + 1, sizeof(*names));
	size_t count = 0;
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)variables, name, value) names[count++] = name;
	if (count)
		qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++)
		add_description(names[i], json_string_at(json_object_get(variables, names[i]), path, ""), &out);
	return buf_steal(&out);
}

static char *cell_of(const json_t *row, const struct flyte_column *column)
{
	const json_t *value = json_lookup(row, column->path);
	if (column->description)
		return descriptions_of(value, column->description);
	if (!value || json_is_null(value))
		return xstrdup("");
	char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : json_to_text(value);
	if (column->maximum && strlen(text) > column->maximum)
		text[column->maximum] = '\0';
	return text;
}

static void print_table(const struct flyte_column *columns, size_t count, const json_t *rows)
{
	auto_grid struct grid grid = GRID_INIT(count);
	auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
	auto_free char **cells = xcalloc(count, sizeof(*cells));
	for (size_t i = 0; i < count; i++)
		cells[i] = xstrdup(columns[i].heading);
	size_t row = 0;
	for (;;) {
		grid_add(&grid, (const char *const *)cells);
		for (size_t i = 0; i < count; i++)
			free(cells[i]);
		if (row == json_array_size(rows))
			break;
		for (size_t i = 0; i < count; i++)
			cells[i] = cell_of(json_array_get(rows, row), &columns[i]);
		row++;
	}
	grid_render(&grid, &text);
	fputs(buf_text(&text), stdout);
}

int flyte_print_json(const struct cli *cli, const struct flyte_column *columns, size_t column_count, json_t *value,
                     struct err *e)
{
	const char *format = flyte_format(cli);
	if (text_equal(format, "yaml")) {
		auto_buf struct buf text = BUF_INIT(TEXT_MAXIMUM);
		if (yaml_print(value, &text, e) < 0)
			return -1;
		fputs(buf_text(&text), stdout);
	} else if (text_equal(format, "json")) {
		flyte_put_json(json_incref(value));
	} else {
		auto_json json_t *rows = json_is_array(value) ? json_incref(value) : json_pack("[O]", value);
		print_table(columns, column_count, rows);
	}
	return 0;
}

int flyte_print(const struct cli *cli, const struct flyte_column *columns, size_t column_count,
                ProtobufCMessage *const *messages, size_t count, struct err *e)
{
	auto_json json_t *rows = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *row = flyte_message_json(messages[i], e);
		if (!row)
			return -1;
		json_array_append_new(rows, row);
	}
	return flyte_print_json(cli, columns, column_count, count == 1 ? json_array_get(rows, 0) : rows, e);
}

/* ---- Questions ---- */

int flyte_confirm(struct cli *cli, const char *question, const char *flag, struct err *e)
{
	char answer[ANSWER_MAXIMUM];
	cli_progress_end(cli);
	fflush(stdout);
	fprintf(stderr, "%s [y/n]: ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y'))
		return 0;
	err_set(e, ERR_PRECONDITION, "not-confirmed", "aborted: the question was not answered with yes");
	return flag ? err_hint(e, "%s does it without asking", flag) : -1;
}

int flyte_write_file(struct cli *cli, const char *path, const struct buf *text, struct err *e)
{
	auto_free char *question = xasprintf("warning file %s will be overwritten", path);
	if (file_exists(path) && flyte_confirm(cli, question, NULL, e) < 0) {
		err_hint(e, "remove the file, or name another one");
		return -1;
	}
	return file_write_atomic(path, buf_text(text), text->length, 0600, e);
}

/* ---- Changes ---- */

struct lines {
	char *text;
	char **at;
	size_t count;
};

static void split(const char *text, struct lines *lines)
{
	lines->text = xstrdup(text);
	lines->at = xcalloc(CHANGES_LINES_MAXIMUM, sizeof(*lines->at));
	char *rest = lines->text;
	for (char *line = strsep(&rest, "\n"); line && lines->count < CHANGES_LINES_MAXIMUM;
	     line = strsep(&rest, "\n")) {
		if (*line || rest)
			lines->at[lines->count++] = line;
	}
}

/* Longest common subsequence by the textbook's table: the texts are attributes of a few lines. */
static void print_diff(const struct lines *a, const struct lines *b)
{
	const size_t width = b->count + 1;
	auto_free unsigned *common = xcalloc((a->count + 1) * width, sizeof(*common));
	for (size_t i = a->count; i-- > 0;) {
		for (size_t k = b->count; k-- > 0;) {
			const unsigned down = common[(i + 1) * width + k];
			const unsigned right = common[i * width + k + 1];
			common[i * width + k] = text_equal(a->at[i], b->at[k]) ? common[(i + 1) * width + k + 1] + 1
			                        : down > right                 ? down
			                                                       : right;
		}
	}
	printf("--- before\n+++ after\n@@ -%d,%zu +%d,%zu @@\n", a->count ? 1 : 0, a->count, b->count ? 1 : 0,
	       b->count);
	size_t i = 0;
	size_t k = 0;
	while (i < a->count || k < b->count) {
		if (i < a->count && k < b->count && text_equal(a->at[i], b->at[k])) {
			printf(" %s\n", a->at[i++]);
			k++;
		} else if (i < a->count &&
		           (k == b->count || common[(i + 1) * width + k] >= common[i * width + k + 1])) {
			printf("-%s\n", a->at[i++]);
		} else {
			printf("+%s\n", b->at[k++]);
		}
	}
}

bool flyte_print_changes(const char *before, const char *after)
{
	if (text_equal(before, after)) {
		puts("No changes detected. Skipping the update.");
		return false;
	}
	struct lines a = { .count = 0 };
	struct lines b = { .count = 0 };
	split(before, &a);
	split(after, &b);
	puts("The following changes are to be applied.");
	print_diff(&a, &b);
	free(a.text);
	free(a.at);
	free(b.text);
	free(b.at);
	return true;
}
