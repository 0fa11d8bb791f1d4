/* Durations as people write them: Go's syntax, which Flyte's clients and its configuration use. Exact to the nanosecond. */
#ifndef SANDBOX_BASE_DURATION_H
#define SANDBOX_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* time.ParseDuration: "90s", "1h2m3.5s", "-10ms", "0"; whole text. False when malformed or out of range. */
bool duration_parse_go(const char *text, int64_t *ret_ns);
/* The same, and a number alone is seconds: "1.5". */
bool duration_parse(const char *text, int64_t *ret_ns);

#endif
