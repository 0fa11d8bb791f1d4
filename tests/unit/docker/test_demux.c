/* The stream demultiplexer: every way of cutting a stream gives the same output; broken streams are refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "docker/demux.h"

#include <string.h>

struct record {
	struct buf out;
	struct buf err;
	size_t calls;
	size_t fail_at;
};

static int record(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct record *r = context;
	if (++r->calls == r->fail_at)
		return err_set(e, ERR_EXHAUSTED, "full", "enough");
	assert_true(stream == DOCKER_STDOUT || stream == DOCKER_STDERR);
	assert_true(length > 0);
	return buf_add(stream == DOCKER_STDERR ? &r->err : &r->out, bytes, length);
}

static void record_release(struct record *r)
{
	buf_release(&r->out);
	buf_release(&r->err);
}

#define RECORD                                                                                                         \
	{                                                                                                              \
		.out = BUF_INIT(4096), .err = BUF_INIT(4096)                                                           \
	}

static const char stream[] = "\1\0\0\0\0\0\0\5hello"
                             "\2\0\0\0\0\0\0\4oops"
                             "\1\0\0\0\0\0\0\0"
                             "\0\0\0\0\0\0\0\1!"
                             "\1\0\0\0\0\0\0\7 world\n";
#define STREAM_LENGTH (sizeof(stream) - 1)

static void test_every_chunk_size(void **state)
{
	(void)state;
	for (size_t chunk = 1; chunk <= STREAM_LENGTH; chunk++) {
		struct record r = RECORD;
		struct demux demux = DEMUX_INIT;
		const struct docker_sink sink = { record, &r };
		auto_err struct err e = ERR_INIT;
		for (size_t at = 0; at < STREAM_LENGTH; at += chunk) {
			size_t length = STREAM_LENGTH - at < chunk ? STREAM_LENGTH - at : chunk;
			assert_int_equal(demux_feed(&demux, stream + at, length, &sink, &e), 0);
		}
		assert_int_equal(demux_end(&demux, &e), 0);
		assert_string_equal(buf_text(&r.out), "hello! world\n");
		assert_string_equal(buf_text(&r.err), "oops");
		record_release(&r);
	}
}

static void test_cut_short(void **state)
{
	(void)state;
	static const size_t frame_ends[] = { 0, 13, 25, 33, 42, STREAM_LENGTH };
	for (size_t length = 0; length <= STREAM_LENGTH; length++) {
		struct record r = RECORD;
		struct demux demux = DEMUX_INIT;
		const struct docker_sink sink = { record, &r };
		auto_err struct err e = ERR_INIT;
		bool whole = false;
		for (size_t i = 0; i < 6; i++)
			whole = whole || frame_ends[i] == length;
		assert_int_equal(demux_feed(&demux, stream, length, &sink, &e), 0);
		assert_int_equal(demux_end(&demux, &e), whole ? 0 : -1);
		if (!whole)
			assert_string_equal(err_id(&e), "docker-stream");
		record_release(&r);
	}
}

static int feed(const char *bytes, size_t length, struct record *r, struct err *e)
{
	struct demux demux = DEMUX_INIT;
	const struct docker_sink sink = { record, r };
	return demux_feed(&demux, bytes, length, &sink, e);
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const headers[] = { "\4\0\0\0\0\0\0\1", "\1\1\0\0\0\0\0\1", "\1\0\0\1\0\0\0\1", "OCI runt",
		                               "\1\0\0\0\xff\xff\xff\xff" };
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct record r = RECORD;
		auto_err struct err e = ERR_INIT;
		assert_int_equal(feed(headers[i], 8, &r, &e), -1);
		assert_string_equal(err_id(&e), "docker-stream");
		assert_int_equal(r.calls, 0);
		record_release(&r);
	}
}

static void test_system_error(void **state)
{
	(void)state;
	static const char bytes[] = "\3\0\0\0\0\0\0\6broken";
	struct record r = RECORD;
	struct demux demux = DEMUX_INIT;
	const struct docker_sink sink = { record, &r };
	auto_err struct err e = ERR_INIT;
	assert_int_equal(demux_feed(&demux, bytes, 10, &sink, &e), 0);
	assert_int_equal(demux_feed(&demux, bytes + 10, 4, &sink, &e), -1);
	assert_non_null(strstr(err_message(&e), "broken"));
	assert_int_equal(r.calls, 0);
	record_release(&r);
}

static void test_sink_refuses(void **state)
{
	(void)state;
	struct record r = RECORD;
	auto_err struct err e = ERR_INIT;
	r.fail_at = 2;
	assert_int_equal(feed(stream, STREAM_LENGTH, &r, &e), -1);
	assert_string_equal(err_id(&e), "full");
	assert_int_equal(r.calls, 2);
	record_release(&r);
}

static void test_raw(void **state)
{
	(void)state;
	struct record r = RECORD;
	struct demux demux = { .raw = true };
	const struct docker_sink sink = { record, &r };
	assert_int_equal(demux_feed(&demux, "\1\0\0\0", 4, &sink, NULL), 0);
	assert_int_equal(demux_feed(&demux, "", 0, &sink, NULL), 0);
	assert_int_equal(r.out.length, 4);
	assert_int_equal(demux_end(&demux, NULL), 0);
	record_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_chunk_size), cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_malformed),        cmocka_unit_test(test_system_error),
		cmocka_unit_test(test_sink_refuses),     cmocka_unit_test(test_raw),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
