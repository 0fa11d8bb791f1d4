#include "controlplane/store/sigv4.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Headers and paths of one request; far above what S3 itself accepts. */
#define CANONICAL_MAXIMUM ((size_t)256 * 1024)

void sigv4_format_date(int64_t wall_ns, char ret_date[SIGV4_DATE_SIZE])
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(ret_date, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc);
}

static void to_hex(const unsigned char bytes[SHA256_DIGEST_LENGTH], char ret_hex[SIGV4_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
		ret_hex[2 * i] = digits[bytes[i] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_hex[SIGV4_HASH_SIZE - 1] = '\0';
}

void sigv4_hash(const void *bytes, size_t length, char ret_hex[SIGV4_HASH_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256(bytes, length, digest);
	to_hex(digest, ret_hex);
}

static int compare_headers(const void *a, const void *b)
{
	const struct http_header *const *x = a, *const *y = b;
	return strcasecmp((*x)->name, (*y)->name);
}

/* Pointers to the request's headers in canonical order; free(). */
static const struct http_header **sort_headers(const struct sigv4_request *request)
{
	const struct http_header **sorted = xcalloc(request->header_count + 1, sizeof(struct http_header *));
	for (size_t i = 0; i < request->header_count; i++)
		sorted[i] = &request->headers[i];
	qsort(sorted, request->header_count, sizeof(struct http_header *), compare_headers);
	return sorted;
}

static void add_lower(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_byte(out, (char)tolower((unsigned char)*text));
}

/* Without spaces at the ends, and one space for each run inside. */
static void add_trimmed(struct buf *out, const char *value)
{
	bool started = false, space = false;
	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			space = started;
			continue;
		}
		if (space)
			buf_add_byte(out, ' ');
		buf_add_byte(out, *value);
		started = true;
		space = false;
	}
}

static void add_signed_headers(struct buf *out, const struct http_header *const *sorted)
{
	for (size_t i = 0; sorted[i]; i++) {
		if (i > 0)
			buf_add_byte(out, ';');
		add_lower(out, sorted[i]->name);
	}
}

char *sigv4_signed_headers(const struct sigv4_request *request)
{
	auto_buf struct buf out = BUF_INIT(CANONICAL_MAXIMUM);
	const struct http_header **sorted = sort_headers(request);
	add_signed_headers(&out, sorted);
	free(sorted);
	return buf_steal(&out);
}

/* The canonical request ("Task 1" of the specification), hashed. */
static void hash_canonical_request(const struct sigv4_request *request, char ret_hex[SIGV4_HASH_SIZE])
{
	auto_buf struct buf out = BUF_INIT(CANONICAL_MAXIMUM);
	const struct http_header **sorted = sort_headers(request);
	buf_add_format(&out, "%s\n%s\n%s\n", request->method, request->path, request->query);
	for (size_t i = 0; sorted[i]; i++) {
		add_lower(&out, sorted[i]->name);
		buf_add_byte(&out, ':');
		add_trimmed(&out, sorted[i]->value);
		buf_add_byte(&out, '\n');
	}
	buf_add_byte(&out, '\n');
	add_signed_headers(&out, sorted);
	buf_add_format(&out, "\n%s", request->payload_hash);
	free(sorted);
	sigv4_hash(out.data, out.length, ret_hex);
}

static void hmac(const void *key, size_t key_length, const char *text, unsigned char ret_digest[SHA256_DIGEST_LENGTH])
{
	unsigned length = SHA256_DIGEST_LENGTH;
	if (!HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text), ret_digest, &length))
		abort();
}

void sigv4_signature(const struct sigv4_credentials *credentials, const struct sigv4_request *request,
                     char ret_signature[SIGV4_HASH_SIZE])
{
	char request_hash[SIGV4_HASH_SIZE];
	hash_canonical_request(request, request_hash);
	auto_free char *to_sign = xasprintf("AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", request->date,
	                                    request->date, credentials->region, credentials->service, request_hash);
	auto_free char *secret = xasprintf("AWS4%s", credentials->secret_key);
	auto_free char *day = xasprintf("%.8s", request->date);
	unsigned char key[SHA256_DIGEST_LENGTH], next[SHA256_DIGEST_LENGTH];
	hmac(secret, strlen(secret), day, key);
	hmac(key, sizeof(key), credentials->region, next);
	hmac(next, sizeof(next), credentials->service, key);
	hmac(key, sizeof(key), "aws4_request", next);
	hmac(next, sizeof(next), to_sign, key);
	to_hex(key, ret_signature);
}

char *sigv4_credential(const struct sigv4_credentials *credentials, const char *date)
{
	return xasprintf("%s/%.8s/%s/%s/aws4_request", credentials->access_key, date, credentials->region,
	                 credentials->service);
}

char *sigv4_authorization(const struct sigv4_credentials *credentials, const struct sigv4_request *request)
{
	char signature[SIGV4_HASH_SIZE];
	sigv4_signature(credentials, request, signature);
	auto_free char *credential = sigv4_credential(credentials, request->date);
	auto_free char *signed_headers = sigv4_signed_headers(request);
	return xasprintf("AWS4-HMAC-SHA256 Credential=%s, SignedHeaders=%s, Signature=%s", credential, signed_headers,
	                 signature);
}
