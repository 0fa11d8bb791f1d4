/*
 * Any text: the parser never crashes or takes more than its arena, and what it accepts prints as JSON that means the
 * same. The type is rich in everything: oneofs, maps, Struct, Timestamp, wrappers, enums, bytes, recursion.
 */
#include "proto/canonical.h"
#include "proto/diff.h"
#include "proto/json.h"

#include <flyteidl/admin/execution.pb-c.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)16 * 1024 * 1024);
	auto_err struct err e = ERR_INIT;
	unsigned flags = size && data[0] & 1 ? PROTO_JSON_IGNORE_UNKNOWN : 0;
	Flyteidl__Admin__Execution *first =
	        proto_json_parse(&arena, flyteidl__admin__execution, (const char *)data, size, flags, &e);
	if (!first) {
		if (e.kind == ERR_NONE)
			abort();
		return 0;
	}
	auto_buf struct buf text = BUF_INIT((size_t)64 * 1024 * 1024);
	if (proto_json_print(&first->base, 0, &text, &e) < 0)
		return 0;
	auto_arena struct arena again = ARENA_INIT((size_t)512 * 1024 * 1024);
	Flyteidl__Admin__Execution *second =
	        proto_json_parse(&again, flyteidl__admin__execution, text.data, text.length, 0, &e);
	if (!second)
		abort();
	uint8_t a[PROTO_DIGEST_SIZE], b[PROTO_DIGEST_SIZE];
	proto_digest(&arena, &first->base, a);
	proto_digest(&again, &second->base, b);
	const char *difference = proto_diff(&again, &first->base, &second->base);
	if (memcmp(a, b, sizeof(a)) != 0 || *difference)
		abort();
	return 0;
}
