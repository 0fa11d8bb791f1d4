/* The graceful end, as a client sees it frame by frame (RFC 9113, 6.8). */
#include "raw_fixture.h"

#include "h2_client.h"

#include "base/clock.h"
#include "base/text.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STOP_MS 20000
#define EVERY_STREAM 0x7fffffff

static void *stop_in_thread(void *argument)
{
	struct fixture *f = argument;
	return rpc_server_stop(f->server, clock_monotonic_ms() + STOP_MS, NULL) < 0 ? f : NULL;
}

static pthread_t begin_stop(struct fixture *f)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, f), 0);
	return thread;
}

static void assert_stopped(struct fixture *f, pthread_t thread)
{
	void *failed;
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	f->server = NULL;
}

/* A GOAWAY with NO_ERROR; the last stream that it promises to answer. */
static uint32_t next_goaway(struct fixture *f)
{
	struct raw_frame frame;
	assert_true(raw_wait(&f->raw, RAW_GOAWAY, 0, &frame));
	assert_int_equal(raw_number(frame.payload + 4), RAW_NO_ERROR);
	return raw_number(frame.payload);
}

/* What a client had sent when it heard of the end is answered: the first GOAWAY promises everything, and the number comes after the ping. */
static void calls_on_their_way_are_answered(void **state)
{
	struct fixture *f = *state;
	/* The server waits for the answer to its ping, however long that takes. */
	start(f, (struct rpc_limits){ .drain_ms = 3600 * 1000 });
	struct proto_bytes body = get_task(f, 1);
	struct raw_frame frame;
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetVersion", body.data, body.length));
	assert_true(fake_service_wait(&f->fake, 1));
	pthread_t thread = begin_stop(f);
	assert_int_equal(next_goaway(f), EVERY_STREAM);
	assert_true(raw_wait(&f->raw, RAW_PING, 0, &frame));
	uint8_t mark[8];
	memcpy(mark, frame.payload, sizeof(mark));
	assert_true(raw_send_call(&f->raw, 3, ADMIN "GetTask", body.data, body.length));
	assert_true(raw_wait(&f->raw, RAW_DATA, 3, &frame));
	assert_true(raw_send_frame(&f->raw, RAW_PING, RAW_ACK, 0, mark, sizeof(mark)));
	assert_int_equal(next_goaway(f), 3);
	/* One that comes too late is neither run nor answered; the one that runs is. */
	assert_true(raw_send_call(&f->raw, 5, ADMIN "GetVersion", body.data, body.length));
	fake_service_open(&f->fake, true);
	bool answered = false;
	while (raw_read(&f->raw, &frame)) {
		assert_true(frame.stream != 5);
		answered = answered || (frame.type == RAW_HEADERS && frame.stream == 1 && frame.flags & RAW_END_STREAM);
	}
	assert_true(answered);
	assert_stopped(f, thread);
	assert_int_equal(f->fake.entered, 1);
}

/* Who does not answer the ping does not keep the server. */
static void the_ping_is_waited_for_in_bounds(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ .drain_ms = 50 });
	struct raw_frame frame;
	assert_true(raw_wait(&f->raw, RAW_SETTINGS, 0, &frame));
	pthread_t thread = begin_stop(f);
	assert_int_equal(next_goaway(f), EVERY_STREAM);
	assert_int_equal(next_goaway(f), 0);
	assert_int_equal(raw_end(&f->raw), -1);
	assert_stopped(f, thread);
}

/* While calls are finished nobody new is let in. */
static void nobody_new_is_let_in(void **state)
{
	struct fixture *f = *state;
	start(f, (struct rpc_limits){ 0 });
	struct proto_bytes body = get_task(f, 1);
	uint16_t port = rpc_server_port(f->server);
	assert_true(raw_send_call(&f->raw, 1, ADMIN "GetVersion", body.data, body.length));
	assert_true(fake_service_wait(&f->fake, 1));
	pthread_t thread = begin_stop(f);
	assert_int_equal(next_goaway(f), EVERY_STREAM);
	int fd = connect_to(port);
	assert_int_equal(fd, -1);
	fake_service_open(&f->fake, true);
	assert_stopped(f, thread);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(calls_on_their_way_are_answered),
		TEST(the_ping_is_waited_for_in_bounds),
		TEST(nobody_new_is_let_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
