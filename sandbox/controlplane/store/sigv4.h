/*
 * AWS Signature Version 4: pure functions from a request to its signature. Source: AWS General Reference, "Signature
 * Version 4 signing process", and the S3 API reference, "Authenticating Requests" (header and query parameter
 * variants).
 */
#ifndef SANDBOX_CONTROLPLANE_STORE_SIGV4_H
#define SANDBOX_CONTROLPLANE_STORE_SIGV4_H

#include "base/http.h"

#include <stdint.h>

struct sigv4_credentials {
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service; /* "s3" */
};

#define SIGV4_DATE_SIZE 17 /* "20150830T123600Z" */
#define SIGV4_HASH_SIZE 65 /* SHA-256 in lower-case hex */
#define SIGV4_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"

/* ISO 8601 basic format in UTC, to the second. */
void sigv4_format_date(int64_t wall_ns, char ret_date[SIGV4_DATE_SIZE]);
void sigv4_hash(const void *bytes, size_t length, char ret_hex[SIGV4_HASH_SIZE]);

struct sigv4_request {
	const char *method;
	const char *path;                  /* percent-encoded once, begins with '/' */
	const char *query;                 /* percent-encoded "name=value" joined by '&', sorted by name; "" for none */
	const struct http_header *headers; /* all that are to be signed, "host" among them; any case, any order */
	size_t header_count;
	const char *payload_hash; /* sigv4_hash of the body, or SIGV4_UNSIGNED_PAYLOAD */
	const char *date;         /* sigv4_format_date */
};

/* "content-md5;host;x-amz-date". Free with free(). */
char *sigv4_signed_headers(const struct sigv4_request *request);
void sigv4_signature(const struct sigv4_credentials *credentials, const struct sigv4_request *request,
                     char ret_signature[SIGV4_HASH_SIZE]);
/* "<access key>/<yyyymmdd>/<region>/<service>/aws4_request". Free with free(). */
char *sigv4_credential(const struct sigv4_credentials *credentials, const char *date);
/* The value of the Authorization header. Free with free(). */
char *sigv4_authorization(const struct sigv4_credentials *credentials, const struct sigv4_request *request);

#endif
