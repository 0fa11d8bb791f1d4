#include "rpc/grpc.h"
#include "rpc/grpc_web.h"
#include "rpc/gzip.h"
#include "rpc/origin.h"

#include "base/arena.h"
#include "base/base64.h"
#include "proto/message.h"

#include <google/rpc/status.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static void timeouts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = { { "1H", 3600000 },
		     { "2M", 120000 },
		     { "3S", 3000 },
		     { "100m", 100 },
		     { "99999999H", INT64_C(359999996400000) },
		     { "1u", 1 },
		     { "1000u", 1 },
		     { "1n", 1 },
		     { "0n", 0 },
		     { "1500000n", 2 } };
	static const char *const bad[] = { "", "S", "1", "-1S", "1s", "123456789S", "1SS", "1 S", " 1S", "0x1S" };
	int64_t ms;
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
		assert_true(grpc_parse_timeout(good[i].text, &ms));
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_false(grpc_parse_timeout(bad[i], &ms));
}

static void frames(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct grpc_frame frame;
	static const uint8_t bytes[] = { 1, 0, 0, 0, 2, 'a', 'b', 9 };
	for (size_t length = 0; length < 7; length++)
		assert_int_equal(grpc_frame_read(bytes, length, 10, &frame, &e), 0);
	assert_int_equal(grpc_frame_read(bytes, 8, 10, &frame, &e), 1);
	assert_true(frame.compressed);
	assert_int_equal(frame.size, 7);
	assert_memory_equal(frame.payload, "ab", 2);
	assert_int_equal(grpc_frame_read(bytes, 5, 1, &frame, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	static const uint8_t flags[] = { 2, 0, 0, 0, 0 };
	assert_int_equal(grpc_frame_read(flags, 5, 10, &frame, &e), -1);
	assert_int_equal(e.kind, ERR_INTERNAL);
	uint8_t header[GRPC_FRAME_HEADER_SIZE];
	grpc_frame_write_header(header, 0x01020304);
	assert_memory_equal(header, "\0\1\2\3\4", 5);
}

static void assert_encoded(const char *message, size_t maximum, const char *wanted)
{
	auto_buf struct buf out = BUF_INIT(1024);
	grpc_encode_message(message, maximum, &out);
	assert_string_equal(buf_text(&out), wanted);
}

static void messages_are_percent_encoded(void **state)
{
	(void)state;
	assert_encoded("plain ~ text", 100, "plain ~ text");
	assert_encoded("50%\n\x7f", 100, "50%25%0A%7F");
	assert_encoded("é", 100, "%C3%A9");
	assert_encoded("a\xff\xc3", 100, "a%EF%BF%BD%EF%BF%BD");
	assert_encoded("\xed\xa0\x80", 100, "%EF%BF%BD%EF%BF%BD%EF%BF%BD");
	assert_encoded("", 100, "");
}

static void long_messages_are_cut_after_encoding(void **state)
{
	(void)state;
	assert_encoded("0123456789012345678901234567890123456789", 40, "0123456789012345678901234567890123456789");
	assert_encoded("01234567890123456789012345678901234567890", 40, "0123456789012345678%E2%80%A6 (truncated)");
	/* Never inside of a character: six bytes each. */
	assert_encoded("éééééééééé", 40, "%C3%A9%C3%A9%C3%A9%E2%80%A6 (truncated)");
	char message[40001];
	for (size_t i = 0; i < 20000; i++)
		memcpy(message + 2 * i, "\xc3\xa9", 2);
	message[40000] = '\0';
	auto_buf struct buf out = BUF_INIT(GRPC_STATUS_MAXIMUM);
	grpc_encode_message(message, GRPC_STATUS_MAXIMUM, &out);
	assert_true(out.length <= GRPC_STATUS_MAXIMUM && out.length > GRPC_STATUS_MAXIMUM - 30);
}

static Google__Rpc__Status *decode_status(struct arena *arena, const struct buf *encoded)
{
	auto_buf struct buf raw = BUF_INIT(GRPC_STATUS_MAXIMUM);
	assert_null(strchr(buf_text(encoded), '='));
	assert_int_equal(base64_decode(encoded->data, encoded->length, &raw), 0);
	Google__Rpc__Status *status = proto_unpack(arena, google__rpc__status, raw.data, raw.length, NULL);
	assert_non_null(status);
	return status;
}

static void details_carry_the_status(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)1024 * 1024);
	Google__Rpc__Status detail;
	google__rpc__status__init(&detail);
	detail.code = 77;
	auto_buf struct buf out = BUF_INIT(GRPC_STATUS_MAXIMUM);
	grpc_encode_details(GRPC_NOT_FOUND, "gone é", &detail.base, 4096, &out);
	const Google__Rpc__Status *status = decode_status(&arena, &out);
	assert_int_equal(status->code, 5);
	assert_string_equal(status->message, "gone é");
	assert_int_equal(status->n_details, 1);
	assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.Status");
	const Google__Rpc__Status *inner = proto_unpack(&arena, google__rpc__status, status->details[0]->value.data,
	                                                status->details[0]->value.len, NULL);
	assert_int_equal(inner->code, 77);
}

static void details_fit_or_are_left_out(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA_INIT((size_t)1024 * 1024);
	char *text = arena_alloc(&arena, 20001);
	memset(text, 'x', 20000);
	Google__Rpc__Status detail;
	google__rpc__status__init(&detail);
	auto_buf struct buf out = BUF_INIT(GRPC_STATUS_MAXIMUM);
	/* A long message is shortened around the detail … */
	grpc_encode_details(GRPC_INTERNAL, text, &detail.base, 4096, &out);
	assert_true(out.length && out.length <= 4096);
	const Google__Rpc__Status *status = decode_status(&arena, &out);
	assert_non_null(strstr(status->message, "… (truncated)"));
	/* … and a detail that is too long itself is not sent at all. */
	detail.message = text;
	buf_clear(&out);
	grpc_encode_details(GRPC_INTERNAL, "m", &detail.base, 4096, &out);
	assert_int_equal(out.length, 0);
}

static void gzip_is_bounded(void **state)
{
	(void)state;
	static uint8_t zeros[1000000], packed[20000];
	z_stream stream = { 0 };
	assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = zeros;
	stream.avail_in = sizeof(zeros);
	stream.next_out = packed;
	stream.avail_out = sizeof(packed);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	size_t length = stream.total_out;
	deflateEnd(&stream);
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(sizeof(zeros));
	assert_int_equal(gzip_expand(packed, length, &out, &e), 0);
	assert_int_equal(out.length, sizeof(zeros));
	auto_buf struct buf small = BUF_INIT(sizeof(zeros) - 1);
	assert_int_equal(gzip_expand(packed, length, &small, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	buf_clear(&out);
	assert_int_equal(gzip_expand(packed, length - 9, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(gzip_expand((const uint8_t *)"no gzip", 7, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(gzip_expand(NULL, 0, &out, &e), -1);
}

static void no_error_becomes_unknown(void **state)
{
	(void)state;
	for (int kind = 0; kind <= ERR_KIND_COUNT; kind++) {
		enum grpc_code code = grpc_code_of((enum err_kind)kind);
		assert_int_not_equal(code, 2);
		assert_int_not_equal(code, GRPC_OK);
		assert_true(grpc_http_status(code) >= 400);
	}
	assert_int_equal(grpc_http_status(grpc_code_of(ERR_EXISTS)), 409);
	assert_int_equal(grpc_http_status(grpc_code_of(ERR_TIMEOUT)), 504);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts),
		cmocka_unit_test(frames),
		cmocka_unit_test(messages_are_percent_encoded),
		cmocka_unit_test(long_messages_are_cut_after_encoding),
		cmocka_unit_test(details_carry_the_status),
		cmocka_unit_test(details_fit_or_are_left_out),
		cmocka_unit_test(gzip_is_bounded),
		cmocka_unit_test(no_error_becomes_unknown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
