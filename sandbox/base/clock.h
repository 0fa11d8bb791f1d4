/* Time. Durations are milliseconds unless the name says otherwise; deadlines are points of the monotonic clock. */
#ifndef SANDBOX_BASE_CLOCK_H
#define SANDBOX_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds / microseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
/* Nanoseconds since the Unix epoch. */
int64_t clock_wall_ns(void);

/* Milliseconds until `deadline_ms` for poll(): 0 when it has passed, at most INT_MAX; -1 for a deadline of INT64_MAX (never). */
int clock_poll_timeout(int64_t deadline_ms);
#define CLOCK_NEVER INT64_MAX

#define CLOCK_RFC3339_SIZE 40
/* "2026-11-23T07:15:18.123456Z" in UTC with microseconds. */
void clock_format_rfc3339(int64_t wall_ns, char text[CLOCK_RFC3339_SIZE]);
/* Accepts fractions up to nanoseconds and offsets; false when malformed. */
bool clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns);

#endif
