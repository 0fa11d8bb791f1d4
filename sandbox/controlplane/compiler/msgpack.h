/*
 * Reading MessagePack in place. flytekit stores dataclasses, Pydantic models and dicts as Binary scalars in this
 * format; a promise with an attribute path takes a part out of such a value. A value here is a view into the caller's
 * bytes and knows its own span, so a part is re-encoded by copying that span.
 *
 * Every value handed out has been checked to its end: nothing that these functions return reads past the bytes. Nesting
 * costs no stack. https://github.com/msgpack/msgpack/blob/master/spec.md
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_MSGPACK_H
#define SANDBOX_CONTROLPLANE_COMPILER_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum msgpack_kind {
	MSGPACK_NIL,
	MSGPACK_BOOLEAN,
	MSGPACK_INTEGER,
	MSGPACK_UNSIGNED, /* an integer above INT64_MAX */
	MSGPACK_FLOAT,
	MSGPACK_STRING,
	MSGPACK_BINARY,
	MSGPACK_EXTENSION,
	MSGPACK_ARRAY,
	MSGPACK_MAP,
};

struct msgpack_value {
	enum msgpack_kind kind;
	const uint8_t *bytes; /* the encoded value */
	size_t length;
	const uint8_t *content; /* behind its header: the bytes of a string, the elements of a container */
	union {
		bool boolean;
		int64_t integer;
		uint64_t unsigned_integer;
		double number;
		size_t size; /* bytes of a string, binary or extension; elements of an array; pairs of a map */
	};
};

/* The value at the start of the bytes; false when they are malformed or end too early. What follows it is not looked
 * at. */
bool msgpack_parse(const uint8_t *bytes, size_t length, struct msgpack_value *ret_value);
/* Element `position` of an array; false when there is none. The result may replace the container, here and below. */
bool msgpack_element(const struct msgpack_value *array, size_t position, struct msgpack_value *ret_element);
/* The value of a string key, the last one when it occurs twice; false when there is none. */
bool msgpack_member(const struct msgpack_value *map, const char *key, struct msgpack_value *ret_member);

#endif
