#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DISTANCE_MAXIMUM 64

bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends_with(const char *text, const char *suffix)
{
	size_t text_length = strlen(text);
	size_t suffix_length = strlen(suffix);
	return text_length >= suffix_length && strcmp(text + text_length - suffix_length, suffix) == 0;
}

bool text_is_empty(const char *text)
{
	return !text || !*text;
}

bool text_to_int64(const char *text, int64_t minimum, int64_t maximum, int64_t *ret_value)
{
	const char *digits = *text == '-' ? text + 1 : text;
	if (*digits < '0' || *digits > '9')
		return false;
	char *end = NULL;
	errno = 0;
	intmax_t value = strtoimax(text, &end, 10);
	if (errno || *end || value < minimum || value > maximum)
		return false;
	*ret_value = (int64_t)value;
	return true;
}

bool text_to_uint64(const char *text, uint64_t maximum, uint64_t *ret_value)
{
	if (*text < '0' || *text > '9')
		return false;
	char *end = NULL;
	errno = 0;
	uintmax_t value = strtoumax(text, &end, 10);
	if (errno || *end || value > maximum)
		return false;
	*ret_value = (uint64_t)value;
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t text_distance(const char *a, const char *b)
{
	size_t rows[3][DISTANCE_MAXIMUM + 1];
	size_t a_length = strnlen(a, DISTANCE_MAXIMUM);
	size_t b_length = strnlen(b, DISTANCE_MAXIMUM);
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *two_above = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(change, least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *text_suggest(const char *text, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	size_t best_distance = strlen(text) / 3 + 2;
	for (size_t i = 0; i < count; i++) {
		size_t distance = text_distance(text, candidates[i]);
		if (distance < best_distance) {
			best = candidates[i];
			best_distance = distance;
		}
	}
	return best;
}

uint64_t text_hash(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}
