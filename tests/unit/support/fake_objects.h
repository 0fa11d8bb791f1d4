/*
 * An object store for tests: what S3 does for PUT, GET, HEAD and DELETE of single objects and for their list, in memory, on a loopback
 * port. It checks no signatures. All functions may be called from any thread.
 */
#ifndef SANDBOX_TESTS_UNIT_SUPPORT_FAKE_OBJECTS_H
#define SANDBOX_TESTS_UNIT_SUPPORT_FAKE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

struct fake_objects;

struct fake_objects *fake_objects_start(void);
struct fake_objects *fake_objects_stop(struct fake_objects *fake);
/* "http://127.0.0.1:<port>" */
const char *fake_objects_endpoint(const struct fake_objects *fake);

/* By path, "/my-s3-bucket/metadata/…". The bytes are freed by the caller; NULL when there is no such object. */
char *fake_objects_get(struct fake_objects *fake, const char *path, size_t *ret_length);
void fake_objects_put(struct fake_objects *fake, const char *path, const void *bytes, size_t length);
/* How many requests there have been. */
unsigned fake_objects_requests(struct fake_objects *fake);
/* From now on a PUT is answered when that many are under way, and with status 400 when they are not within ten seconds; 0 ends that. */
void fake_objects_meet(struct fake_objects *fake, unsigned count);
/* From now on every request is answered with this status; 0 ends that. */
void fake_objects_fail(struct fake_objects *fake, int status);

#endif
