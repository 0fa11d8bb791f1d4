/* Small pure functions over NUL-terminated text. */
#ifndef SANDBOX_BASE_TEXT_H
#define SANDBOX_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL equals only NULL. */
bool text_equal(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);
bool text_ends_with(const char *text, const char *suffix);
/* True for NULL and "". */
bool text_is_empty(const char *text);

/* Whole-string decimal numbers without sign tricks or spaces; false when malformed or outside [minimum, maximum]. */
bool text_to_int64(const char *text, int64_t minimum, int64_t maximum, int64_t *ret_value);
bool text_to_uint64(const char *text, uint64_t maximum, uint64_t *ret_value);

/* FNV-1a (64 bit): tells texts apart; nothing depends on its strength. */
uint64_t text_hash(const char *text);

/* Damerau-Levenshtein (optimal string alignment) distance, capped at 64 characters a side. */
size_t text_distance(const char *a, const char *b);
/* The candidate nearest to `text`, if near enough to be what was meant, else NULL. Borrowed from `candidates`. */
const char *text_suggest(const char *text, const char *const *candidates, size_t count);

#endif
