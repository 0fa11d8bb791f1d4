#include "controlplane/store/filter.h"

#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>

static const struct {
	const char *name;
	const char *title; /* as upstream's errors call it */
	bool takes_list;
} functions[FILTER_FUNCTION_COUNT] = {
	[FILTER_CONTAINS] = { "contains", "contains", false },
	[FILTER_NOT_LIKE] = { "not_like", "not like", false },
	[FILTER_GT] = { "gt", "greater than", false },
	[FILTER_GTE] = { "gte", "greater than or equal", false },
	[FILTER_LT] = { "lt", "less than", false },
	[FILTER_LTE] = { "lte", "less than or equal", false },
	[FILTER_EQ] = { "eq", "equal", false },
	[FILTER_NE] = { "ne", "not equal", false },
	[FILTER_VALUE_IN] = { "value_in", "value in", true },
	[FILTER_VALUE_NOT_IN] = { "value_not_in", "value not in", true },
};

static int malformed(struct err *e)
{
	return err_set(e, ERR_INVALID, "invalid-filter", "invalid value for filters");
}

static bool is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Whether `text` begins with `name(`. */
static bool begins_term(const char *text)
{
	const char *p = text;
	while (*p == ' ')
		p++;
	const char *name = p;
	while (is_name_character(*p))
		p++;
	return p > name && *p == '(';
}

/* Behind the ')' that ends the term at `text`, or NULL. */
static const char *end_of_term(const char *text)
{
	for (const char *p = strchr(text, ')'); p; p = strchr(p + 1, ')')) {
		const char *after = p + 1;
		while (*after == ' ')
			after++;
		if (!*after || (*after == '+' && begins_term(after + 1)))
			return p + 1;
	}
	return NULL;
}

static int find_function(struct arena *arena, const char *text, size_t length, enum filter_function *ret_function,
                         struct err *e)
{
	for (unsigned i = 0; i < FILTER_FUNCTION_COUNT; i++) {
		if (strlen(functions[i].name) == length && memcmp(functions[i].name, text, length) == 0) {
			*ret_function = (enum filter_function)i;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "invalid-filter", "unrecognized filter function: %s",
	               arena_strndup(arena, text, length));
}

static int split_values(struct arena *arena, char *text, struct filter_term *term, struct err *e)
{
	size_t count = 1;
	for (const char *p = text; (p = strchr(p, ';')); p++)
		count++;
	if (count > 1 && !functions[term->function].takes_list)
		return err_set(e, ERR_INVALID, "invalid-filter", "invalid single value filter expression: %s",
		               functions[term->function].title);
	if (count > FILTER_VALUE_MAXIMUM)
		return err_set(e, ERR_INVALID, "invalid-filter", "more than %zu values in one filter",
		               FILTER_VALUE_MAXIMUM);
	term->values = arena_array(arena, const char *, count);
	for (size_t i = 0; i < count; i++) {
		term->values[i] = text;
		text += strcspn(text, ";");
		if (*text)
			*text++ = '\0';
	}
	term->value_count = count;
	return 0;
}

/* `text` is one whole term, ending with its ')'. */
static int parse_term(struct arena *arena, const char *text, size_t length, struct filter_term *term, struct err *e)
{
	const char *end = text + length - 1;
	const char *open = memchr(text, '(', length);
	const char *comma = open ? memchr(open, ',', (size_t)(end - open)) : NULL;
	if (!comma || comma == open + 1)
		return malformed(e);
	const char *value = comma + 1;
	if (*value == ' ')
		value++;
	if (value >= end)
		return malformed(e);
	while (*text == ' ')
		text++;
	if (find_function(arena, text, (size_t)(open - text), &term->function, e) < 0)
		return -1;
	term->field = arena_strndup(arena, open + 1, (size_t)(comma - open - 1));
	return split_values(arena, arena_strndup(arena, value, (size_t)(end - value)), term, e);
}

int filter_parse(struct arena *arena, const char *text, struct filter_term **ret_terms, size_t *ret_count,
                 struct err *e)
{
	*ret_terms = NULL;
	*ret_count = 0;
	if (text_is_empty(text))
		return 0;
	if (strlen(text) > FILTER_TEXT_MAXIMUM)
		return err_set(e, ERR_INVALID, "invalid-filter", "filters are longer than %zu bytes",
		               FILTER_TEXT_MAXIMUM);
	struct filter_term *terms = arena_array(arena, struct filter_term, FILTER_TERM_MAXIMUM);
	size_t count = 0;
	for (;;) {
		const char *end = begins_term(text) ? end_of_term(text) : NULL;
		if (!end)
			return malformed(e);
		if (count == FILTER_TERM_MAXIMUM)
			return err_set(e, ERR_INVALID, "invalid-filter", "more than %zu filters", FILTER_TERM_MAXIMUM);
		if (parse_term(arena, text, (size_t)(end - text), &terms[count++], e) < 0)
			return -1;
		while (*end == ' ')
			end++;
		if (!*end)
			break;
		text = end + 1;
	}
	*ret_terms = terms;
	*ret_count = count;
	return 0;
}

bool filter_parse_time(const char *text, int64_t *ret_wall_ns)
{
	if (clock_parse_rfc3339(text, ret_wall_ns))
		return true;
	char full[64];
	size_t length = strlen(text);
	if (length > 40)
		return false;
	(void)snprintf(full, sizeof(full), "%s%s", text, length == 10 ? "T00:00:00Z" : "Z");
	if (length > 10 && full[10] == ' ')
		full[10] = 'T';
	return clock_parse_rfc3339(full, ret_wall_ns);
}
