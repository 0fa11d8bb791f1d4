/* What browsers and proxies make of the port: gRPC-Web, origins, and HTTP/1.1 that means to be misunderstood. */
#include "fake_service.h"
#include "h2_client.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "rpc/grpc.h"
#include "rpc/gzip.h"
#include "rpc/origin.h"

#include <flyteidl/service/admin.pb-c.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ADMIN "/flyteidl.service.AdminService/"

struct fixture {
	struct fake_service fake;
	struct rpc_service service;
	struct rpc_server *server;
	struct arena arena;
	char directory[64];
	char request_id[80];
};

static void on_call(void *context, const struct rpc_call_report *report)
{
	struct fixture *f = context;
	(void)snprintf(f->request_id, sizeof(f->request_id), "%s", report->request_id);
}

static int write_page(void *context, struct buf *out, struct err *e)
{
	(void)e;
	return buf_add_str(out, context);
}

/* As /healthcheck/detail does: an error, with a text of its own. */
static int write_sick_page(void *context, struct buf *out, struct err *e)
{
	(void)buf_add_str(out, context);
	return err_set(e, ERR_UNAVAILABLE, NULL, "sick");
}

static int write_no_page(void *context, struct buf *out, struct err *e)
{
	(void)context;
	(void)out;
	return err_set(e, ERR_NOT_FOUND, NULL, "nothing there");
}

static char page_text[] = "a page";
static const struct rpc_page pages[] = {
	{ "/page", "text/plain", write_page, page_text },
	{ "/page/sick", "text/plain", write_sick_page, page_text },
	{ "/page/none", "text/plain", write_no_page, page_text },
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_err struct err e = ERR_INIT;
	f->fake = (struct fake_service)FAKE_SERVICE_INIT;
	f->service = fake_service(&f->fake);
	f->arena = (struct arena)ARENA_INIT((size_t)64 * 1024 * 1024);
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/test-web-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	auto_free char *page = file_join(f->directory, "index.html");
	char text[4000];
	memset(text, 'x', sizeof(text));
	assert_int_equal(file_write_atomic(page, text, sizeof(text), 0644, &e), 0);
	struct rpc_server_options options = { .address = "127.0.0.1", .workers = 2, .services = &f->service, .service_count = 1,
		                              .pages = pages, .page_count = ARRAY_LENGTH(pages),
		                              .console_directory = f->directory, .on_call = on_call, .on_call_context = f };
	if (rpc_server_start(&options, &f->server, &e) < 0)
		fail_msg("%s", err_message(&e));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	auto_err struct err e = ERR_INIT;
	fake_service_open(&f->fake, true);
	if (rpc_server_stop(f->server, clock_monotonic_ms() + 10000, &e) < 0)
		fail_msg("%s", err_message(&e));
	auto_free char *page = file_join(f->directory, "index.html");
	unlink(page);
	rmdir(f->directory);
	arena_release(&f->arena);
	free(f);
	return 0;
}

/* Sends and reads until the server closes; NUL bytes become '0' so that the answer is a text. In the arena. */
static const char *ask_bytes(struct fixture *f, const char *request, size_t length)
{
	auto_fd int fd = connect_to(rpc_server_port(f->server));
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf answer = BUF_INIT((size_t)4 * 1024 * 1024);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, request, length, &e), 0);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char room[4096];
		if (poll(&p, 1, 10000) != 1)
			fail_msg("no end after: %s", buf_text(&answer));
		ssize_t count = recv(fd, room, sizeof(room), 0);
		if (count <= 0)
			break;
		(void)buf_add(&answer, room, (size_t)count);
	}
	for (size_t i = 0; i < answer.length; i++)
		if (!answer.data[i])
			answer.data[i] = '0';
	return arena_strdup(&f->arena, buf_text(&answer));
}

static const char *ask(struct fixture *f, const char *request)
{
	return ask_bytes(f, request, strlen(request));
}

static void assert_has(const char *answer, const char *status, const char *contains)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0 || !strcasestr(answer, contains))
		fail_msg("expected %s and '%s', got: %s", status, contains, answer);
}

static void assert_lacks(const char *answer, const char *text)
{
	if (strcasestr(answer, text))
		fail_msg("'%s' is in: %s", text, answer);
}

/* --- gRPC-Web --- */

static const char *web_call(struct fixture *f, const char *method, const char *type, const char *headers, const void *body, size_t length)
{
	auto_buf struct buf request = BUF_INIT((size_t)1024 * 1024);
	(void)buf_add_format(&request, "POST " ADMIN "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n",
	                     method, type, headers, length);
	(void)buf_add(&request, body, length);
	return ask_bytes(f, request.data, request.length);
}

/* ObjectGetRequest{id{name: "n"}} */
static const char get_task[] = "\0\0\0\0\5\x0a\3\x1a\1n";
#define GET_TASK get_task, sizeof(get_task) - 1

static void web_calls_are_answered_over_http1(void **state)
{
	struct fixture *f = *state;
	const char *answer = web_call(f, "GetTask", "application/grpc-web+proto", "X-Grpc-Web: 1\r\n", GET_TASK);
	assert_has(answer, "200", "Content-Type: application/grpc-web+proto\r\n");
	/* Flags 0x80, length 16 ("grpc-status: 0\r\n"). */
	assert_non_null(strstr(answer, "\x80"
	                               "000\x10grpc-status: 0\r\n"));
	/* Ours is a message and trailers: nothing else. */
	assert_non_null(strstr(answer, "\r\n\r\n0000"));
	answer = web_call(f, "GetTask", "application/grpc-web", "", GET_TASK);
	assert_has(answer, "200", "grpc-status: 0\r\n");
}

static void web_text_is_base64_in_pieces(void **state)
{
	struct fixture *f = *state;
	/* The frame's header and its payload, each with its own padding. */
	const char *answer = web_call(f, "GetTask", "application/grpc-web-text", "", "AAAAAAU=CgMaAW4=", 16);
	assert_has(answer, "200", "Content-Type: application/grpc-web-text+proto\r\n");
	auto_buf struct buf plain = BUF_INIT(65536);
	const char *body = strstr(answer, "\r\n\r\n") + 4;
	assert_int_equal(base64_decode(body, strlen(body), &plain), 0);
	assert_non_null(memmem(plain.data, plain.length, "grpc-status: 0\r\n", 16));
	answer = web_call(f, "GetTask", "application/grpc-web-text", "", "AAAA!", 5);
	body = strstr(answer, "\r\n\r\n") + 4;
	buf_clear(&plain);
	assert_int_equal(base64_decode(body, strlen(body), &plain), 0);
	assert_non_null(memmem(plain.data, plain.length, "grpc-status: 3\r\ngrpc-message: the body", 38));
}

static void web_errors_are_in_the_body(void **state)
{
	struct fixture *f = *state;
	const char *answer = web_call(f, "GetProject", "application/grpc-web+proto", "", "\0\0\0\0\0", 5);
	assert_has(answer, "200", "grpc-status: 5\r\ngrpc-message: ");
	assert_has(answer, "200", "grpc-status-details-bin: ");
	assert_has(web_call(f, "Nope", "application/grpc-web+proto", "", "\0\0\0\0\0", 5), "200", "grpc-status: 12\r\n");
	assert_has(web_call(f, "GetTask", "application/grpc-web+json", "", "{}", 2), "415", "+proto");
	assert_has(web_call(f, "GetVersion", "application/grpc-web+proto", "Grpc-Timeout: 50m\r\n", "\0\0\0\0\0", 5), "200",
	           "grpc-status: 4\r\n");
	assert_has(ask(f, "GET " ADMIN "GetTask HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/grpc-web\r\n\r\n"),
	           "405", "Allow: POST");
}

static void web_calls_are_answered_over_http2(void **state)
{
	struct fixture *f = *state;
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct h2_request request = { .path = ADMIN "GetTask", .content_type = "application/grpc-web+proto", .body = get_task,
		                      .length = sizeof(get_task) - 1 };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	assert_true(h2_client_run(client, &result));
	assert_int_equal(result.http_status, 200);
	assert_int_equal(result.grpc_status, -1); /* nothing in fields */
	assert_non_null(memmem(result.body.data, result.body.length, "\x80\0\0\0\x10grpc-status: 0\r\n", 21));
	h2_result_release(&result);
	h2_client_close(client);
}

/* --- origins --- */

static void origins(void **state)
{
	(void)state;
	static const char *const allowed[] = { "http://localhost",      "http://localhost:3000", "https://localhost:1", "http://app.localhost:80",
		                               "http://127.0.0.1:5173", "http://127.8.8.8",      "http://[::1]",        "http://[::1]:8080",
		                               "http://devbox:30080" };
	static const char *const refused[] = { "null", "", "http://", "http://evil.example", "http://localhost.evil.example", "http://evillocalhost",
		                               "http://127.0.0.1.evil.example", "http://localhost:30@evil.example", "http://localhost/x",
		                               "ftp://localhost", "http://[::1", "http://[::1]x", "http://localhost:", "http://localhost:x",
		                               "http://devbox", "http://devbox:30081", "file://", "http://127.", "http://1127.0.0.1" };
	for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++)
		if (!rpc_origin_is_allowed(allowed[i], "devbox:30080"))
			fail_msg("%s is not allowed", allowed[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		if (rpc_origin_is_allowed(refused[i], "devbox:30080"))
			fail_msg("%s is allowed", refused[i]);
}

static void preflights(void **state)
{
	struct fixture *f = *state;
	const char *answer = ask(f, "OPTIONS " ADMIN "GetTask HTTP/1.1\r\nHost: h\r\nConnection: close\r\nOrigin: http://localhost:3000\r\n"
	                            "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web\r\n\r\n");
	assert_has(answer, "204", "access-control-allow-origin: http://localhost:3000\r\n");
	assert_has(answer, "204", "x-grpc-web");
	assert_has(answer, "204", "access-control-allow-methods: GET, HEAD, POST, PUT, DELETE\r\n");
	answer = ask(f, "OPTIONS " ADMIN "GetTask HTTP/1.1\r\nHost: h\r\nConnection: close\r\nOrigin: http://evil.example\r\n"
	                "Access-Control-Request-Method: POST\r\n\r\n");
	assert_has(answer, "403", "may not");
	assert_lacks(answer, "access-control-allow");
}

static void pages_of_other_origins_change_nothing(void **state)
{
	struct fixture *f = *state;
	const char *evil = "Origin: http://evil.example\r\n", *good = "Origin: http://localhost:3000\r\nSec-Fetch-Site: cross-site\r\n";
	assert_has(web_call(f, "GetTask", "application/grpc-web", evil, GET_TASK), "200", "grpc-status: 7\r\n");
	const char *answer = web_call(f, "GetTask", "application/grpc-web", good, GET_TASK);
	assert_has(answer, "200", "grpc-status: 0\r\n");
	assert_has(answer, "200", "access-control-allow-origin: http://localhost:3000\r\n");
	assert_has(answer, "200", "access-control-expose-headers: ");
	static const char post[] = "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n%s\r\n{}";
	assert_has(ask(f, arena_printf(&f->arena, post, evil)), "403", "\"code\":7");
	assert_has(ask(f, arena_printf(&f->arena, post, good)), "200", "access-control-allow-origin");
	assert_has(ask(f, arena_printf(&f->arena, post, "Origin: null\r\n")), "403", "\"code\":7");
	answer = ask(f, "GET /api/v1/tasks/p/d/n/v HTTP/1.1\r\nHost: h\r\nConnection: close\r\nOrigin: http://evil.example\r\n\r\n");
	assert_has(answer, "200", "vary: origin");
	assert_lacks(answer, "access-control");
}

/* --- HTTP/1.1 --- */

/* Two parties that read these differently could be made to see different requests: they end the connection. */
static void ambiguous_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const heads[] = {
		"Host: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
		"Host: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
		"Host: h\r\nContent-Length: 5, 5\r\n",
		"Host: h\r\nContent-Length: +5\r\n",
		"Host: h\r\nContent-Length: 0x5\r\n",
		"Host: h\r\nContent-Length: 99999999999999999999\r\n",
		"Host: h\r\nTransfer-Encoding: gzip\r\n",
		"Host: h\r\nTransfer-Encoding: chunked, gzip\r\n",
		"Host: h\r\nTransfer-Encoding: xchunked\r\n",
		"Host: h\r\nTransfer-Encoding : chunked\r\n",
		"Host: h\r\nContent-Length: 5\r\n folded: 1\r\n",
		"Host: a\r\nHost: b\r\nContent-Length: 5\r\n",
		"Content-Length: 5\r\n",
		"Host: h\r\nX: a\1b\r\nContent-Length: 5\r\n",
	};
	for (size_t i = 0; i < ARRAY_LENGTH(heads); i++) {
		const char *request = arena_printf(&f->arena, "POST /api/v1/executions HTTP/1.1\r\n%s\r\nhelloGET /me HTTP/1.1\r\nHost: h\r\n\r\n", heads[i]);
		const char *answer = ask(f, request);
		if (strncmp(answer, "HTTP/1.1 400 ", 13) != 0 || strstr(answer + 1, "HTTP/1.1 "))
			fail_msg("%s was answered with %s", heads[i], answer);
	}
}

static void connections_are_kept_as_the_version_says(void **state)
{
	struct fixture *f = *state;
	const char *answer = ask(f, "GET /me HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /me HTTP/1.0\r\n\r\n");
	assert_has(answer, "200", "Connection: keep-alive\r\n");
	assert_non_null(strstr(answer + 1, "HTTP/1.1 200"));
	assert_non_null(strstr(answer, "Connection: close\r\n"));
	answer = ask(f, "GET /me HTTP/1.1\r\nHost: h\r\n\r\nGET /me HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_non_null(strstr(answer + 1, "HTTP/1.1 200"));
	/* An upgrade that is not offered is ignored. */
	answer = ask(f, "GET /me HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n");
	assert_has(answer, "200", "{}");
	assert_has(ask(f, "GET http://h/me HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "200", "{}");
	assert_has(ask(f, "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: magic\r\nConnection: close\r\n\r\n{}"), "417", "");
	assert_has(ask(f, "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n"), "404", "");
}

static void head_tells_the_length_without_the_body(void **state)
{
	struct fixture *f = *state;
	const char *answer = ask(f, "HEAD /console/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_has(answer, "200", "Content-Length: 4000\r\n");
	assert_lacks(answer, "xxxx");
}

static void pages_are_compressed_and_guarded(void **state)
{
	struct fixture *f = *state;
	static const char get[] = "GET /console/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n";
	const char *plain = ask(f, arena_printf(&f->arena, get, ""));
	assert_has(plain, "200", "Content-Length: 4000\r\n");
	assert_has(plain, "200", "x-content-type-options: nosniff\r\n");
	assert_has(plain, "200", "content-security-policy: default-src 'none'; script-src 'self'");
	const char *packed = ask(f, arena_printf(&f->arena, get, "Accept-Encoding: br, gzip\r\n"));
	assert_has(packed, "200", "content-encoding: gzip\r\n");
	assert_has(packed, "200", "vary: origin, accept, accept-encoding\r\n");
	assert_lacks(packed, "Content-Length: 4000");
	assert_lacks(ask(f, arena_printf(&f->arena, get, "Accept-Encoding: gzip;q=0\r\n")), "content-encoding");
	/* Each has its own validator. */
	const char *etag = strstr(packed, "ETag: ") + 6;
	const char *again = arena_printf(&f->arena, "Accept-Encoding: gzip\r\nIf-None-Match: %.*s\r\n", (int)strcspn(etag, "\r"), etag);
	assert_has(ask(f, arena_printf(&f->arena, get, again)), "304", "ETag: ");
	again = arena_printf(&f->arena, "If-None-Match: %.*s\r\n", (int)strcspn(etag, "\r"), etag);
	assert_has(ask(f, arena_printf(&f->arena, get, again)), "200", "ETag: ");
}

static void accepted_encodings(void **state)
{
	(void)state;
	assert_true(gzip_is_accepted("gzip"));
	assert_true(gzip_is_accepted("deflate, GZIP;q=0.001"));
	assert_true(gzip_is_accepted("identity,deflate,gzip"));
	assert_false(gzip_is_accepted("gzip;q=0"));
	assert_false(gzip_is_accepted("br, gzip;q=0.000, deflate;q=1"));
	assert_false(gzip_is_accepted("xgzip"));
	assert_false(gzip_is_accepted(""));
	assert_false(gzip_is_accepted(NULL));
}

static void request_ids_are_the_clients_if_fit(void **state)
{
	struct fixture *f = *state;
	static const char get[] = "GET /api/v1/tasks/p/d/n/v HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Request-Id: %s\r\n\r\n";
	assert_has(ask(f, arena_printf(&f->arena, get, "my-id.1")), "200", "x-request-id: my-id.1\r\n");
	assert_string_equal(f->request_id, "my-id.1");
	const char *answer = ask(f, arena_printf(&f->arena, get, "two words"));
	assert_has(answer, "200", "x-request-id: ");
	assert_lacks(answer, "two words");
}

static void pages_beside_the_api(void **state)
{
	struct fixture *f = *state;
	static const char get[] = "%s /page%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	const char *answer = ask(f, arena_printf(&f->arena, get, "GET", ""));
	assert_has(answer, "200", "Content-Type: text/plain\r\n");
	assert_has(answer, "200", "Cache-Control: no-store\r\n");
	assert_has(answer, "200", "\r\n\r\na page");
	assert_lacks(ask(f, arena_printf(&f->arena, get, "HEAD", "")), "a page");
	assert_has(ask(f, arena_printf(&f->arena, get, "GET", "/sick")), "503", "\r\n\r\na page");
	assert_has(ask(f, arena_printf(&f->arena, get, "GET", "/none")), "404", "nothing there");
	assert_has(ask(f, arena_printf(&f->arena, get, "GET", "/other")), "404", "no such path");
	assert_has(ask(f, arena_printf(&f->arena, get, "POST", "")), "404", "no such path");
}

static void connections_can_be_listed(void **state)
{
	struct fixture *f = *state;
	auto_buf struct buf out = BUF_INIT(65536);
	auto_err struct err e = ERR_INIT;
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct h2_request request = { .path = ADMIN "GetVersion", .body = "\0\0\0\0\0", .length = 5 };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	h2_client_step(client, 0);
	assert_true(fake_service_wait(&f->fake, 1));
	assert_int_equal(rpc_server_dump(f->server, &out, &e), 0);
	/* Busy, or still writing what answers its settings. */
	assert_non_null(strstr(buf_text(&out), "peer=127.0.0.1 protocol=\"h2\" state="));
	assert_null(strstr(buf_text(&out), "state=idle"));
	fake_service_open(&f->fake, true);
	assert_true(h2_client_run(client, &result));
	h2_result_release(&result);
	h2_client_close(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(web_calls_are_answered_over_http1),
		TEST(web_text_is_base64_in_pieces),
		TEST(web_errors_are_in_the_body),
		TEST(web_calls_are_answered_over_http2),
		cmocka_unit_test(origins),
		TEST(preflights),
		TEST(pages_of_other_origins_change_nothing),
		TEST(ambiguous_requests_are_refused),
		TEST(connections_are_kept_as_the_version_says),
		TEST(head_tells_the_length_without_the_body),
		TEST(pages_are_compressed_and_guarded),
		cmocka_unit_test(accepted_encodings),
		TEST(request_ids_are_the_clients_if_fit),
		TEST(pages_beside_the_api),
		TEST(connections_can_be_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
