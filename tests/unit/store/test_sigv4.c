/* Published facts: AWS's Signature Version 4 test suite ("get-vanilla" and friends) and the examples of the S3 API
 * reference. */
#include "controlplane/store/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct sigv4_credentials suite = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service",
};
static const struct sigv4_credentials s3 = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "s3",
};
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_hash_and_date(void **state)
{
	(void)state;
	char hash[SIGV4_HASH_SIZE], date[SIGV4_DATE_SIZE];
	sigv4_hash("", 0, hash);
	assert_string_equal(hash, EMPTY_HASH);
	sigv4_format_date(INT64_C(1440938160000000000), date);
	assert_string_equal(date, "20150830T123600Z");
}

static void test_get_vanilla(void **state)
{
	(void)state;
	const struct http_header headers[] = { { "Host", "example.amazonaws.com" },
		                               { "X-Amz-Date", "20150830T123600Z" } };
	struct sigv4_request request = { .method = "GET",
		                         .path = "/",
		                         .query = "",
		                         .headers = headers,
		                         .header_count = 2,
		                         .payload_hash = EMPTY_HASH,
		                         .date = "20150830T123600Z" };
	auto_free char *authorization = sigv4_authorization(&suite, &request);
	assert_string_equal(authorization,
	                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
	                    "SignedHeaders=host;x-amz-date, "
	                    "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

/* Header values lose spaces at their ends and repeated ones inside (get-header-value-trim). */
static void test_header_value_trim(void **state)
{
	(void)state;
	const struct http_header headers[] = {
		{ "Host", "example.amazonaws.com" },
		{ "My-Header2", " \"a   b   c\"" },
		{ "My-Header1", " value1" },
		{ "X-Amz-Date", "20150830T123600Z" },
	};
	struct sigv4_request request = { .method = "GET",
		                         .path = "/",
		                         .query = "",
		                         .headers = headers,
		                         .header_count = 4,
		                         .payload_hash = EMPTY_HASH,
		                         .date = "20150830T123600Z" };
	char signature[SIGV4_HASH_SIZE];
	auto_free char *names = sigv4_signed_headers(&request);
	assert_string_equal(names, "host;my-header1;my-header2;x-amz-date");
	sigv4_signature(&suite, &request, signature);
	assert_string_equal(signature, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void test_s3_get_object(void **state)
{
	(void)state;
	const struct http_header headers[] = {
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "Range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY_HASH },
		{ "x-amz-date", "20130524T000000Z" },
	};
	struct sigv4_request request = { .method = "GET",
		                         .path = "/test.txt",
		                         .query = "",
		                         .headers = headers,
		                         .header_count = 4,
		                         .payload_hash = EMPTY_HASH,
		                         .date = "20130524T000000Z" };
	char signature[SIGV4_HASH_SIZE];
	sigv4_signature(&s3, &request, signature);
	assert_string_equal(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_s3_put_object(void **state)
{
	(void)state;
	char hash[SIGV4_HASH_SIZE], signature[SIGV4_HASH_SIZE];
	const char *body = "Welcome to Amazon S3.";
	sigv4_hash(body, strlen(body), hash);
	assert_string_equal(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
	const struct http_header headers[] = {
		{ "Date", "Fri, 24 May 2013 00:00:00 GMT" },
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "x-amz-content-sha256", hash },
		{ "x-amz-date", "20130524T000000Z" },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
	};
	struct sigv4_request request = { .method = "PUT",
		                         .path = "/test%24file.text",
		                         .query = "",
		                         .headers = headers,
		                         .header_count = 5,
		                         .payload_hash = hash,
		                         .date = "20130524T000000Z" };
	sigv4_signature(&s3, &request, signature);
	assert_string_equal(signature, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void test_s3_presigned_get(void **state)
{
	(void)state;
	const struct http_header headers[] = { { "Host", "examplebucket.s3.amazonaws.com" } };
	struct sigv4_request request = {
		.method = "GET",
		.path = "/test.txt",
		.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-"
		         "1%2Fs3%2Faws4_request"
		         "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host",
		.headers = headers,
		.header_count = 1,
		.payload_hash = SIGV4_UNSIGNED_PAYLOAD,
		.date = "20130524T000000Z",
	};
	char signature[SIGV4_HASH_SIZE];
	sigv4_signature(&s3, &request, signature);
	assert_string_equal(signature, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_and_date),     cmocka_unit_test(test_get_vanilla),
		cmocka_unit_test(test_header_value_trim), cmocka_unit_test(test_s3_get_object),
		cmocka_unit_test(test_s3_put_object),     cmocka_unit_test(test_s3_presigned_get),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
