/* Responses as peers may send them: whole, cut at every byte, and broken. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/http1_reader.h"

#include <string.h>

struct seen {
	long status;
	unsigned heads;
	struct buf body;
};

static int on_head(void *context, long status, struct err *e)
{
	struct seen *seen = context;
	(void)e;
	seen->status = status;
	seen->heads++;
	return 0;
}

static int on_data(void *context, const char *bytes, size_t length, struct err *e)
{
	struct seen *seen = context;
	(void)e;
	return buf_add(&seen->body, bytes, length);
}

/* Feeds pieces of `step` bytes; the bytes taken, or -1. The connection's end follows when the answer has no other. */
static ssize_t read_in_steps(struct http1_reader *reader, const char *text, size_t step, struct err *e)
{
	size_t length = strlen(text);
	size_t taken = 0;
	while (taken < length && reader->state != HTTP1_DONE) {
		size_t piece = length - taken < step ? length - taken : step;
		ssize_t got = http1_reader_feed(reader, text + taken, piece, e);
		if (got < 0)
			return -1;
		taken += (size_t)got;
	}
	return http1_reader_end(reader, e) < 0 ? -1 : (ssize_t)taken;
}

struct expectation {
	const char *text;
	long status;
	const char *body;
	bool keep_alive;
	size_t left_over; /* bytes that belong to nobody */
	bool without_body;
};

static void check(const struct expectation *expected, size_t step)
{
	auto_buf struct buf headers = BUF_INIT(4096);
	struct seen seen = { .body = BUF_INIT(4096) };
	struct http1_reader reader = { .headers = &headers,
		                       .without_body = expected->without_body,
		                       .on_head = on_head,
		                       .on_data = on_data,
		                       .context = &seen };
	auto_err struct err e = ERR_INIT;
	ssize_t taken = read_in_steps(&reader, expected->text, step, &e);
	if (taken < 0)
		fail_msg("%s: %s", expected->text, err_message(&e));
	assert_int_equal(seen.status, expected->status);
	assert_int_equal(seen.heads, 1);
	assert_string_equal(buf_text(&seen.body), expected->body);
	assert_int_equal(reader.keep_alive, expected->keep_alive);
	assert_int_equal(strlen(expected->text) - (size_t)taken, expected->left_over);
	buf_release(&seen.body);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct expectation answers[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0, false },
		{ "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", 200, "hello", true, 0, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1", 200, "hello", true, 8, false },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=\"1\"\r\n0123456789\r\n0\r\n\r\n", 200,
		  "abc0123456789", true, 0, false },
		{ "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, "a", true, 0,
		  false },
		{ "HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", false, 0, false },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false, 0, false },
		{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, "", true, 0, false },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, 0, false },
		{ "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", 404, "x", true, 0,
		  false },
		{ "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw", 101, "", true, 3, false },
		{ "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, 0, false },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "", true, 0, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, "", true, 0, true },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		for (size_t step = 1; step <= strlen(answers[i].text); step++)
			check(&answers[i], step);
	}
}

static void check_broken(const char *text, const char *id)
{
	for (size_t step = 1; step <= strlen(text); step++) {
		auto_buf struct buf headers = BUF_INIT(256);
		struct seen seen = { .body = BUF_INIT(4096) };
		struct http1_reader reader = { .headers = &headers, .on_head = on_head, .on_data = on_data, .context = &seen };
		auto_err struct err e = ERR_INIT;
		assert_int_equal(read_in_steps(&reader, text, step, &e), -1);
		assert_string_equal(err_id(&e), id);
		buf_release(&seen.body);
	}
}

static void test_broken_answers(void **state)
{
	(void)state;
	static const char *const protocol[] = {
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
	};
	static const char *const cut[] = {
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
	};
	for (size_t i = 0; i < ARRAY_LENGTH(protocol); i++)
		check_broken(protocol[i], "http-protocol");
	for (size_t i = 0; i < ARRAY_LENGTH(cut); i++)
		check_broken(cut[i], "connection-failed");
	auto_free char *long_name = xcalloc(1, 400);
	memset(long_name, 'x', 399);
	auto_free char *large = xasprintf("HTTP/1.1 200 OK\r\n%s: 1\r\n\r\n", long_name);
	check_broken(large, "response-too-large");
}

static void test_zero_byte_in_head(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n";
	auto_buf struct buf headers = BUF_INIT(256);
	struct http1_reader reader = { .headers = &headers, .on_head = on_head, .on_data = on_data };
	auto_err struct err e = ERR_INIT;
	assert_int_equal(http1_reader_feed(&reader, text, sizeof(text) - 1, &e), -1);
	assert_string_equal(err_id(&e), "http-protocol");
}

static void test_header_lookup(void **state)
{
	(void)state;
	auto_buf struct buf headers = BUF_INIT(256);
	char room[8];
	buf_add_str(&headers, "HTTP/1.1 200 OK\r\nEmpty:\r\nName:  value\r\nname: second\r\nLong: 12345678\r\n\r\n");
	assert_true(http1_header(&headers, "NAME", room, sizeof(room)));
	assert_string_equal(room, "value");
	assert_true(http1_header(&headers, "Empty", room, sizeof(room)));
	assert_string_equal(room, "");
	assert_false(http1_header(&headers, "Long", room, sizeof(room)));
	assert_false(http1_header(&headers, "Nam", room, sizeof(room)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_zero_byte_in_head),
		cmocka_unit_test(test_header_lookup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
