/* The base layer: errors, bounded buffers, arenas, text, time, files, JSON lookups. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/host.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void errors_read_from_general_to_cause(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(err_set_errno(&e, ENOENT, NULL, "cannot open '%s'", "x"), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_string_equal(err_id(&e), "not-found");
	err_wrap(&e, "cannot start");
	assert_string_equal(err_message(&e), "cannot start: cannot open 'x': No such file or directory");
	err_hint(&e, "first");
	err_hint(&e, "second");
	assert_string_equal(e.hint, "first");
	auto_err struct err other = ERR_INIT;
	err_move(&other, &e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_string_equal(err_message(&e), "");
	assert_string_equal(other.hint, "first");
	assert_int_equal(err_set(NULL, ERR_INVALID, NULL, "nobody cares"), -1);
	assert_int_equal(err_wrap(&e, "nothing to wrap"), -1);
	assert_int_equal(e.kind, ERR_NONE);
}

static void buffers_stop_at_their_maximum(void **state)
{
	(void)state;
	auto_buf struct buf b = BUF_INIT(10);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(buf_add_str(&b, "12345678"), 0);
	assert_int_equal(buf_add_str(&b, "9ab"), -1);
	assert_string_equal(b.data, "12345678");
	assert_int_equal(buf_add_format(&b, "%d", 99), 0);
	assert_int_equal(buf_add_byte(&b, 'x'), -1);
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_consume(&b, 3);
	assert_string_equal(b.data, "4567899");
	buf_truncate(&b, 2);
	assert_string_equal(b.data, "45");
	buf_consume(&b, 100);
	assert_int_equal(b.length, 0);
	auto_free char *stolen = buf_steal(&b);
	assert_string_equal(stolen, "");
}

static void arenas_keep_to_their_maximum(void **state)
{
	(void)state;
	auto_arena struct arena a = ARENA_INIT(100000);
	char *first = arena_printf(&a, "%s-%d", "n", 7);
	assert_string_equal(first, "n-7");
	void *large = arena_try_alloc(&a, 60000);
	assert_non_null(large);
	assert_int_equal((uintptr_t)large % 16, 0);
	memset(large, 1, 60000);
	assert_null(arena_try_alloc(&a, 60000));
	assert_null(arena_try_alloc(&a, SIZE_MAX));
	/* The rest of the first block is still used after a large allocation. */
	char *second = arena_strdup(&a, "after");
	assert_true((size_t)(second - first) < 64);
	assert_string_equal(first, "n-7");
	assert_string_equal(arena_strdup(&a, NULL), "");
	/* Small things are given beyond it, and whoever asks learns of it. */
	auto_err struct err e = ERR_INIT;
	assert_int_equal(arena_check(&a, &e), 0);
	for (int i = 0; i < 200; i++)
		assert_string_equal(arena_printf(&a, "%0999d", i) + 996, arena_printf(&a, "%03d", i));
	assert_true(arena_is_exhausted(&a));
	assert_null(arena_try_alloc(&a, 50000));
	assert_int_equal(arena_check(&a, &e), -1);
	assert_int_equal(e.kind, ERR_EXHAUSTED);
	assert_string_equal(err_id(&e), "call-too-large");
}

static void numbers_are_whole_strings(void **state)
{
	(void)state;
	int64_t value = 77;
	assert_true(text_to_int64("-12", -100, 100, &value));
	assert_int_equal(value, -12);
	static const char *const bad[] = { "", "-", "+1", " 1", "1 ", "0x10", "1e3", "101", "-101", "99999999999999999999" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_false(text_to_int64(bad[i], -100, 100, &value));
	uint64_t unsigned_value;
	assert_true(text_to_uint64("18446744073709551615", UINT64_MAX, &unsigned_value));
	assert_false(text_to_uint64("18446744073709551616", UINT64_MAX, &unsigned_value));
	assert_false(text_to_uint64("-1", UINT64_MAX, &unsigned_value));
}

static void suggestions_are_near(void **state)
{
	(void)state;
	static const char *const verbs[] = { "start", "stop", "status", "delete" };
	assert_string_equal(text_suggest("strat", verbs, 4), "start");
	assert_string_equal(text_suggest("statsu", verbs, 4), "status");
	assert_string_equal(text_suggest("delte", verbs, 4), "delete");
	assert_null(text_suggest("kubernetes", verbs, 4));
	assert_int_equal(text_distance("ab", "ba"), 1);
	assert_int_equal(text_distance("", "abc"), 3);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
}

static void times_survive_a_round_trip(void **state)
{
	(void)state;
	char text[CLOCK_RFC3339_SIZE];
	int64_t ns;
	assert_true(clock_parse_rfc3339("2026-11-23T07:15:18.123456789Z", &ns));
	clock_format_rfc3339(ns, text);
	assert_string_equal(text, "2026-11-23T07:15:18.123456Z");
	int64_t other;
	assert_true(clock_parse_rfc3339("2026-11-23T09:15:18.123456789+02:00", &other));
	assert_int_equal(ns, other);
	clock_format_rfc3339(-1000, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
	static const char *const bad[] = { "", "2026-11-23", "2026-13-23T07:15:18Z", "2026-11-23T07:15:18", "2026-11-23T07:15:18.Z",
					   "2026-11-23T07:15:18Zx", "9999-11-23T07:15:18Z", "2026-11-23T24:15:18Z",
					   "2262-04-11T23:47:16.9Z" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		if (clock_parse_rfc3339(bad[i], &ns))
			fail_msg("'%s' was accepted", bad[i]);
	assert_int_equal(clock_poll_timeout(CLOCK_NEVER), -1);
	assert_int_equal(clock_poll_timeout(0), 0);
}

static void files_are_replaced_whole(void **state)
{
	(void)state;
	char directory[] = "/tmp/sandbox-base-XXXXXX";
	assert_non_null(mkdtemp(directory));
	auto_free char *path = file_join(directory, "a/b/file");
	auto_free char *parent = file_join(directory, "a/b");
	auto_free char *link = file_join(directory, "link");
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf bytes = BUF_INIT(8);
	assert_int_equal(file_read(path, &bytes, &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(file_make_directories(parent, 0755, &e), 0);
	assert_int_equal(file_make_directories(parent, 0755, &e), 0);
	assert_int_equal(file_write_atomic(path, "12345678", 8, 0600, &e), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(file_write_atomic(link, "abcdefgh", 8, 0644, &e), 0);
	struct stat info;
	assert_int_equal(lstat(link, &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(file_read(path, &bytes, &e), 0);
	assert_string_equal(bytes.data, "abcdefgh");
	buf_clear(&bytes);
	assert_int_equal(file_write_atomic(path, "123456789", 9, 0600, &e), 0);
	assert_int_equal(file_read(path, &bytes, &e), -1);
	assert_string_equal(err_id(&e), "file-too-large");
	assert_int_equal(file_remove(path, &e), 0);
	assert_int_equal(file_remove(path, &e), 0);
	unlink(link);
	rmdir(parent);
	auto_free char *outer = file_join(directory, "a");
	rmdir(outer);
	rmdir(directory);
}

static void json_lookups_never_crash(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	static const char text[] = "{\"a\":{\"b\":[1],\"c\":\"x\",\"d\":7,\"e\":true}}";
	auto_json json_t *value = json_parse(text, strlen(text), "the test", &e);
	assert_non_null(value);
	assert_string_equal(json_string_at(value, "a/c", "none"), "x");
	assert_string_equal(json_string_at(value, "a/c/further", "none"), "none");
	assert_string_equal(json_string_at(value, "a/b", "none"), "none");
	assert_int_equal(json_integer_at(value, "a/d", -1), 7);
	assert_true(json_boolean_at(value, "a/e", false));
	assert_null(json_parse("{\n\"a\":}", 7, "the test", &e));
	assert_string_equal(err_id(&e), "malformed-json");
	assert_non_null(strstr(err_message(&e), "line 2"));
}

static void the_gateway_is_that_of_the_default_route(void **state)
{
	static const char head[] = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
	char address[HOST_ADDRESS_SIZE];
	(void)state;
	auto_free char *routes = xasprintf("%s%s", head, "cni0\t0000000A\t00000000\t0001\t0\t0\t0\tFFFFFF00\t0\t0\t0\n"
	                                                "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	assert_true(host_gateway(routes, address));
	/* As the kernel of a little-endian machine writes it. */
	assert_string_equal(address, "172.17.0.1");
	assert_false(host_gateway(head, address));
	assert_false(host_gateway("", address));
	auto_free char *other = host_reachable("http://elsewhere.example:80/x");
	assert_string_equal(other, "http://elsewhere.example:80/x");
	auto_free char *longer = host_reachable(HOST_NAME ".example:80");
	assert_string_equal(longer, HOST_NAME ".example:80");
}

/* Exact, which seconds in a double are not. */
static void durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ns, go_ns; /* -1: malformed */
	} cases[] = {
		{ "0", 0, 0 },
		{ "1", 1000000000, -1 },
		{ "1.5", 1500000000, -1 },
		{ ".5s", 500000000, 500000000 },
		{ "1.s", 1000000000, 1000000000 },
		{ "2m", 120000000000, 120000000000 },
		{ "3us", 3000, 3000 },
		{ "3\xc2\xb5s", 3000, 3000 },
		{ "3\xce\xbcs", 3000, 3000 },
		{ "7ns", 7, 7 },
		{ "0.9ns", 0, 0 },
		{ "1h1h", 7200000000000, 7200000000000 },
		{ "+2s", 2000000000, 2000000000 },
		{ "1h0", -1, -1 },
		{ "00", 0, -1 },
		{ "-", -1, -1 },
		{ "", -1, -1 },
		{ "s", -1, -1 },
		{ "1x", -1, -1 },
		{ "1 s", -1, -1 },
		{ "1s2", -1, -1 },
		{ ".", -1, -1 },
		{ ".s", -1, -1 },
		{ "1.2.3", -1, -1 },
		{ "999999999999h", -1, -1 },
		{ "99999999999999999999999999999999999999999s", -1, -1 },
		{ "2562047h47m16.854775807s", INT64_MAX, INT64_MAX },
		{ "2562047h47m16.854775808s", -1, -1 },
		{ "9007199.254740993s", 9007199254740993, 9007199254740993 },
		{ "1e3", -1, -1 },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		int64_t ns = -1, go_ns = -1;
		assert_int_equal(duration_parse(cases[i].text, &ns), cases[i].ns >= 0);
		assert_int_equal(ns, cases[i].ns);
		assert_int_equal(duration_parse_go(cases[i].text, &go_ns), cases[i].go_ns >= 0);
		assert_int_equal(go_ns, cases[i].go_ns);
	}
	int64_t ns;
	assert_true(duration_parse("-10ms", &ns));
	assert_int_equal(ns, -10000000);
	assert_true(duration_parse("-1.5", &ns));
	assert_int_equal(ns, -1500000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(errors_read_from_general_to_cause), cmocka_unit_test(buffers_stop_at_their_maximum),
		cmocka_unit_test(arenas_keep_to_their_maximum),	     cmocka_unit_test(numbers_are_whole_strings),
		cmocka_unit_test(suggestions_are_near),		     cmocka_unit_test(times_survive_a_round_trip),
		cmocka_unit_test(files_are_replaced_whole),	     cmocka_unit_test(json_lookups_never_crash),
		cmocka_unit_test(the_gateway_is_that_of_the_default_route),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
