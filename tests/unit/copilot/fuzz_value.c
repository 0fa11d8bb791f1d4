/* First byte: the type. Whatever is accepted has to come back the same when it is printed and read again. */
#include "copilot/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Flyteidl__Core__Literal *parse(struct arena *arena, Flyteidl__Core__SimpleType type, const char *text)
{
	auto_err struct err e = ERR_INIT;
	return value_parse(arena, type, text, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_buf struct buf json = BUF_INIT((size_t)16 << 20);
	auto_err struct err e = ERR_INIT;
	struct proto_bytes first, second;
	if (size < 1 || size > 2048)
		return 0;
	const Flyteidl__Core__SimpleType type = data[0] % 10;
	const Flyteidl__Core__Literal *literal =
	        parse(&arena, type, arena_strndup(&arena, (const char *)data + 1, size - 1));
	if (!literal)
		return 0;
	if (value_print(&arena, literal->scalar, &first, &e) < 0 || value_print_json(literal->scalar, &json, &e) < 0)
		return 0;
	const Flyteidl__Core__Literal *again =
	        parse(&arena, type, arena_strndup(&arena, (const char *)first.data, first.length));
	if (!again || value_print(&arena, again->scalar, &second, &e) < 0 || first.length != second.length ||
	    (first.length && memcmp(first.data, second.data, first.length) != 0))
		abort();
	return 0;
}
