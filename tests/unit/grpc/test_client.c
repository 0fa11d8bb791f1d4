/* The gRPC client against the control plane's own server. */
#include "base/clock.h"
#include "base/text.h"
#include "fake_service.h"
#include "grpc/client.h"
#include "grpc/frames.h"

#include "grpc_reflection/v1alpha/reflection.pb-c.h"

#include <arpa/inet.h>
#include <flyteidl/service/admin.pb-c.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ADMIN "flyteidl.service.AdminService/"
#define PATIENCE_MS INT64_C(60000)

struct fixture {
	struct fake_service fake;
	struct rpc_service service;
	struct rpc_server *server;
	struct grpc_client *client;
	struct arena arena;
	struct err e;
};

static void start_server(struct fixture *f, uint16_t port)
{
	const struct rpc_server_options options = {
		.address = "127.0.0.1", .port = port, .workers = 4, .services = &f->service, .service_count = 1
	};
	if (rpc_server_start(&options, &f->server, &f->e) < 0)
		fail_msg("%s", err_message(&f->e));
}

static void stop_server(struct fixture *f)
{
	if (rpc_server_stop(f->server, clock_monotonic_ms() + PATIENCE_MS, &f->e) < 0)
		fail_msg("%s", err_message(&f->e));
}

static int open_client(const char *target, struct grpc_client **ret_client, struct err *e)
{
	return grpc_client_open(target, &(struct http_client_options){ .cancel_fd = -1 }, ret_client, e);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->fake = (struct fake_service)FAKE_SERVICE_INIT;
	f->service = fake_service(&f->fake);
	f->arena = (struct arena)ARENA_INIT((size_t)256 << 20);
	start_server(f, 0);
	auto_free char *target = xasprintf("dns:///127.0.0.1:%u", rpc_server_port(f->server));
	assert_int_equal(open_client(target, &f->client, &f->e), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	fake_service_open(&f->fake, true);
	grpc_client_free(f->client);
	stop_server(f);
	arena_release(&f->arena);
	err_release(&f->e);
	free(f);
	return 0;
}

static const Flyteidl__Admin__Task *get_task(struct fixture *f, struct arena *arena, const char *name, struct err *e)
{
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(arena, flyteidl__admin__object_get_request);
	request->id = proto_new(arena, flyteidl__core__identifier);
	request->id->name = arena_strdup(arena, name);
	return (const Flyteidl__Admin__Task *)grpc_client_unary(f->client, arena, ADMIN "GetTask", &request->base,
	                                                        &flyteidl__admin__task__descriptor, PATIENCE_MS, e);
}

static void test_unary(void **state)
{
	struct fixture *f = *state;
	const Flyteidl__Admin__Task *task = get_task(f, &f->arena, "a task", &f->e);
	if (!task)
		fail_msg("%s", err_message(&f->e));
	assert_string_equal(task->id->name, "a task");
}

static void test_large_messages(void **state)
{
	struct fixture *f = *state;
	const size_t length = (size_t)3 << 20;
	char *name = arena_alloc(&f->arena, length + 1);
	memset(name, 'n', length);
	const Flyteidl__Admin__Task *task = get_task(f, &f->arena, name, &f->e);
	if (!task)
		fail_msg("%s", err_message(&f->e));
	assert_int_equal(strlen(task->id->name), length);
}

#define EARLY_ANSWER_TRIES 50

static int refuse(void *context, ProtobufCMessage *response, struct err *e)
{
	(void)response;
	(*(unsigned *)context)++;
	return err_set(e, ERR_CONFLICT, NULL, "not this one");
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	unsigned count = 0;
	Flyteidl__Admin__ObjectGetRequest *message = proto_new(&f->arena, flyteidl__admin__object_get_request);
	message->id = proto_new(&f->arena, flyteidl__core__identifier);
	message->id->name = arena_strdup(&f->arena, "a name that is longer than twenty bytes");
	const ProtobufCMessage *messages[] = { &message->base };
	struct grpc_request request = { .method = ADMIN "GetTask",
		                        .messages = messages,
		                        .message_count = 1,
		                        .timeout_ms = PATIENCE_MS,
		                        .response = &flyteidl__admin__task__descriptor,
		                        .response_maximum = 20,
		                        .on_response = refuse,
		                        .context = &count };
	assert_int_equal(grpc_client_call(f->client, &f->arena, &request, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_EXHAUSTED);
	assert_int_equal(count, 0);
	request.response_maximum = 0;
	assert_int_equal(grpc_client_call(f->client, &f->arena, &request, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	assert_int_equal(count, 1);
	/* The connection that was given up is no obstacle. */
	assert_non_null(get_task(f, &f->arena, "x", &f->e));
}

static void test_errors(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Admin__ProjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__project_get_request);
	assert_null(grpc_client_unary(f->client, &f->arena, ADMIN "GetProject", &request->base,
	                              &flyteidl__admin__project__descriptor, PATIENCE_MS, &f->e));
	assert_int_equal(f->e.kind, ERR_NOT_FOUND);
	/* The server's text begins with a newline, a percent sign and an accented letter, all percent-encoded. */
	assert_non_null(strstr(err_message(&f->e), "\n%\xc3\xa9\n%\xc3\xa9"));
	/* Answered before the request is read, which libcurl may take for a broken stream (client.h). */
	for (unsigned tries = 0; tries < EARLY_ANSWER_TRIES; tries++) {
		err_release(&f->e);
		assert_null(grpc_client_unary(f->client, &f->arena, ADMIN "NoSuchMethod", &request->base,
		                              &flyteidl__admin__project__descriptor, PATIENCE_MS, &f->e));
		if (f->e.kind != ERR_UNAVAILABLE)
			break;
	}
	if (f->e.kind != ERR_UNSUPPORTED)
		fail_msg("%s", err_message(&f->e));
}

static void test_deadline(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Admin__GetVersionRequest *request = proto_new(&f->arena, flyteidl__admin__get_version_request);
	assert_null(grpc_client_unary(f->client, &f->arena, ADMIN "GetVersion", &request->base,
	                              &flyteidl__admin__get_version_response__descriptor, 300, &f->e));
	assert_int_equal(f->e.kind, ERR_TIMEOUT);
}

static void test_a_server_that_goes_and_comes_back(void **state)
{
	struct fixture *f = *state;
	const uint16_t port = rpc_server_port(f->server);
	assert_non_null(get_task(f, &f->arena, "x", &f->e));
	stop_server(f);
	assert_null(get_task(f, &f->arena, "x", &f->e));
	assert_int_equal(f->e.kind, ERR_UNAVAILABLE);
	start_server(f, port);
	if (!get_task(f, &f->arena, "x", &f->e))
		fail_msg("%s", err_message(&f->e));
}

struct names {
	struct fixture *f;
	unsigned right;
	struct err problem;
};

static void *ask_often(void *context)
{
	struct names *names = context;
	for (int i = 0; i < 20; i++) {
		auto_arena struct arena arena = ARENA_INIT((size_t)1 << 20);
		auto_err struct err e = ERR_INIT;
		auto_free char *name = xasprintf("%p-%d", (void *)names, i);
		const Flyteidl__Admin__Task *task = get_task(names->f, &arena, name, &e);
		names->right += task && text_equal(task->id->name, name);
		if (!task && names->problem.kind == ERR_NONE)
			err_move(&names->problem, &e);
	}
	return NULL;
}

static void test_many_threads(void **state)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	struct names names[THREADS];
	for (size_t i = 0; i < THREADS; i++) {
		names[i] = (struct names){ .f = *state };
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &names[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < THREADS; i++) {
		if (names[i].right != 20)
			fail_msg("%u of 20 calls: %s", names[i].right, err_message(&names[i].problem));
		err_release(&names[i].problem);
	}
}

static int count_responses(void *context, ProtobufCMessage *response, struct err *e)
{
	(void)e;
	const Grpc__Reflection__V1alpha__ServerReflectionResponse *answer =
	        (const Grpc__Reflection__V1alpha__ServerReflectionResponse *)response;
	unsigned *count = context;
	*count += answer->message_response_case ==
	          GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	return 0;
}

/* Several messages each way, as connectors that run a task in one call want it. */
static void test_stream(void **state)
{
	struct fixture *f = *state;
	unsigned count = 0;
	Grpc__Reflection__V1alpha__ServerReflectionRequest *message =
	        proto_new(&f->arena, grpc__reflection__v1alpha__server_reflection_request);
	message->message_request_case =
	        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
	message->list_services = arena_strdup(&f->arena, "*");
	const ProtobufCMessage *messages[] = { &message->base, &message->base, &message->base };
	const struct grpc_request request = {
		.method = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		.messages = messages,
		.message_count = ARRAY_LENGTH(messages),
		.timeout_ms = PATIENCE_MS,
		.response = &grpc__reflection__v1alpha__server_reflection_response__descriptor,
		.on_response = count_responses,
		.context = &count,
	};
	if (grpc_client_call(f->client, &f->arena, &request, &f->e) < 0)
		fail_msg("%s", err_message(&f->e));
	assert_int_equal(count, 3);
}

/* ---- Servers of which one would like to have none ---- */

/* One answer to whatever comes, in HTTP/2 by hand (RFC 9113, 7541): headers are literals, and the stream is the first. */
struct bad_server {
	int listener;
	uint16_t port;
	pthread_t thread;
	struct buf frames;
};

static void add_frame(struct buf *out, uint8_t type, uint8_t flags, const void *payload, size_t length)
{
	const uint8_t head[] = { 0, (uint8_t)(length >> 8), (uint8_t)length, type, flags, 0, 0, 0, type != 4 };
	assert_int_equal(buf_add(out, head, sizeof(head)), 0);
	assert_int_equal(buf_add(out, payload, length), 0);
}

static void add_header(struct buf *block, const char *name, const char *value)
{
	buf_add_byte(block, 0);
	buf_add_byte(block, (char)strlen(name));
	buf_add_str(block, name);
	buf_add_byte(block, (char)strlen(value));
	buf_add_str(block, value);
}

/* Whether the client's preface and frames so far include its request's headers. */
static bool has_asked(const struct buf *bytes)
{
	for (size_t at = 24; at + 9 <= bytes->length;) {
		const uint8_t *head = (const uint8_t *)bytes->data + at;
		if (head[3] == 1)
			return true;
		at += 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
	}
	return false;
}

static void *serve_badly(void *context)
{
	const struct bad_server *server = context;
	auto_buf struct buf request = BUF_INIT(65536);
	char ignored[4096];
	const int connection = accept(server->listener, NULL, NULL);
	if (connection < 0)
		return NULL;
	for (ssize_t got = 1; got > 0 && !has_asked(&request);) {
		got = read(connection, ignored, sizeof(ignored));
		if (got > 0)
			buf_add(&request, ignored, (size_t)got);
	}
	(void)!write(connection, server->frames.data, server->frames.length);
	while (read(connection, ignored, sizeof(ignored)) > 0)
		;
	close(connection);
	return NULL;
}

/* The list of headers ends with NULL; `body` NULL: they end the answer. */
static void start_badly(struct bad_server *server, const char *const (*headers)[2], const char *body, size_t length)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(address);
	auto_buf struct buf block = BUF_INIT(4096);
	*server = (struct bad_server){ .listener = socket(AF_INET, SOCK_STREAM, 0), .frames = BUF_INIT(65536) };
	for (; (*headers)[0]; headers++)
		add_header(&block, (*headers)[0], (*headers)[1]);
	add_frame(&server->frames, 4, 0, "", 0);
	add_frame(&server->frames, 1, body ? 4 : 5, block.data, block.length);
	if (body)
		add_frame(&server->frames, 0, 1, body, length);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server->listener, 1), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve_badly, server), 0);
}

static enum err_kind ask_badly(struct fixture *f, const char *const (*headers)[2], const char *body, size_t length)
{
	struct bad_server server;
	struct grpc_client *client;
	start_badly(&server, headers, body, length);
	auto_free char *target = xasprintf("127.0.0.1:%u", server.port);
	err_release(&f->e);
	assert_int_equal(open_client(target, &client, &f->e), 0);
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__object_get_request);
	assert_null(grpc_client_unary(client, &f->arena, ADMIN "GetTask", &request->base,
	                              &flyteidl__admin__task__descriptor, PATIENCE_MS, &f->e));
	grpc_client_free(client);
	pthread_join(server.thread, NULL);
	close(server.listener);
	buf_release(&server.frames);
	return f->e.kind;
}

static void test_what_is_no_grpc_server(void **state)
{
	static const char page[] = "<html>welcome</html>";
	static const char *const web[][2] = { { ":status", "200" }, { "content-type", "text/html" }, { NULL, NULL } };
	static const char *const gateway[][2] = { { ":status", "502" }, { "content-type", "text/html" }, { NULL, NULL } };
	static const char *const moved[][2] = { { ":status", "302" }, { "location", "/" }, { NULL, NULL } };
	struct fixture *f = *state;
	assert_int_equal(ask_badly(f, web, page, sizeof(page) - 1), ERR_INTERNAL);
	assert_non_null(strstr(err_message(&f->e), "no gRPC server"));
	assert_int_equal(ask_badly(f, gateway, page, sizeof(page) - 1), ERR_UNAVAILABLE);
	assert_non_null(strstr(err_message(&f->e), "502"));
	assert_int_equal(ask_badly(f, moved, page, sizeof(page) - 1), ERR_INTERNAL);
	assert_non_null(strstr(err_message(&f->e), "302"));
}

/* Postgres keeps no text that is not UTF-8: who is told of such an error could never write it down. */
static void test_text_that_is_not_utf8(void **state)
{
	/* admin.Task{id: {name: "\xff"}} */
	static const char message[] = "\0\0\0\0\5\x0a\3\x22\1\xff";
	static const char *const refusal[][2] = { { ":status", "200" },       { "content-type", "application/grpc" },
		                                  { "grpc-status", "2" },     { "grpc-message", "caf%C3%A9 %FF%C3 x" },
		                                  { NULL, NULL } };
	static const char *const answer[][2] = { { ":status", "200" },
		                                 { "content-type", "application/grpc" },
		                                 { "grpc-status", "0" },
		                                 { NULL, NULL } };
	struct fixture *f = *state;
	assert_int_equal(ask_badly(f, refusal, NULL, 0), ERR_INTERNAL);
	assert_non_null(strstr(err_message(&f->e), "caf\xc3\xa9 ?? x"));
	assert_int_equal(ask_badly(f, answer, message, sizeof(message) - 1), ERR_INTERNAL);
	assert_non_null(strstr(err_message(&f->e), "UTF-8"));
}

static void test_targets(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = { "",           "host",        ":1",           "host:0",
		                           "host:70000", "host:1/path", "ftp://host:1", "h h:1" };
	static const char *const good[] = { "host:1", "dns:///host:8000", "http://host:80", "https://host:443" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		struct grpc_client *client = NULL;
		if (open_client(bad[i], &client, &f->e) == 0)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_int_equal(f->e.kind, ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
		struct grpc_client *client = NULL;
		assert_int_equal(open_client(good[i], &client, &f->e), 0);
		grpc_client_free(client);
	}
}

static int keep_text(void *context, const void *bytes, size_t length, struct err *e)
{
	(void)e;
	return buf_add(context, bytes, length);
}

static void test_frames(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *bytes;
		size_t length;
		enum err_kind kind;
	} rows[] = {
		{ "\0\0\0\0\2ab\0\0\0\0\1c", 13, ERR_NONE },
		{ "\1\0\0\0\1a", 6, ERR_UNSUPPORTED },
		{ "\0\0\0\0\x0bhello world", 16, ERR_EXHAUSTED },
		{ "\0\0\0\0\2a", 6, ERR_INTERNAL },
		{ "\0\0", 2, ERR_INTERNAL },
		{ "", 0, ERR_NONE },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		auto_buf struct buf seen = BUF_INIT(100);
		struct grpc_frames frames = GRPC_FRAMES_INIT(10, keep_text, &seen);
		int outcome = grpc_frames_read(&frames, rows[i].bytes, rows[i].length, &f->e);
		if (outcome == 0)
			outcome = grpc_frames_end(&frames, &f->e);
		assert_int_equal(outcome, rows[i].kind == ERR_NONE ? 0 : -1);
		if (outcome < 0)
			assert_int_equal(f->e.kind, rows[i].kind);
		if (i == 0)
			assert_string_equal(buf_text(&seen), "abc");
		grpc_frames_release(&frames);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_unary),        TEST(test_large_messages), TEST(test_limits),
		TEST(test_errors),       TEST(test_deadline),       TEST(test_a_server_that_goes_and_comes_back),
		TEST(test_many_threads), TEST(test_stream),         TEST(test_what_is_no_grpc_server),
		TEST(test_text_that_is_not_utf8),
		TEST(test_targets),
		TEST(test_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
