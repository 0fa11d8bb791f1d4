#include "flyte/pack.h"

#include "base/base64.h"
#include "controlplane/compiler/msgpack.h"

#include <inttypes.h>
#include <string.h>

#define DEPTH_MAXIMUM 64
#define ELEMENTS_MAXIMUM ((size_t)1000000)

/* ---- Writing ---- */

static int add_big_endian(struct buf *out, uint8_t first, uint64_t value, size_t width)
{
	char bytes[9] = { (char)first };
	for (size_t i = 0; i < width; i++)
		bytes[1 + i] = (char)(value >> (8 * (width - 1 - i)));
	return buf_add(out, bytes, 1 + width);
}

static int add_integer(struct buf *out, int64_t value)
{
	if (value >= -32 && value <= 127)
		return buf_add_byte(out, (char)value);
	return add_big_endian(out, 0xd3, (uint64_t)value, 8);
}

/* Headers with a small, a 16-bit and a 32-bit form of the size. */
static int add_size(struct buf *out, size_t size, uint8_t small, size_t small_maximum, uint8_t wide)
{
	if (size <= small_maximum)
		return buf_add_byte(out, (char)(small | size));
	if (size <= UINT16_MAX)
		return add_big_endian(out, wide, size, 2);
	return size <= UINT32_MAX ? add_big_endian(out, (uint8_t)(wide + 1), size, 4) : -1;
}

static int add_text(struct buf *out, const char *text, size_t length)
{
	return add_size(out, length, 0xa0, 31, 0xda) < 0 ? -1 : buf_add(out, text, length);
}

static int add_value(const json_t *value, struct buf *out, size_t depth)
{
	if (depth > DEPTH_MAXIMUM)
		return -1;
	int outcome = 0;
	switch (json_typeof(value)) {
	case JSON_NULL:
		return buf_add_byte(out, (char)0xc0);
	case JSON_FALSE:
	case JSON_TRUE:
		return buf_add_byte(out, (char)(json_is_true(value) ? 0xc3 : 0xc2));
	case JSON_INTEGER:
		return add_integer(out, json_integer_value(value));
	case JSON_REAL: {
		const double number = json_real_value(value);
		uint64_t bits;
		memcpy(&bits, &number, sizeof(bits));
		return add_big_endian(out, 0xcb, bits, 8);
	}
	case JSON_STRING:
		return add_text(out, json_string_value(value), json_string_length(value));
	case JSON_ARRAY: {
		size_t i;
		json_t *element;
		outcome = add_size(out, json_array_size(value), 0x90, 15, 0xdc);
		json_array_foreach(value, i, element) outcome = outcome < 0 ? -1 : add_value(element, out, depth + 1);
		return outcome;
	}
	case JSON_OBJECT: {
		const char *key;
		json_t *member;
		outcome = add_size(out, json_object_size(value), 0x80, 15, 0xde);
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
		{
			if (outcome == 0 && add_text(out, key, strlen(key)) < 0)
				outcome = -1;
			outcome = outcome < 0 ? -1 : add_value(member, out, depth + 1);
		}
		return outcome;
	}
	}
	return -1;
}

int pack_json(const json_t *value, struct buf *out, struct err *e)
{
	if (add_value(value, out, 0) == 0)
		return 0;
	return err_set(e, ERR_EXHAUSTED, "bad-input", "the value is larger than %zu bytes or nested deeper than %d",
	               out->maximum, DEPTH_MAXIMUM);
}

/* ---- Reading ---- */

struct unpacking {
	size_t elements; /* so far: a few bytes may claim to hold very many */
};

static json_t *unpack(struct unpacking *u, const struct msgpack_value *value, size_t depth);

static json_t *unpack_array(struct unpacking *u, const struct msgpack_value *array, size_t depth)
{
	auto_json json_t *result = json_array();
	const uint8_t *at = array->content;
	const uint8_t *end = array->bytes + array->length;
	for (size_t i = 0; i < array->size; i++) {
		struct msgpack_value element;
		if (!msgpack_parse(at, (size_t)(end - at), &element))
			return NULL;
		json_t *inner = unpack(u, &element, depth + 1);
		if (!inner)
			return NULL;
		json_array_append_new(result, inner);
		at += element.length;
	}
	return json_incref(result);
}

static json_t *unpack_map(struct unpacking *u, const struct msgpack_value *map, size_t depth)
{
	auto_json json_t *result = json_object();
	const uint8_t *at = map->content;
	const uint8_t *end = map->bytes + map->length;
	for (size_t i = 0; i < map->size; i++) {
		struct msgpack_value key;
		struct msgpack_value member;
		/* The text of a key that is a map with such a key would be twice as long at each level, for its quotes.
		 */
		if (!msgpack_parse(at, (size_t)(end - at), &key) || key.kind == MSGPACK_MAP ||
		    key.kind == MSGPACK_ARRAY ||
		    !msgpack_parse(at + key.length, (size_t)(end - at) - key.length, &member))
			return NULL;
		auto_json json_t *name = unpack(u, &key, depth + 1);
		auto_free char *text = !name                  ? NULL
		                       : json_is_string(name) ? xstrdup(json_string_value(name))
		                                              : json_to_text(name);
		json_t *inner = text ? unpack(u, &member, depth + 1) : NULL;
		if (!inner || json_object_set_new(result, text, inner) < 0)
			return NULL;
		at += key.length + member.length;
	}
	return json_incref(result);
}

static json_t *unpack(struct unpacking *u, const struct msgpack_value *value, size_t depth)
{
	if (depth > DEPTH_MAXIMUM || u->elements++ > ELEMENTS_MAXIMUM)
		return NULL;
	switch (value->kind) {
	case MSGPACK_NIL:
		return json_null();
	case MSGPACK_BOOLEAN:
		return json_boolean(value->boolean);
	case MSGPACK_INTEGER:
		return json_integer(value->integer);
	case MSGPACK_UNSIGNED: {
		auto_free char *text = xasprintf("%" PRIu64, value->unsigned_integer);
		return json_string(text);
	}
	case MSGPACK_FLOAT:
		return json_real(value->number); /* NULL for what is not finite */
	case MSGPACK_STRING:
		return json_stringn((const char *)value->content, value->size);
	case MSGPACK_BINARY:
	case MSGPACK_EXTENSION: {
		auto_free char *text = base64_encode(value->content, value->size);
		return json_string(text);
	}
	case MSGPACK_ARRAY:
		return unpack_array(u, value, depth);
	case MSGPACK_MAP:
		return unpack_map(u, value, depth);
	}
	return NULL;
}

json_t *pack_to_json(const uint8_t *bytes, size_t length, struct err *e)
{
	struct msgpack_value value;
	struct unpacking u = { .elements = 0 };
	json_t *result = msgpack_parse(bytes, length, &value) ? unpack(&u, &value, 0) : NULL;
	if (!result)
		err_set(e, ERR_INVALID, "bad-value", "the value is no MessagePack that has a plain form");
	return result;
}
