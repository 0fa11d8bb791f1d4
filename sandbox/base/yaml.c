/*
 * libyaml's event stream is folded into JSON values by plain recursion, whose depth is bounded. Anchored values are
 * kept in a list and copied where an alias names them: the copies count as nodes, so that the "billion laughs" end at
 * the node limit and not in memory.
 */
#include "base/yaml.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <yaml.h>

struct anchor {
	char *name;
	json_t *value; /* borrowed from the document; NULL while the value is being read */
	size_t nodes;
};

struct reader {
	yaml_parser_t parser;
	const char *subject;
	struct err *e;
	size_t nodes;
	struct anchor *anchors;
	size_t anchor_count;
	struct yaml_places *places; /* or NULL */
	size_t place;               /* that of what is being read, as `parent` */
};

static json_t *malformed(struct reader *reader, yaml_mark_t mark, const char *problem)
{
	err_set(reader->e, ERR_INVALID, "malformed-yaml", "%s is not valid YAML: line %zu, column %zu: %s",
	        reader->subject, mark.line + 1, mark.column + 1, problem);
	/* What libyaml says of a tab, which is how most beginners indent once. */
	if (strstr(problem, "cannot start any token"))
		err_hint(reader->e, "YAML is indented with spaces, never with tabs; a text that begins with @ or ` needs quotes");
	return NULL;
}

static int next(struct reader *reader, yaml_event_t *event)
{
	if (yaml_parser_parse(&reader->parser, event))
		return 0;
	const yaml_parser_t *parser = &reader->parser;
	if (parser->error == YAML_MEMORY_ERROR)
		memory_exhausted();
	yaml_mark_t mark = parser->error == YAML_READER_ERROR ? parser->mark : parser->problem_mark;
	malformed(reader, mark, parser->problem ? parser->problem : "unknown problem");
	return -1;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static bool is_null(const char *text)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };
	return is_one_of(text, words);
}

static bool is_true(const char *text)
{
	static const char *const words[] = { "true", "True", "TRUE", NULL };
	return is_one_of(text, words);
}

static bool is_false(const char *text)
{
	static const char *const words[] = { "false", "False", "FALSE", NULL };
	return is_one_of(text, words);
}

/* Decimal without leading zeros (which YAML 1.1 reads as octal and 1.2 does not: stays text), 0o…, 0x…; within int64.
 */
static bool to_integer(const char *text, json_int_t *ret_value)
{
	const char *digits = text + (*text == '-' || *text == '+');
	int base = 10;
	if (digits == text && (text_starts_with(text, "0x") || text_starts_with(text, "0o"))) {
		base = text[1] == 'x' ? 16 : 8;
		digits += 2;
	}
	const char *allowed = base == 16 ? "0123456789abcdefABCDEF" : base == 8 ? "01234567" : "0123456789";
	if (!*digits || digits[strspn(digits, allowed)] || (base == 10 && digits[0] == '0' && digits[1]))
		return false;
	errno = 0;
	long long value = base == 10 ? strtoll(text, NULL, 10) : strtoll(digits, NULL, base);
	*ret_value = value;
	return errno == 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, and finite. */
static bool to_real(const char *text, double *ret_value)
{
	const char *at = text + (*text == '-' || *text == '+');
	size_t whole = strspn(at, "0123456789");
	if (whole > 1 && at[0] == '0')
		return false;
	at += whole;
	bool point = *at == '.';
	size_t fraction = point ? strspn(at + 1, "0123456789") : 0;
	at += point + fraction;
	if (!whole && !fraction)
		return false;
	bool exponent = *at == 'e' || *at == 'E';
	if (exponent) {
		at++;
		at += *at == '-' || *at == '+';
		size_t digits = strspn(at, "0123456789");
		if (!digits)
			return false;
		at += digits;
	}
	if (*at || (!point && !exponent))
		return false;
	*ret_value = strtod(text, NULL);
	return isfinite(*ret_value);
}

static json_t *resolve_plain(const char *text)
{
	json_int_t integer;
	double real;
	if (is_null(text))
		return json_null();
	if (is_true(text))
		return json_true();
	if (is_false(text))
		return json_false();
	if (to_integer(text, &integer))
		return json_integer(integer);
	if (to_real(text, &real))
		return json_real(real);
	return json_string(text);
}

static json_t *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	if (strlen(text) != event->data.scalar.length)
		return malformed(reader, event->start_mark, "text with a NUL character");
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.plain_implicit;
	json_t *value = plain ? resolve_plain(text) : json_string(text);
	return value ? value : malformed(reader, event->start_mark, "text that is not valid UTF-8");
}

static json_t *read_value(struct reader *reader, const yaml_event_t *event, unsigned depth);

/* What is read next is a part of what is being read. Returns what to give to leave_place. */
static size_t enter_place(struct reader *reader, const char *key, yaml_mark_t mark)
{
	struct yaml_places *places = reader->places;
	size_t outer = reader->place;
	if (!places)
		return 0;
	/* Doubled at powers of two. */
	if ((places->count & (places->count - 1)) == 0)
		places->list = xreallocarray(places->list, places->count ? places->count * 2 : 1, sizeof(*places->list));
	places->list[places->count++] =
	        (struct yaml_place){ .key = xstrdup(key), .parent = outer, .line = mark.line + 1 };
	reader->place = places->count;
	return outer;
}

static void leave_place(struct reader *reader, size_t outer)
{
	reader->place = outer;
}

static json_t *read_element(struct reader *reader, const yaml_event_t *event, size_t index, unsigned depth)
{
	char key[24];
	(void)snprintf(key, sizeof(key), "%zu", index);
	size_t outer = enter_place(reader, key, event->start_mark);
	json_t *element = read_value(reader, event, depth);
	leave_place(reader, outer);
	return element;
}

static json_t *read_sequence(struct reader *reader, unsigned depth)
{
	auto_json json_t *array = json_array();
	for (;;) {
		yaml_event_t event;
		if (next(reader, &event) < 0)
			return NULL;
		bool end = event.type == YAML_SEQUENCE_END_EVENT;
		json_t *element = end ? NULL : read_element(reader, &event, json_array_size(array), depth + 1);
		yaml_event_delete(&event);
		if (end)
			return steal_ptr(array);
		if (!element || json_array_append_new(array, element) < 0)
			return NULL;
	}
}

static int check_key(struct reader *reader, const json_t *object, const yaml_event_t *event)
{
	if (event->type != YAML_SCALAR_EVENT)
		return malformed(reader, event->start_mark, "a key that is not a scalar"), -1;
	const char *key = (const char *)event->data.scalar.value;
	if (strlen(key) != event->data.scalar.length)
		return malformed(reader, event->start_mark, "a key with a NUL character"), -1;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(key, "<<") == 0)
		return malformed(reader, event->start_mark, "merge keys are not supported"), -1;
	if (json_object_get(object, key))
		return malformed(reader, event->start_mark, "a key that is already there"), -1;
	if (++reader->nodes > YAML_NODES_MAXIMUM)
		return malformed(reader, event->start_mark, "too many nodes"), -1;
	return 0;
}

static int read_member(struct reader *reader, json_t *object, const yaml_event_t *key, unsigned depth)
{
	yaml_event_t event;
	if (check_key(reader, object, key) < 0 || next(reader, &event) < 0)
		return -1;
	size_t outer = enter_place(reader, (const char *)key->data.scalar.value, key->start_mark);
	json_t *value = read_value(reader, &event, depth + 1);
	leave_place(reader, outer);
	yaml_event_delete(&event);
	if (!value)
		return -1;
	if (json_object_set_new(object, (const char *)key->data.scalar.value, value) < 0)
		return malformed(reader, key->start_mark, "a key that is not valid UTF-8"), -1;
	return 0;
}

static json_t *read_mapping(struct reader *reader, unsigned depth)
{
	auto_json json_t *object = json_object();
	for (;;) {
		yaml_event_t event;
		if (next(reader, &event) < 0)
			return NULL;
		bool end = event.type == YAML_MAPPING_END_EVENT;
		int outcome = end ? 0 : read_member(reader, object, &event, depth);
		yaml_event_delete(&event);
		if (end)
			return steal_ptr(object);
		if (outcome < 0)
			return NULL;
	}
}

/* The newest anchor of a name counts: YAML lets a name be used again. */
static struct anchor *find_anchor(struct reader *reader, const char *name)
{
	for (size_t i = reader->anchor_count; i > 0; i--) {
		if (strcmp(reader->anchors[i - 1].name, name) == 0)
			return &reader->anchors[i - 1];
	}
	return NULL;
}

static json_t *read_alias(struct reader *reader, const yaml_event_t *event)
{
	const struct anchor *anchor = find_anchor(reader, (const char *)event->data.alias.anchor);
	if (!anchor)
		return malformed(reader, event->start_mark, "an alias without anchor");
	if (!anchor->value)
		return malformed(reader, event->start_mark, "an alias inside of its own anchor");
	reader->nodes += anchor->nodes;
	if (reader->nodes > YAML_NODES_MAXIMUM)
		return malformed(reader, event->start_mark, "too many nodes");
	return json_deep_copy(anchor->value);
}

static const char *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static json_t *read_anchored(struct reader *reader, const yaml_event_t *event, unsigned depth)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(reader, event);
	case YAML_SEQUENCE_START_EVENT:
		return read_sequence(reader, depth);
	case YAML_MAPPING_START_EVENT:
		return read_mapping(reader, depth);
	case YAML_ALIAS_EVENT:
		return read_alias(reader, event);
	default:
		return malformed(reader, event->start_mark, "unexpected event");
	}
}

static json_t *read_value(struct reader *reader, const yaml_event_t *event, unsigned depth)
{
	if (depth > YAML_DEPTH_MAXIMUM)
		return malformed(reader, event->start_mark, "nested too deep");
	if (++reader->nodes > YAML_NODES_MAXIMUM)
		return malformed(reader, event->start_mark, "too many nodes");
	const char *name = anchor_of(event);
	size_t index = reader->anchor_count;
	size_t before = reader->nodes;
	if (name) {
		/* A list searched from its end: hundreds of anchors are no use case. */
		if (index >= 1000)
			return malformed(reader, event->start_mark, "too many anchors");
		reader->anchors = xreallocarray(reader->anchors, index + 1, sizeof(*reader->anchors));
		reader->anchors[reader->anchor_count++] = (struct anchor){ .name = xstrdup(name) };
	}
	json_t *value = read_anchored(reader, event, depth);
	if (name && value) {
		reader->anchors[index].value = value;
		reader->anchors[index].nodes = reader->nodes - before + 1;
	}
	return value;
}

static json_t *read_document(struct reader *reader)
{
	auto_json json_t *value = NULL;
	for (;;) {
		yaml_event_t event;
		if (next(reader, &event) < 0)
			return NULL;
		yaml_event_type_t type = event.type;
		bool is_value = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
		                type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;
		bool second = value && type == YAML_DOCUMENT_START_EVENT;
		if (second)
			malformed(reader, event.start_mark, "a second document");
		else if (is_value)
			value = read_value(reader, &event, 1);
		yaml_event_delete(&event);
		if (second || (is_value && !value))
			return NULL;
		if (type == YAML_STREAM_END_EVENT)
			return value ? steal_ptr(value) : json_null();
	}
}

json_t *yaml_parse(const char *bytes, size_t length, const char *subject, struct err *e)
{
	return yaml_parse_places(bytes, length, subject, NULL, e);
}

void yaml_places_release(struct yaml_places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->list[i].key);
	free(places->list);
	*places = (struct yaml_places)YAML_PLACES_INIT;
}

size_t yaml_line_of(const struct yaml_places *places, const char *const *keys, size_t count)
{
	size_t at = 0, line = 1, depth = 0;
	/* Parts come after what they are a part of. */
	for (size_t i = 0; i < places->count && depth < count; i++) {
		if (places->list[i].parent == at && strcmp(places->list[i].key, keys[depth]) == 0) {
			line = places->list[i].line;
			at = i + 1;
			depth++;
		}
	}
	return line;
}

json_t *yaml_parse_places(const char *bytes, size_t length, const char *subject, struct yaml_places *places,
                          struct err *e)
{
	struct reader reader = { .subject = subject, .e = e, .places = places };
	if (length > YAML_INPUT_MAXIMUM) {
		err_set(e, ERR_EXHAUSTED, "yaml-too-large", "%s is larger than %zu bytes", subject, YAML_INPUT_MAXIMUM);
		return NULL;
	}
	if (!yaml_parser_initialize(&reader.parser))
		memory_exhausted();
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, length);
	json_t *value = read_document(&reader);
	yaml_parser_delete(&reader.parser);
	for (size_t i = 0; i < reader.anchor_count; i++)
		free(reader.anchors[i].name);
	free(reader.anchors);
	return value;
}

/* Text that YAML 1.1 readers (Go's among them) or 1.2 readers would not take for text. */
static bool needs_quotes(const char *text)
{
	static const char *const words[] = { "y",  "Y",  "yes", "Yes", "YES", "n",   "N",  "no", "No", "NO",
		                             "on", "On", "ON",  "off", "Off", "OFF", "<<", "=",  NULL };
	if (is_null(text) || is_true(text) || is_false(text) || is_one_of(text, words))
		return true;
	/* Numbers in any notation, dates, sexagesimals, .inf and .nan all begin so; a quote too many does no harm. */
	return (text[0] >= '0' && text[0] <= '9') || text[0] == '+' || text[0] == '-' || text[0] == '.';
}

static int append_output(void *context, unsigned char *bytes, size_t length)
{
	return buf_add(context, bytes, length) == 0;
}

static int emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
	if (yaml_emitter_emit(emitter, event))
		return 0;
	if (emitter->error == YAML_MEMORY_ERROR)
		memory_exhausted();
	return -1;
}

static int emit_scalar(yaml_emitter_t *emitter, const char *text, bool typed)
{
	yaml_event_t event;
	yaml_scalar_style_t style = !typed && needs_quotes(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
	                            : strchr(text, '\n')         ? YAML_LITERAL_SCALAR_STYLE
	                                                         : YAML_ANY_SCALAR_STYLE;
	/* Characters that a block scalar cannot hold exactly: leave them to escapes. */
	if (style == YAML_LITERAL_SCALAR_STYLE && (text[0] == '\n' || text[0] == ' ' || strpbrk(text, "\t\r")))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	auto_free char *copy = xstrdup(text);
	if (!yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)copy, (int)strlen(copy), 1, 1, style))
		memory_exhausted();
	return emit(emitter, &event);
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value, unsigned depth);

static int emit_object(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
	yaml_event_t event;
	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE))
		memory_exhausted();
	if (emit(emitter, &event) < 0)
		return -1;
	const char *key;
	json_t *member;
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		if (emit_scalar(emitter, key, false) < 0 || emit_value(emitter, member, depth + 1) < 0)
			return -1;
	}
	yaml_mapping_end_event_initialize(&event);
	return emit(emitter, &event);
}

static int emit_array(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
	yaml_event_t event;
	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE))
		memory_exhausted();
	if (emit(emitter, &event) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (emit_value(emitter, json_array_get(value, i), depth + 1) < 0)
			return -1;
	}
	yaml_sequence_end_event_initialize(&event);
	return emit(emitter, &event);
}

/* The shortest decimal that reads back as the same number, always with a point or exponent so that it stays a float. */
static void format_real(double value, char *room, size_t size)
{
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(room, size, "%.*g", precision, value);
		if (memcmp(&(double){ strtod(room, NULL) }, &value, sizeof(value)) == 0)
			break;
	}
	size_t length = strlen(room);
	if (!strpbrk(room, ".e") && length + 2 < size)
		memcpy(room + length, ".0", 3);
}

static int emit_value(yaml_emitter_t *emitter, const json_t *value, unsigned depth)
{
	char room[64];
	if (depth > YAML_DEPTH_MAXIMUM)
		return -2;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return emit_object(emitter, value, depth);
	case JSON_ARRAY:
		return emit_array(emitter, value, depth);
	case JSON_STRING:
		return emit_scalar(emitter, json_string_value(value), false);
	case JSON_INTEGER:
		snprintf(room, sizeof(room), "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		format_real(json_real_value(value), room, sizeof(room));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(room, sizeof(room), "%s", json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
		snprintf(room, sizeof(room), "null");
		break;
	}
	return emit_scalar(emitter, room, true);
}

static int emit_document(yaml_emitter_t *emitter, const json_t *value)
{
	yaml_event_t event;
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	if (emit(emitter, &event) < 0)
		return -1;
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	if (emit(emitter, &event) < 0 || emit_value(emitter, value, 1) < 0)
		return -1;
	yaml_document_end_event_initialize(&event, 1);
	if (emit(emitter, &event) < 0)
		return -1;
	yaml_stream_end_event_initialize(&event);
	return emit(emitter, &event);
}

int yaml_print(const json_t *value, struct buf *out, struct err *e)
{
	yaml_emitter_t emitter;
	if (!yaml_emitter_initialize(&emitter))
		memory_exhausted();
	yaml_emitter_set_output(&emitter, append_output, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	yaml_emitter_set_indent(&emitter, 2);
	int outcome = emit_document(&emitter, value);
	bool full = emitter.error == YAML_WRITER_ERROR;
	yaml_emitter_delete(&emitter);
	if (outcome == 0)
		return 0;
	if (full)
		return err_set(e, ERR_EXHAUSTED, "yaml-too-large", "the YAML text is larger than %zu bytes",
		               out->maximum);
	return err_set(e, ERR_INVALID, "unprintable-yaml", "the value is nested too deep for YAML");
}
