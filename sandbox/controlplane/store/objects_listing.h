/* S3's answer to ListObjectsV2 with encoding-type=url (S3 API reference): a parser for the little of XML that is in it.
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_OBJECTS_LISTING_H
#define SANDBOX_CONTROLPLANE_STORE_OBJECTS_LISTING_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>

struct objects_listing {
	struct arena *arena;
	size_t maximum;
	size_t count;
	char **uris; /* "s3://bucket/key" */
};

/* Adds the objects of a page. *ret_token is the token of the next page, for free(), or NULL when there is none.
 * ERR_EXHAUSTED past the maximum, ERR_INTERNAL for what is no such answer. */
int objects_listing_read(struct objects_listing *listing, const char *bucket, const char *xml, char **ret_token,
                         struct err *e);

#endif
