#include "controlplane/api/flyte_url.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define PREFIX "flyte://v1/"
#define PART_MAXIMUM 7

static bool is_part(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '_' && *p != '-')
			return false;
	}
	return *text != '\0';
}

static bool is_kind(const char *text)
{
	return *text && strchr("iod", *text) && !text[1];
}

bool flyte_url_parse(struct arena *arena, const char *text, struct flyte_url *ret_url)
{
	if (!text_starts_with(text, PREFIX))
		return false;
	const char *parts[PART_MAXIMUM];
	size_t count = 0;
	char *rest = arena_strdup(arena, text + strlen(PREFIX));
	for (const char *part; (part = strsep(&rest, "/"));) {
		if (count == PART_MAXIMUM || !is_part(part))
			return false;
		parts[count++] = part;
	}
	if (count < 5)
		return false;
	*ret_url = (struct flyte_url){ .project = parts[0],
		                       .domain = parts[1],
		                       .execution = parts[2],
		                       .node_id = parts[3],
		                       .attempt = -1,
		                       .literal = "" };
	/* An attempt is a number that something follows; "…/n0/0" alone is none. */
	size_t next = 4;
	if (count > next + 1 && text_to_int64(parts[next], 0, INT32_MAX, &ret_url->attempt))
		next++;
	if (!is_kind(parts[next]))
		return false;
	ret_url->kind = *parts[next++];
	if (next < count) {
		if (ret_url->kind == 'd')
			return false;
		ret_url->literal = parts[next++];
	}
	return next == count;
}
