/*
 * The object store: S3 with SigV4 over base/http. Objects are named by URI, "s3://bucket/key". A `struct objects` may
 * be used by any thread (each thread gets an HTTP client of its own inside).
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_OBJECTS_H
#define SANDBOX_CONTROLPLANE_STORE_OBJECTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/http.h"
#include "proto/message.h"

#include <stdint.h>

struct objects;

struct objects_options {
	const char *endpoint; /* "http://127.0.0.1:9000", used by us; path-style */
	const char *access_key;
	const char *secret_key;
	const char *region; /* "us-east-1" */
};

struct objects *objects_new(const struct objects_options *options);
struct objects *objects_free(struct objects *objects);

int objects_put(struct objects *objects, const char *uri, const void *bytes, size_t length, const char *content_type,
                struct err *e);
/* ERR_NOT_FOUND when absent, ERR_EXHAUSTED when larger than `maximum`. Bytes in the arena. A bucket that is not there is an error of its own in all
 * of these, ERR_PRECONDITION "no-bucket". */
int objects_get(struct objects *objects, struct arena *arena, const char *uri, size_t maximum,
                struct proto_bytes *ret_bytes, struct err *e);
/* The same into a file, of any size: what `fd` holds is replaced. */
int objects_download(struct objects *objects, const char *uri, int fd, struct err *e);
/* The URIs of all objects whose key begins with that of `prefix_uri`, in the arena; at most `maximum`, else
 * ERR_EXHAUSTED. */
int objects_list(struct objects *objects, struct arena *arena, const char *prefix_uri, size_t maximum,
                 size_t *ret_count, char ***ret_uris, struct err *e);
struct objects_info {
	int64_t size;
	char *etag;        /* without quotes */
	char *content_md5; /* x-amz-meta-flytecontentmd5, "" when absent */
};
/* ERR_NOT_FOUND when absent. Strings in the arena. */
int objects_head(struct objects *objects, struct arena *arena, const char *uri, struct objects_info *ret_info,
                 struct err *e);
/* For answers to somebody else's request: an object store that finds fault with what we ask is our failure, not the
 * caller's, so INVALID, PERMISSION and NOT_FOUND become INTERNAL. Returns -1. */
int objects_failed(struct err *e);
int objects_make_bucket(struct objects *objects, const char *bucket, struct err *e); /* present is success */

/*
 * A presigned URL (AWS SigV4 query authentication, UNSIGNED-PAYLOAD) at `public_endpoint`, which is what the receiver
 * of the URL can reach. `headers` are signed: the receiver must send them exactly so. `expires_seconds` 1 … 604800.
 */
int objects_presign(struct objects *objects, struct arena *arena, const char *public_endpoint, const char *method,
                    const char *uri, const struct http_header *headers, size_t header_count, int64_t expires_seconds,
                    int64_t now_wall_ns, char **ret_url, struct err *e);

#endif
