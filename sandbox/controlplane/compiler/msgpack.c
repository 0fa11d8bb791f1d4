/*
 * A header says what a value is and how many bytes or further values follow. Finding the end of a value therefore needs
 * only a counter of values still to come; a count that claims more than there are bytes left is refused at once.
 */
#include "controlplane/compiler/msgpack.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *bytes, size_t width)
{
	uint64_t value = 0;
	for (size_t i = 0; i < width; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* What the first byte of a value means. */
struct header {
	enum msgpack_kind kind;
	uint8_t width; /* bytes of the number or size that follow the first byte */
	bool is_signed;
	bool has_type; /* an extension's type byte behind the size */
	bool fixed;    /* the number or size is `value`, nothing follows */
	uint64_t value;
};

static bool header_of(uint8_t first, struct header *h)
{
	static const struct header table[] = {
		[0xc0 - 0xc0] = { .kind = MSGPACK_NIL, .fixed = true },
		[0xc2 - 0xc0] = { .kind = MSGPACK_BOOLEAN, .fixed = true },
		[0xc3 - 0xc0] = { .kind = MSGPACK_BOOLEAN, .fixed = true, .value = 1 },
		[0xc4 - 0xc0] = { .kind = MSGPACK_BINARY, .width = 1 },
		[0xc5 - 0xc0] = { .kind = MSGPACK_BINARY, .width = 2 },
		[0xc6 - 0xc0] = { .kind = MSGPACK_BINARY, .width = 4 },
		[0xc7 - 0xc0] = { .kind = MSGPACK_EXTENSION, .width = 1, .has_type = true },
		[0xc8 - 0xc0] = { .kind = MSGPACK_EXTENSION, .width = 2, .has_type = true },
		[0xc9 - 0xc0] = { .kind = MSGPACK_EXTENSION, .width = 4, .has_type = true },
		[0xca - 0xc0] = { .kind = MSGPACK_FLOAT, .width = 4 },
		[0xcb - 0xc0] = { .kind = MSGPACK_FLOAT, .width = 8 },
		[0xcc - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 1 },
		[0xcd - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 2 },
		[0xce - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 4 },
		[0xcf - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 8 },
		[0xd0 - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 1, .is_signed = true },
		[0xd1 - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 2, .is_signed = true },
		[0xd2 - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 4, .is_signed = true },
		[0xd3 - 0xc0] = { .kind = MSGPACK_INTEGER, .width = 8, .is_signed = true },
		[0xd4 - 0xc0] = { .kind = MSGPACK_EXTENSION, .fixed = true, .has_type = true, .value = 1 },
		[0xd5 - 0xc0] = { .kind = MSGPACK_EXTENSION, .fixed = true, .has_type = true, .value = 2 },
		[0xd6 - 0xc0] = { .kind = MSGPACK_EXTENSION, .fixed = true, .has_type = true, .value = 4 },
		[0xd7 - 0xc0] = { .kind = MSGPACK_EXTENSION, .fixed = true, .has_type = true, .value = 8 },
		[0xd8 - 0xc0] = { .kind = MSGPACK_EXTENSION, .fixed = true, .has_type = true, .value = 16 },
		[0xd9 - 0xc0] = { .kind = MSGPACK_STRING, .width = 1 },
		[0xda - 0xc0] = { .kind = MSGPACK_STRING, .width = 2 },
		[0xdb - 0xc0] = { .kind = MSGPACK_STRING, .width = 4 },
		[0xdc - 0xc0] = { .kind = MSGPACK_ARRAY, .width = 2 },
		[0xdd - 0xc0] = { .kind = MSGPACK_ARRAY, .width = 4 },
		[0xde - 0xc0] = { .kind = MSGPACK_MAP, .width = 2 },
		[0xdf - 0xc0] = { .kind = MSGPACK_MAP, .width = 4 },
	};
	if (first <= 0x7f)
		*h = (struct header){ .kind = MSGPACK_INTEGER, .fixed = true, .value = first };
	else if (first <= 0x8f)
		*h = (struct header){ .kind = MSGPACK_MAP, .fixed = true, .value = first & 0x0f };
	else if (first <= 0x9f)
		*h = (struct header){ .kind = MSGPACK_ARRAY, .fixed = true, .value = first & 0x0f };
	else if (first <= 0xbf)
		*h = (struct header){ .kind = MSGPACK_STRING, .fixed = true, .value = first & 0x1f };
	else if (first >= 0xe0)
		*h = (struct header){ .kind = MSGPACK_INTEGER,
			              .fixed = true,
			              .value = (uint64_t)(int64_t)(int8_t)first };
	else if (first == 0xc1) /* never used */
		return false;
	else
		*h = table[first - 0xc0];
	return true;
}

static void set_number(struct msgpack_value *value, const struct header *h, uint64_t bits)
{
	if (h->kind == MSGPACK_BOOLEAN) {
		value->boolean = bits != 0;
	} else if (h->kind == MSGPACK_FLOAT && h->width == 4) {
		uint32_t narrow = (uint32_t)bits;
		float number;
		memcpy(&number, &narrow, sizeof(number));
		value->number = (double)number;
	} else if (h->kind == MSGPACK_FLOAT) {
		memcpy(&value->number, &bits, sizeof(value->number));
	} else if (h->kind == MSGPACK_INTEGER && !h->fixed && !h->is_signed && bits > INT64_MAX) {
		value->kind = MSGPACK_UNSIGNED;
		value->unsigned_integer = bits;
	} else if (h->kind == MSGPACK_INTEGER) {
		if (h->is_signed && h->width < 8 && bits >> (h->width * 8 - 1))
			bits |= UINT64_MAX << (h->width * 8);
		value->integer = (int64_t)bits;
	} else {
		value->size = (size_t)bits;
	}
}

static bool is_container(enum msgpack_kind kind)
{
	return kind == MSGPACK_ARRAY || kind == MSGPACK_MAP;
}

/* The value without the elements within: `length` ends where the first element begins. */
static bool parse_flat(const uint8_t *bytes, size_t length, struct msgpack_value *value)
{
	struct header h;
	if (!length || !header_of(bytes[0], &h))
		return false;
	size_t header_length = 1 + (h.fixed ? 0 : (size_t)h.width) + h.has_type;
	if (header_length > length)
		return false;
	uint64_t number = h.fixed ? h.value : big_endian(bytes + 1, h.width);
	*value = (struct msgpack_value){
		.kind = h.kind, .bytes = bytes, .length = header_length, .content = bytes + header_length
	};
	set_number(value, &h, number);
	if (h.kind != MSGPACK_STRING && h.kind != MSGPACK_BINARY && h.kind != MSGPACK_EXTENSION &&
	    !is_container(h.kind))
		return true;
	if (number > length - header_length)
		return false; /* an element has at least one byte */
	if (!is_container(h.kind))
		value->length += (size_t)number;
	return true;
}

static uint64_t elements_of(const struct msgpack_value *value)
{
	if (!is_container(value->kind))
		return 0;
	return value->kind == MSGPACK_MAP ? (uint64_t)value->size * 2 : value->size;
}

bool msgpack_parse(const uint8_t *bytes, size_t length, struct msgpack_value *ret_value)
{
	struct msgpack_value value;
	if (!parse_flat(bytes, length, &value))
		return false;
	size_t end = value.length;
	for (uint64_t left = elements_of(&value); left; left--) {
		struct msgpack_value element;
		if (left > length - end || !parse_flat(bytes + end, length - end, &element))
			return false;
		end += element.length;
		left += elements_of(&element);
	}
	value.length = end;
	*ret_value = value;
	return true;
}

static const uint8_t *end_of(const struct msgpack_value *value)
{
	return value->bytes + value->length;
}

bool msgpack_element(const struct msgpack_value *array, size_t position, struct msgpack_value *ret_element)
{
	if (array->kind != MSGPACK_ARRAY || position >= array->size)
		return false;
	struct msgpack_value element;
	const uint8_t *next = array->content;
	for (size_t i = 0; i <= position; i++, next = end_of(&element))
		if (!msgpack_parse(next, (size_t)(end_of(array) - next), &element))
			return false;
	*ret_element = element;
	return true;
}

bool msgpack_member(const struct msgpack_value *map, const char *key, struct msgpack_value *ret_member)
{
	if (map->kind != MSGPACK_MAP)
		return false;
	size_t key_length = strlen(key);
	bool found = false;
	struct msgpack_value last;
	const uint8_t *next = map->content;
	for (size_t i = 0; i < map->size; i++) {
		struct msgpack_value name, member;
		if (!msgpack_parse(next, (size_t)(end_of(map) - next), &name) ||
		    !msgpack_parse(end_of(&name), (size_t)(end_of(map) - end_of(&name)), &member))
			return false;
		next = end_of(&member);
		if (name.kind != MSGPACK_STRING || name.size != key_length ||
		    memcmp(name.content, key, key_length) != 0)
			continue;
		last = member;
		found = true;
	}
	if (found)
		*ret_member = last;
	return found;
}
