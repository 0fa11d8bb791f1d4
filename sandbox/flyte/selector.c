#include "flyte/selector.h"

#include "base/buf.h"

#include <string.h>

#define SELECTOR_MAXIMUM ((size_t)65536)

static const struct operator
{
	const char *sign;
	const char *function;
}
operators[] = {
	/* Longer signs before those that they begin with. */
	{ "!=", "ne" },         { ">=", "gte" }, { "<=", "lte" }, { " contains ", "contains" },
	{ " in ", "value_in" }, { "=", "eq" },   { ">", "gt" },   { "<", "lt" },
};

/* The first operator of the term, from the left. */
static const struct operator* find_operator(const char *term, size_t length, size_t *ret_at)
{
	for (size_t at = 0; at < length; at++) {
		for (size_t i = 0; i < ARRAY_LENGTH(operators); i++) {
			const size_t sign = strlen(operators[i].sign);
			if (length - at >= sign && memcmp(term + at, operators[i].sign, sign) == 0) {
				*ret_at = at;
				return &operators[i];
			}
		}
	}
	return NULL;
}

static void trim(const char **text, size_t *length)
{
	while (*length && (*text)[0] == ' ') {
		(*text)++;
		(*length)--;
	}
	while (*length && (*text)[*length - 1] == ' ')
		(*length)--;
}

static int add_term(const char *term, size_t length, struct buf *out, struct err *e)
{
	size_t at;
	const struct operator* operator= find_operator(term, length, &at);
	if (!operator)
		return err_set(e, ERR_USAGE, "bad-selector", "'%.*s' has none of = != > >= < <= in contains",
		               (int)length, term);
	const char *left = term;
	size_t left_length = at;
	const char *right = term + at + strlen(operator->sign);
	size_t right_length = length - at - strlen(operator->sign);
	trim(&left, &left_length);
	trim(&right, &right_length);
	if (right_length >= 2 && operator->sign[1] == 'i' && right[0] == '(' && right[right_length - 1] == ')') {
		right++;
		right_length -= 2;
	}
	if (!left_length || !right_length)
		return err_set(e, ERR_USAGE, "bad-selector", "'%.*s': please add a valid field selector", (int)length,
		               term);
	if (out->length)
		(void)buf_add_byte(out, '+');
	(void)buf_add_format(out, "%s(%.*s,", operator->function, (int)left_length, left);
	for (size_t i = 0; i < right_length; i++) {
		/* "\," and "\=" are what they escape. */
		const bool escaped = right[i] == '\\' && i + 1 < right_length && strchr("\\,=", right[i + 1]);
		i += escaped;
		(void)buf_add_byte(out, right[i]);
	}
	return buf_add_byte(out, ')') < 0 ? err_set(e, ERR_USAGE, "bad-selector", "the field selector is too long") : 0;
}

/* Bytes up to a comma that is not escaped. */
static size_t term_length(const char *text)
{
	size_t length = 0;
	while (text[length] && text[length] != ',')
		length += text[length] == '\\' && text[length + 1] ? 2 : 1;
	return length;
}

const char *selector_to_filters(struct arena *arena, const char *selector, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(SELECTOR_MAXIMUM);
	for (const char *at = selector ? selector : ""; *at;) {
		const size_t length = term_length(at);
		if (length && add_term(at, length, &out, e) < 0)
			return NULL;
		at += length + (at[length] == ',');
	}
	return arena_strndup(arena, buf_text(&out), out.length);
}
