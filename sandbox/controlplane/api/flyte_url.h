/*
 * flyte:// URLs, which name the inputs, outputs or deck of a node or of one attempt of its task:
 *	flyte://v1/<project>/<domain>/<execution>/<node>[/<attempt>]/{i,o,d}
 *	flyte://v1/<project>/<domain>/<execution>/<node>[/<attempt>]/{i,o}/<name of one variable>
 * Rules: flyteadmin's pkg/common/flyte_url.go at v1.16.8. Pure.
 */
#ifndef SANDBOX_CONTROLPLANE_API_FLYTE_URL_H
#define SANDBOX_CONTROLPLANE_API_FLYTE_URL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Strings in the arena. */
struct flyte_url {
	const char *project, *domain, *execution, *node_id;
	int64_t attempt;     /* -1: of the node */
	char kind;           /* 'i', 'o' or 'd' */
	const char *literal; /* "" for the whole map */
};

bool flyte_url_parse(struct arena *arena, const char *text, struct flyte_url *ret_url);

#endif
