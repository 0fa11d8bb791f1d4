/* Arbitrary bytes as MessagePack: what parses is walked through, part by part, and every part must lie within its
 * whole. */
#include "controlplane/compiler/msgpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size, const struct msgpack_value *value)
{
	if (value->bytes < data || value->length > size || value->bytes + value->length > data + size)
		abort();
	if (value->kind != MSGPACK_STRING && value->kind != MSGPACK_BINARY && value->kind != MSGPACK_EXTENSION)
		return;
	if (value->content < value->bytes || value->content + value->size != value->bytes + value->length)
		abort();
}

/* A value's own span parses to the same value. */
static void check_span(const struct msgpack_value *value)
{
	struct msgpack_value again;
	if (!msgpack_parse(value->bytes, value->length, &again) || again.length != value->length ||
	    again.kind != value->kind)
		abort();
}

static void walk(const uint8_t *data, size_t size, const struct msgpack_value *value, int depth)
{
	check(data, size, value);
	check_span(value);
	struct msgpack_value part;
	(void)msgpack_member(value, "a", &part);
	for (size_t i = 0; depth < 8 && i < 8 && msgpack_element(value, i, &part); i++)
		walk(value->bytes, value->length, &part, depth + 1);
	if (msgpack_member(value, "", &part) && depth < 8)
		walk(value->bytes, value->length, &part, depth + 1);
	if (value->kind == MSGPACK_ARRAY && msgpack_element(value, value->size, &part))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msgpack_value value;
	if (size <= 4096 && msgpack_parse(data, size, &value))
		walk(data, size, &value, 0);
	return 0;
}
