/* The object store's client against scripted answers; where MINIO_PROGRAM names a MinIO server, against that too. */
#include "base/clock.h"
#include "base/file.h"
#include "controlplane/store/objects.h"
#include "script_server.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct objects *client_of(const char *endpoint)
{
	return objects_new(&(struct objects_options){
	        .endpoint = endpoint, .access_key = "minio", .secret_key = "miniostorage", .region = "us-east-1" });
}

static void test_put(void **state)
{
	(void)state;
	static const struct script_answer answers[] = { { .status = 200 } };
	struct script_server *server = script_server_start(answers, 1, 1);
	struct objects *objects = client_of(script_server_url(server));
	auto_err struct err e = ERR_INIT;
	assert_int_equal(
	        objects_put(objects, "s3://my-s3-bucket/a b/\xc3\xa4+c.pb", "bytes", 5, "application/octet-stream", &e),
	        0);
	const char *request = script_server_request(server, 0);
	assert_non_null(strstr(request, "PUT /my-s3-bucket/a%20b/%C3%A4%2Bc.pb HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/octet-stream\r\n"));
	/* sha256("bytes") */
	assert_non_null(strstr(
	        request,
	        "\r\nx-amz-content-sha256: 277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9\r\n"));
	assert_non_null(strstr(request, "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature="));
	assert_non_null(strstr(request, "\r\n\r\nbytes"));
	objects_free(objects);
	script_server_stop(server);
}

static void test_get(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 200, .body = "0123456789", .chunked = true },
		{ .status = 200, .body = "0123456789" },
		{ .status = 404,
		  .body = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>" },
		{ .status = 403, .body = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>" },
	};
	struct script_server *server = script_server_start(answers, 4, 2);
	struct objects *objects = client_of(script_server_url(server));
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct proto_bytes bytes;
	assert_int_equal(objects_get(objects, &arena, "s3://bucket/key", 10, &bytes, &e), 0);
	assert_int_equal(bytes.length, 10);
	assert_memory_equal(bytes.data, "0123456789", 10);
	assert_int_equal(objects_get(objects, &arena, "s3://bucket/key", 9, &bytes, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	/* An error document may be longer than the object could have been. */
	assert_int_equal(objects_get(objects, &arena, "s3://bucket/key", 9, &bytes, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(
	        err_message(&e),
	        "cannot read \"s3://bucket/key\": NoSuchKey: The specified key does not exist. (status 404)");
	assert_int_equal(objects_get(objects, &arena, "s3://bucket/key", 9, &bytes, &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION);
	objects_free(objects);
	script_server_stop(server);
}

static void test_head(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 200, .headers = "ETag: \"abc\"\r\nX-Amz-Meta-Flytecontentmd5: bWQ1\r\n", .body = "" },
		{ .status = 404 },
	};
	struct script_server *server = script_server_start(answers, 2, 3);
	struct objects *objects = client_of(script_server_url(server));
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct objects_info info;
	assert_int_equal(objects_head(objects, &arena, "s3://bucket/key", &info, &e), 0);
	assert_int_equal(info.size, 0);
	assert_string_equal(info.etag, "abc");
	assert_string_equal(info.content_md5, "bWQ1");
	assert_int_equal(objects_head(objects, &arena, "s3://bucket/key", &info, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	objects_free(objects);
	script_server_stop(server);
}

/* Whoever takes an absent object for an answer must not take an absent bucket for one. */
static void test_no_bucket(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 404,
		  .body = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>" },
		{ .status = 404, .headers = "X-Minio-Error-Code: NoSuchBucket\r\n" },
		{ .status = 404, .headers = "X-Minio-Error-Code: NoSuchKey\r\n" },
	};
	struct script_server *server = script_server_start(answers, 3, 6);
	struct objects *objects = client_of(script_server_url(server));
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct proto_bytes bytes;
	struct objects_info info;
	assert_int_equal(objects_get(objects, &arena, "s3://bucket/key", 10, &bytes, &e), -1);
	assert_int_equal(e.kind, ERR_PRECONDITION);
	assert_string_equal(err_id(&e), "no-bucket");
	assert_non_null(strstr(err_message(&e), "The specified bucket does not exist"));
	assert_non_null(strstr(e.hint, "restart it"));
	assert_int_equal(objects_head(objects, &arena, "s3://bucket/key", &info, &e), -1);
	assert_string_equal(err_id(&e), "no-bucket");
	assert_int_equal(objects_head(objects, &arena, "s3://bucket/key", &info, &e), -1);
	assert_string_equal(err_id(&e), "no-object");
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	objects_free(objects);
	script_server_stop(server);
}

/* A dropped connection and 503s are tried again, and each try is signed anew; 403 is final. */
static void test_retries(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 0 },   { .status = 503, .body = "<Error><Code>SlowDown</Code></Error>" },
		{ .status = 500 }, { .status = 200 },
		{ .status = 403 },
	};
	struct script_server *server = script_server_start(answers, 5, 4);
	struct objects *objects = client_of(script_server_url(server));
	auto_err struct err e = ERR_INIT;
	assert_int_equal(objects_put(objects, "s3://bucket/key", "", 0, NULL, &e), 0);
	assert_int_equal(script_server_count(server), 4);
	assert_int_equal(objects_put(objects, "s3://bucket/key", "", 0, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION);
	assert_int_equal(script_server_count(server), 5);
	objects_free(objects);
	script_server_stop(server);
}

static void test_make_bucket(void **state)
{
	(void)state;
	static const struct script_answer answers[] = {
		{ .status = 200 },
		{ .status = 409, .body = "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>" },
		{ .status = 409, .body = "<Error><Code>OperationAborted</Code></Error>" },
		{ .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
		{ .status = 200 },
		{ .status = 403, .body = "<Error><Code>AccessDenied</Code></Error>" },
		{ .status = 404 },
	};
	struct script_server *server = script_server_start(answers, 7, 5);
	struct objects *objects = client_of(script_server_url(server));
	auto_err struct err e = ERR_INIT;
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), 0);
	assert_non_null(strstr(script_server_request(server, 0), "PUT /my-s3-bucket HTTP/1.1\r\n"));
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), 0);
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	/* Somebody else has made it. */
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), 0);
	assert_non_null(strstr(script_server_request(server, 4), "HEAD /my-s3-bucket HTTP/1.1\r\n"));
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), -1);
	assert_int_equal(e.kind, ERR_PERMISSION);
	objects_free(objects);
	script_server_stop(server);
}

static void test_bad_uris(void **state)
{
	(void)state;
	static const char *const uris[] = { "",
		                            "s3://",
		                            "s3://bucket",
		                            "s3://bucket/",
		                            "gs://bucket/key",
		                            "s3://B/key",
		                            "s3:///key",
		                            "s3://bucket/../x",
		                            "s3://bucket/a/./b",
		                            "s3://ab/k",
		                            "/bucket/key",
		                            "s3://buc ket/x" };
	struct objects *objects = client_of("http://127.0.0.1:1");
	for (size_t i = 0; i < ARRAY_LENGTH(uris); i++) {
		auto_err struct err e = ERR_INIT;
		assert_int_equal(objects_put(objects, uris[i], "", 0, NULL, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	objects_free(objects);
}

static void test_presign(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct objects *objects = client_of("http://127.0.0.1:9000");
	const struct http_header headers[] = { { "x-amz-meta-flyteContentMD5", "bWQ1" }, { "Content-MD5", "bWQ1" } };
	char *url;
	int64_t now = INT64_C(1440938160000000000);
	assert_int_equal(objects_presign(objects, &arena, "http://localhost:30002/", "PUT", "s3://my-s3-bucket/a b",
	                                 headers, 2, 3600, now, &url, &e),
	                 0);
	/* The signature was computed independently (Python's hmac and hashlib after the specification). */
	assert_string_equal(
	        url, "http://localhost:30002/my-s3-bucket/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256"
	             "&X-Amz-Credential=minio%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z"
	             "&X-Amz-Expires=3600&X-Amz-SignedHeaders=content-md5%3Bhost%3Bx-amz-meta-flytecontentmd5"
	             "&X-Amz-Signature=5e32d5c2495486077f0e95242b1b8a4e6d36869565886ab850c3f9ef6029d676");
	assert_int_equal(
	        objects_presign(objects, &arena, "http://x", "PUT", "s3://bucket/k", NULL, 0, 604801, now, &url, &e),
	        -1);
	assert_int_equal(
	        objects_presign(objects, &arena, "ftp://x", "PUT", "s3://bucket/k", NULL, 0, 60, now, &url, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	objects_free(objects);
}

/* Starts MinIO on a free port with its data in `directory`. */
static pid_t start_minio(const char *program, const char *directory, char endpoint[64])
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	snprintf(endpoint, 64, "http://127.0.0.1:%u", ntohs(address.sin_port));
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("MINIO_ROOT_USER", "minio", 1);
		setenv("MINIO_ROOT_PASSWORD", "miniostorage", 1);
		execl(program, "minio", "server", "--quiet", "--address", endpoint + strlen("http://"), directory,
		      (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int remove_entry(const char *path, const struct stat *information, int kind, struct FTW *position)
{
	(void)information;
	(void)kind;
	(void)position;
	return remove(path);
}

/* What flytekit does with an upload URL: PUT with exactly the signed headers; any other value must be refused. */
static void put_signed(const char *url, const char *md5, long expected_status)
{
	auto_err struct err e = ERR_INIT;
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct http_client *client = http_client_new(&(struct http_client_options){ .cancel_fd = -1 });
	const struct http_header headers[] = { { "Content-MD5", md5 }, { "x-amz-meta-flyteContentMD5", md5 } };
	struct http_request request = {
		.method = "PUT", .url = url, .headers = headers, .header_count = 2, .body = "hello", .body_length = 5
	};
	if (http_perform(client, &request, &response, &e) < 0)
		fail_msg("%s", err_message(&e));
	if (response.status != expected_status)
		fail_msg("status %ld: %s", response.status, buf_text(&response.body));
	http_client_free(client);
}

static void test_minio(void **state)
{
	(void)state;
	const char *program = getenv("MINIO_PROGRAM");
	if (!program || !file_exists(program)) {
		print_message("MINIO_PROGRAM does not name a MinIO server\n");
		skip();
	}
	char directory[] = "/tmp/test-objects-XXXXXX", endpoint[64];
	assert_non_null(mkdtemp(directory));
	pid_t minio = start_minio(program, directory, endpoint);
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	struct objects *objects = client_of(endpoint);
	struct objects_info info;
	struct proto_bytes bytes;
	char *url;
	/* Retries bridge the server's start. */
	if (objects_make_bucket(objects, "my-s3-bucket", &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_int_equal(objects_make_bucket(objects, "my-s3-bucket", &e), 0);
	const char *uri = "s3://my-s3-bucket/a b/\xc3\xa4+(c)='~!*,;:@&$.pb";
	if (objects_put(objects, uri, "bytes", 5, "application/octet-stream", &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_int_equal(objects_get(objects, &arena, uri, 100, &bytes, &e), 0);
	assert_memory_equal(bytes.data, "bytes", 5);
	assert_int_equal(objects_head(objects, &arena, "s3://my-s3-bucket/none", &info, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(objects_head(objects, &arena, "s3://no-such-bucket/none", &info, &e), -1);
	assert_string_equal(err_id(&e), "no-bucket");
	/* md5("hello") and md5("world") in Base64 */
	const char *md5 = "XUFAKrxLKna5cZ2REBfFkg==", *other = "fXkwN6B2AYZXSwKC8vQ15w==";
	const struct http_header headers[] = { { "Content-MD5", md5 }, { "x-amz-meta-flyteContentMD5", md5 } };
	assert_int_equal(objects_presign(objects, &arena, endpoint, "PUT", "s3://my-s3-bucket/up/load", headers, 2,
	                                 3600, clock_wall_ns(), &url, &e),
	                 0);
	put_signed(url, other, 403);
	put_signed(url, md5, 200);
	assert_int_equal(objects_head(objects, &arena, "s3://my-s3-bucket/up/load", &info, &e), 0);
	assert_int_equal(info.size, 5);
	assert_string_equal(info.content_md5, md5);
	objects_free(objects);
	kill(minio, SIGKILL);
	waitpid(minio, NULL, 0);
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),     cmocka_unit_test(test_get),         cmocka_unit_test(test_head),
		cmocka_unit_test(test_retries), cmocka_unit_test(test_make_bucket), cmocka_unit_test(test_bad_uris),
		cmocka_unit_test(test_presign), cmocka_unit_test(test_minio),        cmocka_unit_test(test_no_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
