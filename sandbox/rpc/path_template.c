#include "rpc/path_template.h"

#include "base/memory.h"

#include <string.h>

void path_template_release(struct path_template *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->segments[i].text);
	t->count = 0;
}

void path_values_release(struct path_values *values)
{
	for (size_t i = 0; i < values->count; i++)
		free(values->values[i]);
	values->count = 0;
}

static bool is_field_path(const char *text, size_t length)
{
	bool start = true;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		bool digit = c >= '0' && c <= '9';
		if (start ? !letter : !(letter || digit || c == '.'))
			return false;
		start = c == '.';
	}
	return length && !start;
}

/* One segment between slashes. */
static int parse_segment(const char *text, size_t length, struct path_segment *ret_segment, struct err *e)
{
	struct path_segment segment = { 0 };
	if (length && text[0] == '{') {
		if (text[length - 1] != '}')
			return err_set(e, ERR_INVALID, "bad-path-template", "variable without '}'");
		const char *name = text + 1;
		size_t inner = length - 2;
		const char *equals = memchr(name, '=', inner);
		size_t name_length = equals ? (size_t)(equals - name) : inner;
		size_t pattern_length = equals ? inner - name_length - 1 : 1;
		const char *pattern = equals ? equals + 1 : "*";
		segment.variable = true;
		segment.rest = pattern_length == 2 && memcmp(pattern, "**", 2) == 0;
		if (!segment.rest && !(pattern_length == 1 && pattern[0] == '*'))
			return err_set(e, ERR_INVALID, "bad-path-template", "unsupported pattern in a variable");
		if (!is_field_path(name, name_length))
			return err_set(e, ERR_INVALID, "bad-path-template", "malformed field path in a variable");
		segment.text = xstrndup(name, name_length);
	} else {
		if (!length || memchr(text, '*', length) || memchr(text, ':', length) || memchr(text, '{', length) ||
		    memchr(text, '}', length))
			return err_set(e, ERR_INVALID, "bad-path-template", "malformed segment \"%.*s\"", (int)length,
			               text);
		segment.text = xstrndup(text, length);
	}
	*ret_segment = segment;
	return 0;
}

int path_template_parse(const char *text, struct path_template *ret_template, struct err *e)
{
	struct path_template t = { .count = 0 };
	const char *cursor = text;
	if (*cursor != '/')
		return err_set(e, ERR_INVALID, "bad-path-template", "path template \"%s\" does not start with '/'",
		               text);
	while (*cursor) {
		cursor++;
		size_t length = strcspn(cursor, "/");
		bool full = t.count == PATH_SEGMENTS_MAXIMUM;
		bool behind_rest = t.count && t.segments[t.count - 1].rest;
		if (full || behind_rest)
			err_set(e, ERR_INVALID, "bad-path-template", full ? "too many segments" : "segments behind **");
		if (full || behind_rest || parse_segment(cursor, length, &t.segments[t.count], e) < 0) {
			path_template_release(&t);
			return err_wrap(e, "path template \"%s\"", text);
		}
		t.count++;
		cursor += length;
	}
	*ret_template = t;
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

char *path_percent_decode(const char *text, size_t length, bool plus)
{
	auto_free char *decoded = xmalloc(length + 1);
	size_t n = 0;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (c == '%') {
			if (length - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
				return NULL;
			c = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (!c)
			return NULL;
		decoded[n++] = c;
	}
	decoded[n] = '\0';
	return steal_ptr(decoded);
}

static bool match_segment(const struct path_segment *segment, const char *text, size_t length,
                          struct path_values *values)
{
	auto_free char *decoded = path_percent_decode(text, length, false);
	if (!decoded)
		return false;
	if (!segment->variable)
		return strcmp(decoded, segment->text) == 0;
	if (!*decoded && !segment->rest)
		return false;
	values->values[values->count++] = steal_ptr(decoded);
	return true;
}

bool path_template_match(const struct path_template *t, const char *path, struct path_values *ret_values)
{
	struct path_values values = { .count = 0 };
	const char *cursor = path;
	bool matches = true;
	for (size_t i = 0; i < t->count && matches; i++) {
		matches = *cursor == '/';
		if (!matches)
			break;
		cursor++;
		size_t length = t->segments[i].rest ? strlen(cursor) : strcspn(cursor, "/");
		matches = match_segment(&t->segments[i], cursor, length, &values);
		cursor += length;
	}
	matches = matches && !*cursor;
	if (matches && ret_values)
		*ret_values = values;
	else
		path_values_release(&values);
	return matches;
}

int path_template_compare(const struct path_template *a, const struct path_template *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		int left = a->segments[i].variable + a->segments[i].rest,
		    right = b->segments[i].variable + b->segments[i].rest;
		if (left != right)
			return left - right;
	}
	return 0;
}
