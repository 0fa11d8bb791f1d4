/* Durations as people write them: Go's syntax, which Flyte's clients and its configuration use. */
#ifndef SANDBOX_BASE_DURATION_H
#define SANDBOX_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "1.5" (seconds), "90s", "1h2m3.5s", "-10ms": whole text, in nanoseconds. False when malformed or out of range. */
bool duration_parse(const char *text, int64_t *ret_ns);

#endif
