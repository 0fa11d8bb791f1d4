/* A literal from anywhere, as a control plane may send it, and MessagePack within it: its plain form, packed, is the
 * same again. */
#include "flyte/literal.h"
#include "flyte/pack.h"
#include "proto/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	const Flyteidl__Core__Literal *literal = proto_unpack(&arena, flyteidl__core__literal, data, size, &e);
	if (literal) {
		auto_json json_t *value = literal_to_json(&arena, literal, &e);
		(void)value;
	}
	auto_json json_t *plain = pack_to_json(data, size, &e);
	auto_buf struct buf packed = BUF_INIT((size_t)8 << 20);
	if (plain && pack_json(plain, &packed, &e) == 0) {
		auto_json json_t *again = pack_to_json((const uint8_t *)buf_text(&packed), packed.length, &e);
		if (!json_equal(plain, again))
			abort();
	}
	return 0;
}
