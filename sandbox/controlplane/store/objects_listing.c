#include "controlplane/store/objects_listing.h"

#include "base/text.h"
#include "proto/message.h"

#include <string.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: keys come as in a query, with %XX and '+' for a space. False when that is malformed or hides a zero byte.
 */
static bool decode(char *text)
{
	char *out = text;
	for (const char *at = text; *at; at++) {
		if (*at != '%') {
			*out++ = *at == '+' ? ' ' : *at;
			continue;
		}
		int high = hex_value(at[1]);
		int low = high < 0 ? -1 : hex_value(at[2]);
		if (low < 0 || high + low == 0)
			return false;
		*out++ = (char)(high * 16 + low);
		at += 2;
	}
	*out = '\0';
	return true;
}

/* The content of the next <tag>…</tag> from *at on, which then stands behind it; NULL when there is none. In the arena.
 */
static char *next_text(struct arena *arena, const char **at, const char *open, const char *close)
{
	const char *start = strstr(*at, open);
	if (!start)
		return NULL;
	start += strlen(open);
	const char *end = strstr(start, close);
	if (!end)
		return NULL;
	*at = end + strlen(close);
	return arena_strndup(arena, start, (size_t)(end - start));
}

int objects_listing_read(struct objects_listing *listing, const char *bucket, const char *xml, char **ret_token,
                         struct err *e)
{
	const char *at = xml;
	*ret_token = NULL;
	if (!strstr(xml, "<ListBucketResult"))
		return err_set(e, ERR_INTERNAL, "s3-answer", "the answer is no list of objects");
	for (char *key; (key = next_text(listing->arena, &at, "<Key>", "</Key>"));) {
		if (!decode(key))
			return err_set(e, ERR_INTERNAL, "s3-answer", "the list has a malformed key \"%s\"", key);
		if (listing->count >= listing->maximum)
			return err_set(e, ERR_EXHAUSTED, "too-many-objects", "there are more than %zu objects",
			               listing->maximum);
		char *uri = arena_printf(listing->arena, "s3://%s/%s", bucket, key);
		proto_append(listing->arena, listing->count, listing->uris, uri);
	}
	at = xml;
	const char *token = next_text(listing->arena, &at, "<NextContinuationToken>", "</NextContinuationToken>");
	if (token && *token)
		*ret_token = xstrdup(token);
	return 0;
}
