/* Reading MessagePack: every kind of header from the specification, parts by index and key, and every way to be cut
 * short. */
#include "base/memory.h"
#include "controlplane/compiler/msgpack.h"

#include <string.h>

#include "cmocka_all.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

struct row {
	const uint8_t *bytes;
	size_t length;
	enum msgpack_kind kind;
	int64_t integer; /* also the size of strings and containers */
	double number;
};

static const struct row rows[] = {
	{ BYTES("\xc0"), MSGPACK_NIL, 0, 0 },
	{ BYTES("\xc2"), MSGPACK_BOOLEAN, 0, 0 },
	{ BYTES("\xc3"), MSGPACK_BOOLEAN, 1, 0 },
	{ BYTES("\x00"), MSGPACK_INTEGER, 0, 0 },
	{ BYTES("\x7f"), MSGPACK_INTEGER, 127, 0 },
	{ BYTES("\xff"), MSGPACK_INTEGER, -1, 0 },
	{ BYTES("\xe0"), MSGPACK_INTEGER, -32, 0 },
	{ BYTES("\xcc\xff"), MSGPACK_INTEGER, 255, 0 },
	{ BYTES("\xcd\x01\x00"), MSGPACK_INTEGER, 256, 0 },
	{ BYTES("\xce\xff\xff\xff\xff"), MSGPACK_INTEGER, UINT32_MAX, 0 },
	{ BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), MSGPACK_INTEGER, INT64_MAX, 0 },
	{ BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), MSGPACK_UNSIGNED, INT64_MIN, 0 },
	{ BYTES("\xd0\x80"), MSGPACK_INTEGER, -128, 0 },
	{ BYTES("\xd0\x05"), MSGPACK_INTEGER, 5, 0 },
	{ BYTES("\xd1\x80\x00"), MSGPACK_INTEGER, -32768, 0 },
	{ BYTES("\xd2\x80\x00\x00\x00"), MSGPACK_INTEGER, INT32_MIN, 0 },
	{ BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), MSGPACK_INTEGER, INT64_MIN, 0 },
	{ BYTES("\xca\x3f\xc0\x00\x00"), MSGPACK_FLOAT, 0, 1.5 },
	{ BYTES("\xcb\xbf\xf8\x00\x00\x00\x00\x00\x00"), MSGPACK_FLOAT, 0, -1.5 },
	{ BYTES("\xa0"), MSGPACK_STRING, 0, 0 },
	{ BYTES("\xa3"
	        "abc"),
	  MSGPACK_STRING, 3, 0 },
	{ BYTES("\xd9\x01"
	        "a"),
	  MSGPACK_STRING, 1, 0 },
	{ BYTES("\xda\x00\x01"
	        "a"),
	  MSGPACK_STRING, 1, 0 },
	{ BYTES("\xdb\x00\x00\x00\x01"
	        "a"),
	  MSGPACK_STRING, 1, 0 },
	{ BYTES("\xc4\x02\x00\xff"), MSGPACK_BINARY, 2, 0 },
	{ BYTES("\xc5\x00\x00"), MSGPACK_BINARY, 0, 0 },
	{ BYTES("\xc6\x00\x00\x00\x01\x00"), MSGPACK_BINARY, 1, 0 },
	{ BYTES("\xd4\x01\x00"), MSGPACK_EXTENSION, 1, 0 },
	{ BYTES("\xd6\xff\x00\x00\x00\x00"), MSGPACK_EXTENSION, 4, 0 },
	{ BYTES("\xc7\x03\x01\x00\x00\x00"), MSGPACK_EXTENSION, 3, 0 },
	{ BYTES("\xc8\x00\x00\x01"), MSGPACK_EXTENSION, 0, 0 },
	{ BYTES("\x90"), MSGPACK_ARRAY, 0, 0 },
	{ BYTES("\x93\x01\x90\xa1"
	        "x"),
	  MSGPACK_ARRAY, 3, 0 },
	{ BYTES("\xdc\x00\x02\x01\x02"), MSGPACK_ARRAY, 2, 0 },
	{ BYTES("\xdd\x00\x00\x00\x01\xc0"), MSGPACK_ARRAY, 1, 0 },
	{ BYTES("\x80"), MSGPACK_MAP, 0, 0 },
	{ BYTES("\x81\xa1"
	        "a\x81\x01\x02"),
	  MSGPACK_MAP, 1, 0 },
	{ BYTES("\xde\x00\x01\x01\x02"), MSGPACK_MAP, 1, 0 },
	{ BYTES("\xdf\x00\x00\x00\x01\x01\x02"), MSGPACK_MAP, 1, 0 },
};

static void check_value(const struct row *row, const struct msgpack_value *value)
{
	assert_int_equal(value->kind, row->kind);
	assert_int_equal(value->length, row->length);
	assert_ptr_equal(value->bytes, row->bytes);
	switch (value->kind) {
	case MSGPACK_NIL:
		break;
	case MSGPACK_BOOLEAN:
		assert_int_equal(value->boolean, row->integer);
		break;
	case MSGPACK_FLOAT:
		assert_true(!(value->number < row->number) && !(value->number > row->number));
		break;
	case MSGPACK_INTEGER:
		assert_true(value->integer == row->integer);
		break;
	case MSGPACK_UNSIGNED:
		assert_true(value->unsigned_integer == (uint64_t)row->integer);
		break;
	default:
		assert_int_equal(value->size, row->integer);
	}
}

static void test_every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct msgpack_value value;
		if (!msgpack_parse(rows[i].bytes, rows[i].length, &value))
			fail_msg("row %zu", i);
		check_value(&rows[i], &value);
	}
}

/* Each value cut at each place is refused; the bytes behind it are out of bounds for the sanitizer. */
static void test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		for (size_t length = 0; length < rows[i].length; length++) {
			auto_free uint8_t *exact = xmalloc(length ? length : 1);
			memcpy(exact, rows[i].bytes, length);
			struct msgpack_value value;
			if (msgpack_parse(exact, length, &value))
				fail_msg("row %zu cut at %zu", i, length);
		}
}

static void test_claims_too_much(void **state)
{
	(void)state;
	struct msgpack_value value;
	assert_false(msgpack_parse(BYTES("\xdd\xff\xff\xff\xff\x00"), &value));
	assert_false(msgpack_parse(BYTES("\xdf\xff\xff\xff\xff\x00"), &value));
	assert_false(msgpack_parse(BYTES("\xdb\xff\xff\xff\xff\x00"), &value));
	assert_false(msgpack_parse(BYTES("\x92\xdd\x00\x00\x00\x05\x00"), &value));
	assert_false(msgpack_parse(BYTES("\xc1"), &value));
}

static void test_deep_nesting_needs_no_stack(void **state)
{
	(void)state;
	size_t depth = 1000000;
	auto_free uint8_t *bytes = xmalloc(depth + 1);
	memset(bytes, 0x91, depth);
	bytes[depth] = 0xc0;
	struct msgpack_value value;
	assert_true(msgpack_parse(bytes, depth + 1, &value));
	assert_int_equal(value.length, depth + 1);
	assert_false(msgpack_parse(bytes, depth, &value));
}

static void test_parts(void **state)
{
	(void)state;
	/* {"a": [1, {"b": true}], 5: 6, "a2": nil, "d": 1, "d": 2} */
	const uint8_t map[] = "\x85\xa1"
	                      "a\x92\x01\x81\xa1"
	                      "b\xc3\x05\x06\xa2"
	                      "a2\xc0\xa1"
	                      "d\x01\xa1"
	                      "d\x02";
	struct msgpack_value value, list, part;
	assert_true(msgpack_parse(map, sizeof(map) - 1, &value));
	assert_true(msgpack_member(&value, "a", &list));
	assert_int_equal(list.kind, MSGPACK_ARRAY);
	assert_int_equal(list.length, 6);
	assert_true(msgpack_element(&list, 0, &part));
	assert_int_equal(part.integer, 1);
	assert_true(msgpack_element(&list, 1, &part));
	assert_true(msgpack_member(&part, "b", &part));
	assert_true(part.boolean);
	assert_false(msgpack_element(&list, 2, &part));
	assert_false(msgpack_member(&list, "a", &part));
	assert_false(msgpack_element(&value, 0, &part));
	assert_true(msgpack_member(&value, "a2", &part));
	assert_int_equal(part.kind, MSGPACK_NIL);
	assert_true(msgpack_member(&value, "d", &part));
	assert_int_equal(part.integer, 2); /* the last one */
	assert_false(msgpack_member(&value, "5", &part));
	assert_false(msgpack_member(&value, "", &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),      cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_claims_too_much), cmocka_unit_test(test_deep_nesting_needs_no_stack),
		cmocka_unit_test(test_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
