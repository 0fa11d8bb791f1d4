/*
 * .dockerignore. The rules are Docker's (github.com/moby/patternmatcher, which the docker command and BuildKit use),
 * not gitignore's: a pattern is anchored at the context's root, "*" and "?" stop at slashes, "**" does not, the last
 * pattern that matches wins, "!" takes back, and what lies in a matched directory is matched with it.
 *
 * A path is matched against a pattern by walking both with a set of positions, so no pattern can cost more than its
 * length times the path's length.
 */
#ifndef SANDBOX_DOCKER_IGNORE_H
#define SANDBOX_DOCKER_IGNORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define IGNORE_PATTERNS_MAXIMUM ((size_t)10000)
#define IGNORE_PATTERN_LENGTH_MAXIMUM ((size_t)4096)

struct ignore_pattern;

struct ignore {
	struct ignore_pattern *patterns;
	size_t count;
	bool has_exceptions; /* some "!" pattern: directories that are ignored must be looked into */
};

#define IGNORE_INIT                                                                                                    \
	{                                                                                                              \
		.patterns = NULL                                                                                       \
	}
#define auto_ignore __attribute__((cleanup(ignore_release)))
void ignore_release(struct ignore *ignore);

/* Reads the text of a .dockerignore. ERR_INVALID "dockerignore" names the line. */
int ignore_parse(const char *text, size_t length, struct ignore *ret_ignore, struct err *e);
/* For a walk from the top: `own` and `parent` (that of the directory above, NULL at the top) have `count` elements,
 * which say what pattern matched; the result is that of ignore_matches. */
bool ignore_matches_entry(const struct ignore *ignore, const char *path, const bool *parent, bool *ret_own);
/* `path` relative to the context with slashes, without "./". */
bool ignore_matches(const struct ignore *ignore, const char *path);

#endif
