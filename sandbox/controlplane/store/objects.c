/*
 * Each operation is one signed exchange. Operations are idempotent — an object is written as a whole — so one that
 * failed for a reason that may pass (no connection, 5xx, throttling) is tried again, signed anew, until a window has
 * passed: MinIO may just be starting.
 */
#include "controlplane/store/objects.h"

#include "base/client_pool.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "controlplane/store/objects_listing.h"
#include "controlplane/store/sigv4.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define RETRY_WINDOW_MS INT64_C(15000)
#define PAUSE_FIRST_MS INT64_C(20)
#define PAUSE_MAXIMUM_MS INT64_C(1000)
/* A try may take this long, plus a second for each 4 MiB of body. */
#define TRY_TIMEOUT_MS INT64_C(60000)
#define BYTES_PER_MS 4096
/* A download may take any time as long as bytes come. */
#define DOWNLOAD_IDLE_MS INT64_C(60000)
#define LISTING_MAXIMUM ((size_t)16 * 1024 * 1024)
#define ERROR_BODY_MAXIMUM ((size_t)64 * 1024)
#define KEY_MAXIMUM 1024
#define EXPIRES_MAXIMUM INT64_C(604800)
#define PRESIGN_HEADERS_MAXIMUM 16

struct objects {
	struct client_pool *clients;
	char *endpoint;
	char *access_key;
	char *secret_key;
	char *region;
};

static char *without_trailing_slash(const char *text)
{
	size_t length = strlen(text);
	while (length && text[length - 1] == '/')
		length--;
	return xstrndup(text, length);
}

struct objects *objects_new(const struct objects_options *options)
{
	struct objects *objects = xcalloc(1, sizeof(*objects));
	objects->clients = client_pool_new(&(struct http_client_options){ .cancel_fd = -1 });
	objects->endpoint = without_trailing_slash(options->endpoint);
	objects->access_key = xstrdup(options->access_key);
	objects->secret_key = xstrdup(options->secret_key);
	objects->region = xstrdup(options->region);
	return objects;
}

struct objects *objects_free(struct objects *objects)
{
	if (!objects)
		return NULL;
	client_pool_free(objects->clients);
	free(objects->endpoint);
	free(objects->access_key);
	free(objects->secret_key);
	free(objects->region);
	free(objects);
	return NULL;
}

static struct sigv4_credentials credentials_of(const struct objects *objects)
{
	return (struct sigv4_credentials){ .access_key = objects->access_key,
		                           .secret_key = objects->secret_key,
		                           .region = objects->region,
		                           .service = "s3" };
}

/* S3's rules for bucket names, as far as they protect the path: 3 to 63 of a-z 0-9 . - */
static bool is_bucket(const char *name, size_t length)
{
	return length >= 3 && length <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") >= length &&
	       name[0] != '.';
}

/* "." and ".." would be resolved away by any URL library on the way. */
static bool has_dot_segment(const char *key)
{
	for (const char *at = key; *at;) {
		size_t length = strcspn(at, "/");
		if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
			return true;
		at += length + (at[length] == '/');
	}
	return false;
}

/* "s3://bucket/key" to the percent-encoded "/bucket/key"; free(). */
static char *uri_to_path(const char *uri, struct err *e)
{
	const char *bucket = text_starts_with(uri, "s3://") ? uri + 5 : "";
	size_t bucket_length = strcspn(bucket, "/");
	const char *key = bucket[bucket_length] ? bucket + bucket_length + 1 : "";
	if (!is_bucket(bucket, bucket_length) || !*key || strlen(key) > KEY_MAXIMUM || has_dot_segment(key)) {
		err_set(e, ERR_INVALID, "invalid-uri", "\"%s\" is not the URI of an object (s3://bucket/key)", uri);
		return NULL;
	}
	return http_percent_encode(bucket - 1, "/"); /* with the slash before the bucket */
}

/* The Host header of requests to `endpoint`: without scheme and path, and without the scheme's own port. */
static char *host_of(const char *endpoint, struct err *e)
{
	bool tls = text_starts_with(endpoint, "https://");
	if (!tls && !text_starts_with(endpoint, "http://")) {
		err_set(e, ERR_INVALID, "invalid-endpoint", "\"%s\" is not an http or https URL", endpoint);
		return NULL;
	}
	const char *start = strstr(endpoint, "://") + 3;
	char *host = xstrndup(start, strcspn(start, "/"));
	if (text_ends_with(host, tls ? ":443" : ":80"))
		host[strlen(host) - (tls ? 4 : 3)] = '\0';
	return host;
}

struct operation {
	const char *method;
	const char *path;
	const char *query; /* percent-encoded and sorted, NULL: none */
	const void *body;
	size_t body_length;
	const char *content_type; /* NULL: none */
	struct buf *ret_body;     /* of a success; NULL: the body is not wanted */
	int ret_fd;               /* where it goes instead when `to_file` */
	bool to_file;
	char payload_hash[SIGV4_HASH_SIZE];
};

static int keep_body(void *context, const char *bytes, size_t length, struct err *e)
{
	const struct operation *operation = context;
	if (operation->to_file)
		return file_write_all(operation->ret_fd, bytes, length, e);
	if (operation->ret_body && buf_add(operation->ret_body, bytes, length) < 0)
		return err_set(e, ERR_EXHAUSTED, "object-too-large", "the object is larger than %zu bytes",
		               operation->ret_body->maximum);
	return 0;
}

/* What an earlier try has left is not part of the object. */
static int empty_result(struct operation *operation, struct err *e)
{
	if (operation->ret_body)
		buf_clear(operation->ret_body);
	if (operation->to_file && (ftruncate(operation->ret_fd, 0) < 0 || lseek(operation->ret_fd, 0, SEEK_SET) < 0))
		return err_set_errno(e, errno, NULL, "cannot empty the file");
	return 0;
}

static int try_once(struct objects *objects, struct operation *operation, struct http_response *response, struct err *e)
{
	char date[SIGV4_DATE_SIZE];
	sigv4_format_date(clock_wall_ns(), date);
	auto_free char *host = host_of(objects->endpoint, e);
	if (!host)
		return -1;
	struct http_header headers[5] = {
		{ "Host", host },
		{ "x-amz-content-sha256", operation->payload_hash },
		{ "x-amz-date", date },
	};
	size_t header_count = 3;
	if (operation->content_type)
		headers[header_count++] = (struct http_header){ "Content-Type", operation->content_type };
	struct sigv4_credentials credentials = credentials_of(objects);
	auto_free char *authorization =
	        sigv4_authorization(&credentials, &(struct sigv4_request){
	                                                  .method = operation->method,
	                                                  .path = operation->path,
	                                                  .query = operation->query ? operation->query : "",
	                                                  .headers = headers,
	                                                  .header_count = header_count,
	                                                  .payload_hash = operation->payload_hash,
	                                                  .date = date,
	                                          });
	headers[header_count++] = (struct http_header){ "Authorization", authorization };
	auto_free char *url = xasprintf("%s%s%s%s", objects->endpoint, operation->path, operation->query ? "?" : "",
	                                operation->query ? operation->query : "");
	if (empty_result(operation, e) < 0)
		return -1;
	return client_pool_perform(
	        objects->clients,
	        &(struct http_request){
	                .method = operation->method,
	                .url = url,
	                .headers = headers,
	                .header_count = header_count,
	                .body = operation->body,
	                .body_length = operation->body_length,
	                .on_data = keep_body,
	                .context = operation,
	                .response_maximum = ERROR_BODY_MAXIMUM,
	                .timeout_ms = operation->to_file
	                                      ? HTTP_NO_TIMEOUT
	                                      : TRY_TIMEOUT_MS + (int64_t)(operation->body_length / BYTES_PER_MS),
	                .idle_timeout_ms = operation->to_file ? DOWNLOAD_IDLE_MS : 0,
	        },
	        response, e);
}

/* The text between <tag> and </tag> of S3's error documents, or ""; free(). */
static char *xml_text(const char *xml, const char *tag)
{
	auto_free char *open = xasprintf("<%s>", tag);
	const char *start = strstr(xml, open);
	start = start ? start + strlen(open) : "";
	return xstrndup(start, strcspn(start, "<"));
}

/* S3's name for what went wrong; free(). The answer to a HEAD has no document, and MinIO tells it in a header instead. */
static char *error_code(const struct http_response *response)
{
	char header[64];
	auto_free char *code = xml_text(buf_text(&response->body), "Code");
	if (!*code && http_response_header(response, "x-minio-error-code", header, sizeof(header)))
		return xstrdup(header);
	return steal_ptr(code);
}

/* A store without the bucket is not one that lacks an object: whoever takes absence for an answer must not take this for one. */
static int no_bucket(const char *message, struct err *e)
{
	err_set(e, ERR_PRECONDITION, "no-bucket", "%s", message);
	return err_hint(e, "the control plane makes its own bucket when it starts: restart it; any other bucket has to be made by you");
}

static int translate(const struct http_response *response, struct err *e)
{
	auto_free char *code = error_code(response);
	auto_free char *text = xml_text(buf_text(&response->body), "Message");
	auto_free char *message =
	        xasprintf("%s%s%s (status %ld)", code, *code && *text ? ": " : "", text, response->status);
	switch (response->status) {
	case 400:
		return err_set(e, ERR_INVALID, "s3-invalid", "%s", message);
	case 401:
	case 403:
		return err_set(e, ERR_PERMISSION, "s3-forbidden", "%s", message);
	case 404:
		return text_equal(code, "NoSuchBucket") ? no_bucket(message, e)
		                                        : err_set(e, ERR_NOT_FOUND, "no-object", "%s", message);
	case 409:
		return err_set(e, text_starts_with(code, "BucketAlready") ? ERR_EXISTS : ERR_CONFLICT, NULL, "%s",
		               message);
	case 507:
		return err_set(e, ERR_EXHAUSTED, "s3-full", "%s", message);
	default:
		if (response->status == 429 || response->status >= 500)
			return err_set(e, ERR_UNAVAILABLE, "s3-unavailable", "%s", message);
		return err_set(e, ERR_INTERNAL, "s3-answer", "%s", message);
	}
}

static int run(struct objects *objects, struct operation *operation, struct http_response *response, struct err *e)
{
	int64_t give_up_ms = clock_monotonic_ms() + RETRY_WINDOW_MS;
	int64_t pause_ms = PAUSE_FIRST_MS;
	sigv4_hash(operation->body ? operation->body : "", operation->body_length, operation->payload_hash);
	for (;;) {
		auto_err struct err attempt = ERR_INIT;
		int outcome = try_once(objects, operation, response, &attempt);
		if (outcome == 0 && (response->status < 200 || response->status >= 300))
			outcome = translate(response, &attempt);
		if (outcome == 0)
			return 0;
		if (attempt.kind != ERR_UNAVAILABLE || clock_monotonic_ms() + pause_ms > give_up_ms)
			return err_move(e, &attempt);
		/* Nothing announces that a server is back: a growing pause, bounded by the window. */
		poll(NULL, 0, (int)pause_ms);
		pause_ms = pause_ms * 2 < PAUSE_MAXIMUM_MS ? pause_ms * 2 : PAUSE_MAXIMUM_MS;
	}
}

int objects_put(struct objects *objects, const char *uri, const void *bytes, size_t length, const char *content_type,
                struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *path = uri_to_path(uri, e);
	if (!path)
		return -1;
	struct operation operation = {
		.method = "PUT", .path = path, .body = bytes, .body_length = length, .content_type = content_type
	};
	if (run(objects, &operation, &response, e) < 0)
		return err_wrap(e, "cannot write \"%s\"", uri);
	return 0;
}

int objects_get(struct objects *objects, struct arena *arena, const char *uri, size_t maximum,
                struct proto_bytes *ret_bytes, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(maximum);
	auto_free char *path = uri_to_path(uri, e);
	if (!path)
		return -1;
	struct operation operation = { .method = "GET", .path = path, .ret_body = &body };
	if (run(objects, &operation, &response, e) < 0)
		return err_wrap(e, "cannot read \"%s\"", uri);
	uint8_t *bytes = arena_try_alloc(arena, body.length + 1);
	if (!bytes) {
		err_set(e, ERR_EXHAUSTED, "object-too-large", "the object has %zu bytes", body.length);
		return err_wrap(e, "cannot read \"%s\"", uri);
	}
	if (body.length)
		memcpy(bytes, body.data, body.length);
	*ret_bytes = (struct proto_bytes){ .data = bytes, .length = body.length };
	return 0;
}

int objects_download(struct objects *objects, const char *uri, int fd, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *path = uri_to_path(uri, e);
	if (!path)
		return -1;
	struct operation operation = { .method = "GET", .path = path, .ret_fd = fd, .to_file = true };
	if (run(objects, &operation, &response, e) < 0)
		return err_wrap(e, "cannot read \"%s\"", uri);
	return 0;
}

/* One page of S3's ListObjectsV2. *token is what the page before has left, and what the next one needs; NULL: none. */
static int list_page(struct objects *objects, const char *bucket, const char *prefix, char **token,
                     struct objects_listing *listing, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_buf struct buf body = BUF_INIT(LISTING_MAXIMUM);
	auto_free char *path = xasprintf("/%s", bucket);
	auto_free char *encoded_prefix = http_percent_encode(prefix, "");
	auto_free char *encoded_token = http_percent_encode(*token ? *token : "", "");
	auto_free char *query =
	        xasprintf("%s%s%sencoding-type=url&list-type=2&prefix=%s", *token ? "continuation-token=" : "",
	                  encoded_token, *token ? "&" : "", encoded_prefix);
	struct operation operation = { .method = "GET", .path = path, .query = query, .ret_body = &body };
	free(*token);
	*token = NULL;
	if (run(objects, &operation, &response, e) < 0)
		return -1;
	return objects_listing_read(listing, bucket, buf_text(&body), token, e);
}

int objects_list(struct objects *objects, struct arena *arena, const char *prefix_uri, size_t maximum,
                 size_t *ret_count, char ***ret_uris, struct err *e)
{
	auto_free char *path = uri_to_path(prefix_uri, e); /* checks */
	auto_free char *token = NULL;
	if (!path)
		return -1;
	const char *start = prefix_uri + strlen("s3://");
	auto_free char *bucket = xstrndup(start, strcspn(start, "/"));
	struct objects_listing listing = { .arena = arena, .maximum = maximum };
	do {
		if (list_page(objects, bucket, start + strlen(bucket) + 1, &token, &listing, e) < 0)
			return err_wrap(e, "cannot list \"%s\"", prefix_uri);
	} while (token);
	*ret_count = listing.count;
	*ret_uris = listing.uris;
	return 0;
}

static char *header_in_arena(struct arena *arena, const struct http_response *response, const char *name)
{
	char value[512];
	return arena_strdup(arena, http_response_header(response, name, value, sizeof(value)) ? value : "");
}

int objects_head(struct objects *objects, struct arena *arena, const char *uri, struct objects_info *ret_info,
                 struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *path = uri_to_path(uri, e);
	if (!path)
		return -1;
	struct operation operation = { .method = "HEAD", .path = path };
	if (run(objects, &operation, &response, e) < 0)
		return err_wrap(e, "cannot look up \"%s\"", uri);
	int64_t size;
	if (!text_to_int64(header_in_arena(arena, &response, "Content-Length"), 0, INT64_MAX, &size))
		return err_set(e, ERR_INTERNAL, "s3-answer", "the store did not tell the size of \"%s\"", uri);
	char *etag = header_in_arena(arena, &response, "ETag");
	size_t length = strlen(etag);
	if (length >= 2 && etag[0] == '"' && etag[length - 1] == '"')
		etag = arena_strndup(arena, etag + 1, length - 2);
	*ret_info = (struct objects_info){
		.size = size,
		.etag = etag,
		.content_md5 = header_in_arena(arena, &response, "x-amz-meta-flytecontentmd5"),
	};
	return 0;
}

int objects_make_bucket(struct objects *objects, const char *bucket, struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_err struct err problem = ERR_INIT;
	if (!is_bucket(bucket, strlen(bucket)))
		return err_set(e, ERR_INVALID, "invalid-bucket", "\"%s\" is not a bucket name", bucket);
	auto_free char *path = xasprintf("/%s", bucket);
	struct operation operation = { .method = "PUT", .path = path };
	if (run(objects, &operation, &response, &problem) == 0 || problem.kind == ERR_EXISTS)
		return 0;
	/* One that somebody has made for us, with keys that may not make any, or in another region than S3's first. */
	auto_err struct err absent = ERR_INIT;
	struct operation look = { .method = "HEAD", .path = path };
	if ((problem.kind == ERR_PERMISSION || problem.kind == ERR_INVALID) && run(objects, &look, &response, &absent) == 0)
		return 0;
	err_move(e, &problem);
	return err_wrap(e, "cannot make the bucket \"%s\"", bucket);
}

/* The query of a presigned URL, without its signature, sorted as it must be signed; free(). */
static char *presign_query(const struct sigv4_credentials *credentials, const struct sigv4_request *request,
                           int64_t expires_seconds)
{
	auto_free char *credential = sigv4_credential(credentials, request->date);
	auto_free char *encoded_credential = http_percent_encode(credential, "");
	auto_free char *signed_headers = sigv4_signed_headers(request);
	auto_free char *encoded_headers = http_percent_encode(signed_headers, "");
	return xasprintf("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-"
	                 "SignedHeaders=%s",
	                 encoded_credential, request->date, (long long)expires_seconds, encoded_headers);
}

int objects_presign(struct objects *objects, struct arena *arena, const char *public_endpoint, const char *method,
                    const char *uri, const struct http_header *headers, size_t header_count, int64_t expires_seconds,
                    int64_t now_wall_ns, char **ret_url, struct err *e)
{
	if (expires_seconds < 1 || expires_seconds > EXPIRES_MAXIMUM)
		return err_set(e, ERR_INVALID, "invalid-expiry",
		               "a signed URL expires after 1 to %lld seconds, not %lld", (long long)EXPIRES_MAXIMUM,
		               (long long)expires_seconds);
	if (header_count >= PRESIGN_HEADERS_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "too many headers to sign");
	auto_free char *endpoint = without_trailing_slash(public_endpoint);
	auto_free char *host = host_of(endpoint, e);
	auto_free char *path = host ? uri_to_path(uri, e) : NULL;
	if (!path)
		return -1;
	struct http_header all[PRESIGN_HEADERS_MAXIMUM] = { { "host", host } };
	for (size_t i = 0; i < header_count; i++)
		all[i + 1] = headers[i];
	char date[SIGV4_DATE_SIZE], signature[SIGV4_HASH_SIZE];
	sigv4_format_date(now_wall_ns, date);
	struct sigv4_credentials credentials = credentials_of(objects);
	struct sigv4_request request = {
		.method = method,
		.path = path,
		.headers = all,
		.header_count = header_count + 1,
		.payload_hash = SIGV4_UNSIGNED_PAYLOAD,
		.date = date,
	};
	auto_free char *query = presign_query(&credentials, &request, expires_seconds);
	request.query = query;
	sigv4_signature(&credentials, &request, signature);
	*ret_url = arena_printf(arena, "%s%s?%s&X-Amz-Signature=%s", endpoint, path, query, signature);
	return 0;
}

int objects_failed(struct err *e)
{
	if (e->kind == ERR_INVALID || e->kind == ERR_PERMISSION || e->kind == ERR_NOT_FOUND)
		e->kind = ERR_INTERNAL;
	return -1;
}
