#include "proto/json_reader.h"

#include "proto/field.h"
#include "proto/scalar.h"

#include <string.h>

void json_reader_init(struct json_reader *r, const char *text, size_t length, struct arena *arena, struct err *e)
{
	*r = (struct json_reader){ .cursor = text, .end = text + length, .arena = arena, .e = e };
}

int json_reader_fail(struct json_reader *r, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	if (r->path_length)
		return err_set(r->e, ERR_INVALID, "malformed-json", "at \"%s\": %s", r->path, text);
	return err_set(r->e, ERR_INVALID, "malformed-json", "malformed JSON: %s", text);
}

static size_t enter(struct json_reader *r, const char *text, const char *separator)
{
	size_t mark = r->path_length;
	int length = snprintf(r->path + mark, sizeof(r->path) - mark, "%s%s", mark ? separator : "", text);
	size_t end = mark + (length > 0 ? (size_t)length : 0);
	r->path_length = end < sizeof(r->path) ? end : sizeof(r->path) - 1;
	return mark;
}

size_t json_reader_enter(struct json_reader *r, const char *step)
{
	return enter(r, step, ".");
}

size_t json_reader_enter_index(struct json_reader *r, size_t index)
{
	char step[24];
	(void)snprintf(step, sizeof(step), "[%zu]", index);
	return enter(r, step, "");
}

void json_reader_leave(struct json_reader *r, size_t mark)
{
	r->path_length = mark;
	r->path[mark] = '\0';
}

char json_reader_peek(struct json_reader *r)
{
	while (r->cursor < r->end &&
	       (*r->cursor == ' ' || *r->cursor == '\t' || *r->cursor == '\n' || *r->cursor == '\r'))
		r->cursor++;
	return r->cursor < r->end ? *r->cursor : '\0';
}

static int expected(struct json_reader *r, const char *what)
{
	char c = json_reader_peek(r);
	if (!c)
		return json_reader_fail(r, "expected %s, got the end", what);
	if (c > 0x20 && c < 0x7f)
		return json_reader_fail(r, "expected %s, got '%c'", what, c);
	return json_reader_fail(r, "expected %s", what);
}

/* Takes one character that has to come next. */
static int take(struct json_reader *r, char wanted, const char *what)
{
	if (json_reader_peek(r) != wanted)
		return expected(r, what);
	r->cursor++;
	return 0;
}

static int begin(struct json_reader *r, char open, const char *what)
{
	if (take(r, open, what) < 0)
		return -1;
	if (++r->depth > PROTO_DEPTH_MAXIMUM)
		return json_reader_fail(r, "nested deeper than %d levels", PROTO_DEPTH_MAXIMUM);
	return 0;
}

/* 0: closed; 1: something follows. */
static int next(struct json_reader *r, bool first, char close, const char *what)
{
	if (json_reader_peek(r) == close) {
		r->cursor++;
		r->depth--;
		return 0;
	}
	if (!first && take(r, ',', what) < 0)
		return -1;
	return 1;
}

int json_reader_begin_object(struct json_reader *r)
{
	return begin(r, '{', "an object");
}

int json_reader_next_key(struct json_reader *r, bool first, char **ret_key)
{
	int status = next(r, first, '}', "',' or '}'");
	if (status <= 0)
		return status;
	if (json_reader_peek(r) != '"')
		return expected(r, "a key");
	if (json_reader_string(r, ret_key) < 0 || take(r, ':', "':'") < 0)
		return -1;
	return 1;
}

int json_reader_begin_array(struct json_reader *r)
{
	return begin(r, '[', "a list");
}

int json_reader_next_element(struct json_reader *r, bool first)
{
	int status = next(r, first, ']', "',' or ']'");
	if (status == 1 && json_reader_peek(r) == ']')
		return expected(r, "a value");
	return status;
}

/* --- strings --- */

/* The closing quote of the string that starts behind the cursor's quote, or NULL. Only escapes matter for finding it.
 */
static const char *find_quote(const struct json_reader *r)
{
	for (const char *c = r->cursor + 1; c < r->end; c++) {
		if (*c == '"')
			return c;
		if (*c == '\\')
			c++;
	}
	return NULL;
}

static bool read_hex4(const char *text, const char *end, unsigned *ret_value)
{
	unsigned value = 0;
	if (end - text < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = text[i];
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
		                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
		                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
		                                        : 16;
		if (digit > 15)
			return false;
		value = value << 4 | digit;
	}
	*ret_value = value;
	return true;
}

static size_t encode_utf8(unsigned code, char *room)
{
	if (code < 0x80) {
		room[0] = (char)code;
		return 1;
	}
	size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--) {
		room[i] = (char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	room[0] = (char)(lead[length] | code);
	return length;
}

/* The code point of \uXXXX or a surrogate pair; *cursor stands behind the 'u'. */
static int read_unicode(struct json_reader *r, const char **cursor, const char *end, unsigned *ret_code)
{
	unsigned code, low;
	if (!read_hex4(*cursor, end, &code))
		return json_reader_fail(r, "malformed \\u escape");
	*cursor += 4;
	if (code >= 0xd800 && code <= 0xdbff) {
		if (end - *cursor < 6 || (*cursor)[0] != '\\' || (*cursor)[1] != 'u' ||
		    !read_hex4(*cursor + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
			return json_reader_fail(r, "a surrogate without its other half");
		*cursor += 6;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code <= 0xdfff) {
		return json_reader_fail(r, "a surrogate without its other half");
	} else if (code == 0) {
		return json_reader_fail(r, "a NUL character in text");
	}
	*ret_code = code;
	return 0;
}

/* One escape; *cursor stands behind the backslash. */
static int read_escape(struct json_reader *r, const char **cursor, const char *end, char *room, size_t *ret_length)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	char c = *(*cursor)++;
	const char *found = c ? strchr(names, c) : NULL;
	*ret_length = 1;
	if (found) {
		*room = values[found - names];
		return 0;
	}
	if (c != 'u')
		return json_reader_fail(r, "unknown escape in a string");
	unsigned code;
	if (read_unicode(r, cursor, end, &code) < 0)
		return -1;
	*ret_length = encode_utf8(code, room);
	return 0;
}

int json_reader_string(struct json_reader *r, char **ret_text)
{
	if (json_reader_peek(r) != '"')
		return expected(r, "a string");
	const char *end = find_quote(r), *cursor = r->cursor + 1;
	if (!end)
		return json_reader_fail(r, "a string without end");
	/* Decoded text is never longer than its escaped form. */
	if (!proto_arena_has_room(r->arena, (size_t)(end - cursor) + 1))
		return err_set(r->e, ERR_EXHAUSTED, "message-too-large", "the request is too large");
	char *text = arena_alloc(r->arena, (size_t)(end - cursor) + 1);
	size_t length = 0;
	while (cursor < end) {
		if (*cursor == '\\') {
			size_t added;
			cursor++;
			if (read_escape(r, &cursor, end, text + length, &added) < 0)
				return -1;
			length += added;
			continue;
		}
		size_t sequence =
		        (unsigned char)*cursor < 0x20 ? 0 : proto_utf8_sequence(cursor, (size_t)(end - cursor));
		if (!sequence)
			return json_reader_fail(r, "a control character or malformed UTF-8 in a string");
		memcpy(text + length, cursor, sequence);
		length += sequence;
		cursor += sequence;
	}
	r->cursor = end + 1;
	*ret_text = text;
	return 0;
}

/* --- numbers and words --- */

static const char *skip_digits(const char *c, const char *end)
{
	while (c < end && *c >= '0' && *c <= '9')
		c++;
	return c;
}

/* The end of the number at the cursor by RFC 8259's grammar, or NULL. */
static const char *find_number_end(const struct json_reader *r)
{
	const char *c = r->cursor, *end = r->end;
	c += c < end && *c == '-';
	const char *integer = c;
	c = skip_digits(c, end);
	if (c == integer || (*integer == '0' && c - integer > 1))
		return NULL;
	if (c < end && *c == '.') {
		const char *fraction = ++c;
		c = skip_digits(c, end);
		if (c == fraction)
			return NULL;
	}
	if (c < end && (*c == 'e' || *c == 'E')) {
		c++;
		c += c < end && (*c == '+' || *c == '-');
		const char *exponent = c;
		c = skip_digits(c, end);
		if (c == exponent)
			return NULL;
	}
	return c;
}

int json_reader_number(struct json_reader *r, char ret_text[JSON_READER_NUMBER_MAXIMUM])
{
	(void)json_reader_peek(r);
	const char *end = find_number_end(r);
	if (!end)
		return expected(r, "a number");
	size_t length = (size_t)(end - r->cursor);
	if (length >= JSON_READER_NUMBER_MAXIMUM)
		return json_reader_fail(r, "a number with too many digits");
	memcpy(ret_text, r->cursor, length);
	ret_text[length] = '\0';
	r->cursor = end;
	return 0;
}

int json_reader_literal(struct json_reader *r, const char *word)
{
	size_t length = strlen(word);
	(void)json_reader_peek(r);
	if ((size_t)(r->end - r->cursor) < length || memcmp(r->cursor, word, length) != 0)
		return expected(r, word);
	r->cursor += length;
	return 0;
}

/* --- skipping --- */

static int skip_string(struct json_reader *r)
{
	const char *end = find_quote(r);
	if (!end)
		return json_reader_fail(r, "a string without end");
	r->cursor = end + 1;
	return 0;
}

static int skip_object(struct json_reader *r)
{
	int status;
	if (json_reader_begin_object(r) < 0)
		return -1;
	for (bool first = true; (status = next(r, first, '}', "',' or '}'")) == 1; first = false)
		if (json_reader_peek(r) != '"' || skip_string(r) < 0 || take(r, ':', "':'") < 0 ||
		    json_reader_skip(r) < 0)
			return r->e && r->e->kind ? -1 : expected(r, "a key");
	return status;
}

static int skip_array(struct json_reader *r)
{
	int status;
	if (json_reader_begin_array(r) < 0)
		return -1;
	for (bool first = true; (status = json_reader_next_element(r, first)) == 1; first = false)
		if (json_reader_skip(r) < 0)
			return -1;
	return status;
}

int json_reader_skip(struct json_reader *r)
{
	char number[JSON_READER_NUMBER_MAXIMUM];
	switch (json_reader_peek(r)) {
	case '{':
		return skip_object(r);
	case '[':
		return skip_array(r);
	case '"':
		return skip_string(r);
	case 't':
		return json_reader_literal(r, "true");
	case 'f':
		return json_reader_literal(r, "false");
	case 'n':
		return json_reader_literal(r, "null");
	default:
		return json_reader_number(r, number);
	}
}

int json_reader_end(struct json_reader *r)
{
	return json_reader_peek(r) || r->cursor < r->end ? expected(r, "the end") : 0;
}
