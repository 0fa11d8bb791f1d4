#include "docker/ignore.h"

#include "base/buf.h"
#include "base/text.h"

#include <stdint.h>
#include <string.h>

enum token_kind {
	TOKEN_LITERAL, /* one byte */
	TOKEN_ANY,     /* "?": one character but '/' */
	TOKEN_SEGMENT, /* "*": any bytes but '/' */
	TOKEN_PARENTS, /* "**" before something: nothing, or anything up to and with a '/' */
	TOKEN_REST,    /* "**" at the end: anything */
	TOKEN_CLASS,   /* "[…]" */
};

struct token {
	enum token_kind kind;
	char byte;
	const char *class_start; /* behind '[' */
	const char *class_end;   /* at ']' */
};

struct ignore_pattern {
	char *text; /* cleaned, without '!'; classes point into it */
	struct token *tokens;
	size_t count;
	bool exception;
};

void ignore_release(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->count; i++) {
		free(ignore->patterns[i].text);
		free(ignore->patterns[i].tokens);
	}
	free(ignore->patterns);
	*ignore = (struct ignore)IGNORE_INIT;
}

/* Go's path.Clean: "a//b/./../c/" is "a/c"; a rooted path loses leading "..", "" is ".". */
static char *clean_path(const char *path, size_t length)
{
	char *out = xmalloc(length + 2);
	size_t used = 0;
	bool rooted = length && path[0] == '/';
	size_t floor = 0; /* what ".." may not take back */
	if (rooted)
		out[used++] = '/';
	floor = used;
	for (size_t i = rooted; i < length;) {
		size_t end = i;
		while (end < length && path[end] != '/')
			end++;
		size_t part = end - i;
		bool up = part == 2 && path[i] == '.' && path[i + 1] == '.';
		if (up && used > floor) {
			used--;
			while (used > floor && out[used] != '/')
				used--;
		} else if (up && rooted) {
			/* nothing above the root */
		} else if (part && !(part == 1 && path[i] == '.')) {
			if (used && out[used - 1] != '/')
				out[used++] = '/';
			memcpy(out + used, path + i, part);
			used += part;
			if (up)
				floor = used;
		}
		i = end + 1;
	}
	if (!used)
		out[used++] = '.';
	out[used] = '\0';
	return out;
}

static size_t character_length(const char *text)
{
	unsigned char c = (unsigned char)*text;
	size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 1;
	}
	return length;
}

static uint32_t character(const char *text)
{
	size_t length = character_length(text);
	uint32_t value = (unsigned char)*text;
	if (length > 1)
		value &= 0xffU >> (length + 1);
	for (size_t i = 1; i < length; i++)
		value = value << 6 | ((unsigned char)text[i] & 0x3f);
	return value;
}

/* One side of a range in a class; moves `at` behind it. */
static uint32_t class_member(const char **at)
{
	if (**at == '\\')
		(*at)++;
	uint32_t value = character(*at);
	*at += character_length(*at);
	return value;
}

static bool class_matches(const struct token *token, uint32_t wanted)
{
	const char *at = token->class_start;
	bool negated = *at == '^';
	bool found = false;
	at += negated;
	while (at < token->class_end) {
		uint32_t low = class_member(&at);
		uint32_t high = low;
		if (at + 1 < token->class_end && *at == '-') {
			at++;
			high = class_member(&at);
		}
		found = found || (low <= wanted && wanted <= high);
	}
	return found != negated;
}

/* The ']' of a class that begins behind `at`, or NULL when there is none or the class is empty. */
static const char *class_end(const char *at)
{
	const char *start = at + (*at == '^');
	for (at = start; *at && *at != ']'; at++) {
		if (*at == '\\' && !*++at)
			return NULL;
	}
	bool open_range = at > start && at[-1] == '-' && (at - 1 == start || at[-2] != '\\');
	return *at && at > start && *start != '-' && !open_range ? at : NULL;
}

static bool only_literals(const struct token *tokens, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (tokens[i].kind != TOKEN_LITERAL)
			return false;
	}
	return true;
}

static const char *read_token(const char *at, struct token *token)
{
	*token = (struct token){ .kind = TOKEN_LITERAL, .byte = *at };
	switch (*at) {
	case '*':
		token->kind = TOKEN_SEGMENT;
		if (at[1] != '*')
			return at + 1;
		at += 2 + (at[2] == '/');
		token->kind = *at ? TOKEN_PARENTS : TOKEN_REST;
		return at;
	case '?':
		token->kind = TOKEN_ANY;
		return at + 1;
	case '[':
		token->kind = TOKEN_CLASS;
		token->class_start = at + 1;
		token->class_end = class_end(at + 1);
		return token->class_end ? token->class_end + 1 : NULL;
	case '\\':
		token->byte = at[1];
		return at[1] ? at + 2 : NULL;
	default:
		return at + 1;
	}
}

static int compile(struct ignore_pattern *pattern)
{
	const char *text = pattern->text;
	pattern->tokens = xcalloc(strlen(text) + 1, sizeof(*pattern->tokens));
	bool escaped = strchr(text, '\\') != NULL;
	for (const char *at = text; *at;) {
		at = read_token(at, &pattern->tokens[pattern->count++]);
		if (!at)
			return -1;
	}
	/* "**name" without other wildcards is a plain suffix for Docker: it matches "xname" too. */
	if (text_starts_with(text, "**") && text[2] != '/' && !escaped && pattern->count > 1 &&
	    only_literals(pattern->tokens + 1, pattern->count - 1))
		pattern->tokens[0].kind = TOKEN_REST;
	return 0;
}

/* The positions of a path that the tokens so far can reach, all within [low, high]; none when low > high. */
struct reach {
	bool *at;
	size_t low;
	size_t high;
};

static void reach_add(struct reach *reach, size_t position)
{
	reach->at[position] = true;
	if (reach->low > reach->high)
		reach->low = position;
	reach->high = position;
}

static bool consumes(const struct token *token, const char *at)
{
	switch (token->kind) {
	case TOKEN_LITERAL:
		return *at == token->byte;
	case TOKEN_ANY:
		return *at != '/';
	default:
		return class_matches(token, character(at));
	}
}

static void advance_one(const struct token *token, const char *path, size_t length, const struct reach *from,
                        struct reach *to)
{
	size_t end = from->high < length ? from->high + 1 : length;
	for (size_t i = from->low; i < end; i++) {
		if (from->at[i] && consumes(token, path + i))
			reach_add(to, i + (token->kind == TOKEN_LITERAL ? 1 : character_length(path + i)));
	}
}

static void advance_many(const struct token *token, const char *path, size_t length, const struct reach *from,
                         struct reach *to)
{
	bool running = false; /* the token can have begun before position i and run up to it */
	for (size_t i = from->low; i <= length; i++) {
		bool begins = i <= from->high && from->at[i];
		if (token->kind == TOKEN_SEGMENT)
			running = running && path[i - 1] != '/';
		bool ends = begins || (running && (token->kind != TOKEN_PARENTS || path[i - 1] == '/'));
		running = running || begins;
		if (ends)
			reach_add(to, i);
	}
}

static bool pattern_matches(const struct ignore_pattern *pattern, const char *path, size_t length, bool *room)
{
	memset(room, 0, 2 * (length + 1) * sizeof(*room));
	struct reach from = { .at = room, .low = 1 };
	struct reach to = { .at = room + length + 1, .low = 1 };
	reach_add(&from, 0);
	for (size_t i = 0; i < pattern->count && from.low <= from.high; i++) {
		const struct token *token = &pattern->tokens[i];
		bool single = token->kind == TOKEN_LITERAL || token->kind == TOKEN_ANY || token->kind == TOKEN_CLASS;
		(single ? advance_one : advance_many)(token, path, length, &from, &to);
		memset(from.at + from.low, 0, from.high - from.low + 1);
		bool *emptied = from.at;
		from = to;
		to = (struct reach){ .at = emptied, .low = 1 };
	}
	return from.low <= from.high && from.at[length];
}

bool ignore_matches_entry(const struct ignore *ignore, const char *path, const bool *parent, bool *ret_own)
{
	size_t length = strlen(path);
	auto_free bool *room = xcalloc(2, length + 1);
	bool matched = false;
	for (size_t i = 0; i < ignore->count; i++) {
		const struct ignore_pattern *pattern = &ignore->patterns[i];
		ret_own[i] = (parent && parent[i]) || pattern_matches(pattern, path, length, room);
		if (ret_own[i])
			matched = !pattern->exception;
	}
	return matched;
}

bool ignore_matches(const struct ignore *ignore, const char *path)
{
	auto_free bool *own = xcalloc(ignore->count, sizeof(*own));
	bool matched = false;
	for (const char *end = path; end;) {
		end = strchr(end, '/');
		auto_free char *part = end ? xstrndup(path, (size_t)(end - path)) : xstrdup(path);
		matched = ignore_matches_entry(ignore, part, own, own);
		end = end ? end + 1 : NULL;
	}
	return matched;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **text, size_t *length)
{
	while (*length && is_space(**text)) {
		(*text)++;
		(*length)--;
	}
	while (*length && is_space((*text)[*length - 1]))
		(*length)--;
}

static int add_pattern(struct ignore *ignore, const char *text, size_t length, size_t line, struct err *e)
{
	struct ignore_pattern pattern = { .exception = text[0] == '!' };
	if (pattern.exception) {
		text++;
		length--;
		trim(&text, &length);
	}
	if (!length)
		return err_set(e, ERR_INVALID, "dockerignore", "line %zu of .dockerignore has only a '!'", line);
	if (length > IGNORE_PATTERN_LENGTH_MAXIMUM || ignore->count == IGNORE_PATTERNS_MAXIMUM)
		return err_set(e, ERR_EXHAUSTED, "dockerignore",
		               "line %zu of .dockerignore is too long, or one too many", line);
	char *cleaned = clean_path(text, length);
	size_t rooted = cleaned[0] == '/' && cleaned[1];
	pattern.text = xstrdup(cleaned + rooted);
	free(cleaned);
	if (compile(&pattern) < 0) {
		err_set(e, ERR_INVALID, "dockerignore", "line %zu of .dockerignore has a malformed pattern '%s'", line,
		        pattern.text);
		free(pattern.text);
		free(pattern.tokens);
		return -1;
	}
	if ((ignore->count & (ignore->count - 1)) == 0)
		ignore->patterns =
		        xreallocarray(ignore->patterns, ignore->count ? ignore->count * 2 : 1, sizeof(pattern));
	ignore->patterns[ignore->count++] = pattern;
	ignore->has_exceptions = ignore->has_exceptions || pattern.exception;
	return 0;
}

int ignore_parse(const char *text, size_t length, struct ignore *ret_ignore, struct err *e)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	auto_ignore struct ignore ignore = IGNORE_INIT;
	if (length >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
		text += 3;
		length -= 3;
	}
	for (size_t line = 1; length; line++) {
		const char *newline = memchr(text, '\n', length);
		size_t whole = newline ? (size_t)(newline - text) + 1 : length;
		const char *pattern = text;
		size_t pattern_length = whole;
		text += whole;
		length -= whole;
		if (pattern[0] == '#')
			continue;
		trim(&pattern, &pattern_length);
		if (memchr(pattern, '\0', pattern_length))
			return err_set(e, ERR_INVALID, "dockerignore", "line %zu of .dockerignore has a NUL byte",
			               line);
		if (pattern_length && add_pattern(&ignore, pattern, pattern_length, line, e) < 0)
			return -1;
	}
	*ret_ignore = ignore;
	ignore = (struct ignore)IGNORE_INIT;
	return 0;
}
