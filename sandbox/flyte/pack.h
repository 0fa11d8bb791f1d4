/* Plain values as MessagePack and back: how flytekit keeps dataclasses, dicts and models. Reading is the compiler's
 * msgpack.h. Pure. */
#ifndef SANDBOX_FLYTE_PACK_H
#define SANDBOX_FLYTE_PACK_H

#include "base/json.h"

#include <stdint.h>

/* Appends `value`; -1 with ERR_EXHAUSTED when the buffer is full, ERR_INVALID when nested too deep. */
int pack_json(const json_t *value, struct buf *out, struct err *e);
/*
 * A new reference. Binary and extension values become Base64 text, keys that are no text are written as it. NULL with
 * ERR_INVALID ("bad-value") for malformed bytes or deep nesting.
 */
json_t *pack_to_json(const uint8_t *bytes, size_t length, struct err *e);

#endif
