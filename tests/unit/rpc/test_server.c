/* The whole server over loopback sockets: an nghttp2 client for gRPC, plain sockets for HTTP/1.1. */
#include "fake_service.h"
#include "h2_client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "proto/json.h"
#include "rpc/grpc.h"

#include <flyteidl/service/admin.pb-c.h>
#include <grpc_health/v1/health.pb-c.h>
#include <grpc_reflection/v1alpha/reflection.pb-c.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include <cmocka.h>

#define ADMIN "/flyteidl.service.AdminService/"
#define MESSAGE_MAXIMUM ((size_t)1024 * 1024)
#define STOP_MS 10000

struct fixture {
	struct fake_service fake;
	struct rpc_service service;
	struct rpc_server *server;
	struct h2_client *client;
	struct arena arena;
	char directory[64];
	unsigned calls; /* reported; written by the loop's thread, read after stop */
	int last_code;
};

static void on_call(void *context, const struct rpc_call_report *report)
{
	struct fixture *f = context;
	f->calls++;
	f->last_code = report->code;
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	auto_free char *path = file_join(f->directory, name);
	auto_err struct err e = ERR_INIT;
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0644, &e), 0);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	auto_err struct err e = ERR_INIT;
	f->fake = (struct fake_service)FAKE_SERVICE_INIT;
	f->service = fake_service(&f->fake);
	f->arena = (struct arena)ARENA_INIT((size_t)64 * 1024 * 1024);
	(void)snprintf(f->directory, sizeof(f->directory), "/tmp/test-rpc-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	auto_free char *assets = xasprintf("%s/console/assets", f->directory);
	auto_free char *console = xasprintf("%s/console", f->directory);
	assert_int_equal(file_make_directories(assets, 0755, &e), 0);
	write_file(f, "secret", "secret");
	write_file(f, "console/index.html", "<html>index</html>");
	write_file(f, "console/assets/a.js", "let a;");
	struct rpc_server_options options = {
		.address = "127.0.0.1",
		.workers = 4,
		.services = &f->service,
		.service_count = 1,
		.console_directory = console,
		.limits.message_maximum = MESSAGE_MAXIMUM,
		.on_call = on_call,
		.on_call_context = f,
	};
	if (rpc_server_start(&options, &f->server, &e) < 0)
		fail_msg("%s", err_message(&e));
	f->client = h2_client_open(rpc_server_port(f->server));
	*state = f;
	return 0;
}

static void remove_files(const struct fixture *f)
{
	static const char *const names[] = { "secret", "console/index.html", "console/assets/a.js" };
	static const char *const directories[] = { "console/assets", "console", "" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		auto_free char *path = file_join(f->directory, names[i]);
		unlink(path);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(directories); i++) {
		auto_free char *path = file_join(f->directory, directories[i]);
		rmdir(path);
	}
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	auto_err struct err e = ERR_INIT;
	fake_service_open(&f->fake, true);
	if (f->client)
		h2_client_close(f->client);
	if (f->server && rpc_server_stop(f->server, clock_monotonic_ms() + STOP_MS, &e) < 0)
		fail_msg("%s", err_message(&e));
	remove_files(f);
	arena_release(&f->arena);
	free(f);
	return 0;
}

/* --- gRPC --- */

/* A message in a frame, in the arena. */
static struct proto_bytes frame_of(struct fixture *f, const void *payload, size_t length, bool compressed)
{
	uint8_t *bytes = arena_alloc(&f->arena, GRPC_FRAME_HEADER_SIZE + length);
	grpc_frame_write_header(bytes, length);
	bytes[0] = compressed;
	if (length)
		memcpy(bytes + GRPC_FRAME_HEADER_SIZE, payload, length);
	return (struct proto_bytes){ .data = bytes, .length = GRPC_FRAME_HEADER_SIZE + length };
}

static struct proto_bytes framed(struct fixture *f, const ProtobufCMessage *message)
{
	struct proto_bytes packed = proto_pack(&f->arena, message);
	return frame_of(f, packed.data, packed.length, false);
}

static void start_call(struct fixture *f, const char *path, struct proto_bytes body, const char *timeout,
                       struct h2_result *ret_result)
{
	struct h2_request request = { .path = path, .timeout = timeout, .body = body.data, .length = body.length };
	h2_client_start(f->client, &request, ret_result);
}

/* Calls and waits; the status is in the result. */
static void call(struct fixture *f, const char *path, struct proto_bytes body, struct h2_result *ret_result)
{
	start_call(f, path, body, NULL, ret_result);
	if (!h2_client_run(f->client, ret_result))
		fail_msg("%s did not end", path);
	assert_int_equal(ret_result->http_status, 200);
}

static void assert_status(struct fixture *f, const char *path, struct proto_bytes body, int status,
                          const char *in_message)
{
	struct h2_result result;
	call(f, path, body, &result);
	assert_int_equal(result.grpc_status, status);
	if (!strstr(buf_text(&result.message), in_message))
		fail_msg("\"%s\" does not contain \"%s\"", buf_text(&result.message), in_message);
	assert_true(result.trailers_only == (status != 0));
	h2_result_release(&result);
}

static struct proto_bytes get_task_request(struct fixture *f, const char *name)
{
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__object_get_request);
	request->id = proto_new(&f->arena, flyteidl__core__identifier);
	request->id->name = arena_strdup(&f->arena, name);
	return framed(f, &request->base);
}

static const Flyteidl__Admin__Task *task_in(struct fixture *f, const struct h2_result *result)
{
	struct grpc_frame frame;
	assert_int_equal(grpc_frame_read(result->body.data, result->body.length, MESSAGE_MAXIMUM, &frame, NULL), 1);
	assert_int_equal(frame.size, result->body.length);
	const Flyteidl__Admin__Task *task =
	        proto_unpack(&f->arena, flyteidl__admin__task, frame.payload, frame.payload_length, NULL);
	assert_non_null(task);
	return task;
}

static const struct proto_bytes empty_frame = { .data = (const uint8_t *)"\0\0\0\0", .length = 5 };

static void a_unary_call_is_answered(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	call(f, ADMIN "GetTask", get_task_request(f, "tä\"sk"), &result);
	assert_int_equal(result.grpc_status, 0);
	assert_false(result.trailers_only);
	assert_string_equal(task_in(f, &result)->id->name, "tä\"sk");
	assert_string_equal(task_in(f, &result)->short_description, "test|127.0.0.1");
	h2_result_release(&result);
}

static void streams_run_in_parallel(void **state)
{
	struct fixture *f = *state;
	struct h2_result results[4], other;
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		start_call(f, ADMIN "GetVersion", empty_frame, NULL, &results[i]);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 4));
	/* All workers are taken: a fifth call waits for one. */
	start_call(f, ADMIN "GetTask", get_task_request(f, "n"), NULL, &other);
	h2_client_step(f->client, 50);
	assert_false(other.closed);
	fake_service_open(&f->fake, true);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		assert_true(h2_client_run(f->client, &results[i]));
		assert_int_equal(results[i].grpc_status, 0);
		h2_result_release(&results[i]);
	}
	assert_true(h2_client_run(f->client, &other));
	assert_int_equal(other.grpc_status, 0);
	h2_result_release(&other);
}

static void large_messages_pass_up_to_the_maximum(void **state)
{
	struct fixture *f = *state;
	/* Two bytes of tag and three of length around the name, twice. */
	auto_free char *name = xmalloc(MESSAGE_MAXIMUM);
	memset(name, 'n', MESSAGE_MAXIMUM);
	name[MESSAGE_MAXIMUM - 100] = '\0';
	struct h2_result result;
	call(f, ADMIN "GetTask", get_task_request(f, name), &result);
	assert_int_equal(result.grpc_status, 0);
	assert_string_equal(task_in(f, &result)->id->name, name);
	h2_result_release(&result);
	name[MESSAGE_MAXIMUM - 100] = 'n';
	name[MESSAGE_MAXIMUM - 1] = '\0';
	assert_status(f, ADMIN "GetTask", get_task_request(f, name), GRPC_RESOURCE_EXHAUSTED,
	              "larger than the maximum");
	/* The answer is a little longer than what it answers. */
	name[MESSAGE_MAXIMUM - 1] = 'n';
	name[MESSAGE_MAXIMUM - 10] = '\0';
	assert_status(f, ADMIN "GetTask", get_task_request(f, name), GRPC_RESOURCE_EXHAUSTED,
	              "the response is larger than the maximum");
	name[MESSAGE_MAXIMUM - 10] = 'n';
	/* Many at once: flow control holds them back, none is lost. */
	name[MESSAGE_MAXIMUM - 100] = '\0';
	static struct h2_result results[60];
	struct proto_bytes request = get_task_request(f, name);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		start_call(f, ADMIN "GetTask", request, NULL, &results[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		assert_true(h2_client_run(f->client, &results[i]));
		assert_int_equal(results[i].grpc_status, 0);
		h2_result_release(&results[i]);
	}
}

static void errors_fit_into_trailers(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	call(f, ADMIN "GetProject", empty_frame, &result);
	assert_int_equal(result.grpc_status, GRPC_NOT_FOUND);
	assert_true(result.trailers_only);
	assert_true(result.details.length > 0);
	assert_true(result.message.length + result.details.length <= GRPC_STATUS_MAXIMUM);
	assert_true(result.message.length > GRPC_STATUS_MAXIMUM / 2);
	assert_non_null(strstr(buf_text(&result.message), "(truncated)"));
	h2_result_release(&result);
}

static void unknown_methods_and_broken_requests(void **state)
{
	struct fixture *f = *state;
	assert_status(f, ADMIN "Nope", empty_frame, GRPC_UNIMPLEMENTED, "unknown method");
	assert_status(f, "/no.such.Service/X", empty_frame, GRPC_UNIMPLEMENTED, "unknown method");
	assert_status(f, "/grpc.health.v1.Health/Watch", empty_frame, GRPC_UNIMPLEMENTED, "unknown method");
	assert_status(f, ADMIN "GetTask", (struct proto_bytes){ .data = (const uint8_t *)"\0\0\0", .length = 3 },
	              GRPC_INTERNAL, "before its message was complete");
	assert_status(f, ADMIN "GetTask",
	              (struct proto_bytes){ .data = (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", .length = 10 },
	              GRPC_INTERNAL, "more than one message");
	assert_status(f, ADMIN "GetTask", frame_of(f, "\xff", 1, false), GRPC_INVALID_ARGUMENT, "malformed");
	/* A handler that answers nothing is our fault, and never UNKNOWN. */
	assert_status(f, ADMIN "GetWorkflow", empty_frame, GRPC_INTERNAL, "without saying why");
	struct h2_result result;
	struct h2_request json = {
		.path = ADMIN "GetTask", .content_type = "application/grpc+json", .body = "", .length = 0
	};
	h2_client_start(f->client, &json, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.http_status, 415);
	h2_result_release(&result);
}

static struct proto_bytes gzipped(struct fixture *f, struct proto_bytes plain)
{
	uint8_t *packed = arena_alloc(&f->arena, plain.length + 100);
	z_stream stream = { .next_in = (uint8_t *)(uintptr_t)plain.data, .avail_in = (unsigned)plain.length };
	stream.next_out = packed;
	stream.avail_out = (unsigned)plain.length + 100;
	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	size_t length = stream.total_out;
	deflateEnd(&stream);
	return frame_of(f, packed, length, true);
}

static void compressed_requests_are_read(void **state)
{
	struct fixture *f = *state;
	struct proto_bytes plain = get_task_request(f, "zipped");
	plain.data += GRPC_FRAME_HEADER_SIZE;
	plain.length -= GRPC_FRAME_HEADER_SIZE;
	struct proto_bytes body = gzipped(f, plain);
	struct h2_result result;
	struct h2_request request = {
		.path = ADMIN "GetTask", .encoding = "gzip", .body = body.data, .length = body.length
	};
	h2_client_start(f->client, &request, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, 0);
	assert_string_equal(task_in(f, &result)->id->name, "zipped");
	h2_result_release(&result);
	request.encoding = "snappy";
	h2_client_start(f->client, &request, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, GRPC_UNIMPLEMENTED);
	h2_result_release(&result);
	/* Marked as compressed, but by what? */
	assert_status(f, ADMIN "GetTask", body, GRPC_UNIMPLEMENTED, "grpc-encoding");
}

/* Whether the answer to a call with a name of that length, compressed or not, comes compressed. */
static bool answer_is_compressed(struct fixture *f, size_t length, bool compressed, const char *accepts)
{
	char *name = arena_alloc(&f->arena, length + 1);
	memset(name, 'n', length);
	name[length] = '\0';
	struct proto_bytes body = get_task_request(f, name);
	if (compressed)
		body = gzipped(f, (struct proto_bytes){ .data = body.data + GRPC_FRAME_HEADER_SIZE,
		                                        .length = body.length - GRPC_FRAME_HEADER_SIZE });
	struct h2_request request = { .path = ADMIN "GetTask", .encoding = compressed ? "gzip" : NULL, .accept_encoding = accepts,
		                      .body = body.data, .length = body.length };
	struct h2_result result;
	struct grpc_frame frame;
	h2_client_start(f->client, &request, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, 0);
	assert_int_equal(grpc_frame_read(result.body.data, result.body.length, MESSAGE_MAXIMUM, &frame, NULL), 1);
	assert_int_equal(frame.size, result.body.length);
	h2_result_release(&result);
	return frame.compressed;
}

static void answers_are_compressed_as_requests_are(void **state)
{
	struct fixture *f = *state;
	assert_true(answer_is_compressed(f, 5000, true, "identity,deflate,gzip"));
	assert_false(answer_is_compressed(f, 5000, true, "identity"));
	assert_false(answer_is_compressed(f, 5000, true, NULL));
	assert_false(answer_is_compressed(f, 5000, false, "gzip"));
	assert_false(answer_is_compressed(f, 0, true, "gzip")); /* it would not get smaller */
}

static void deadlines_hold_for_running_and_waiting_calls(void **state)
{
	struct fixture *f = *state;
	struct h2_result running[4], waiting;
	int64_t begun = clock_monotonic_ms();
	for (size_t i = 0; i < ARRAY_LENGTH(running); i++)
		start_call(f, ADMIN "GetVersion", empty_frame, "200m", &running[i]);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 4));
	start_call(f, ADMIN "GetVersion", empty_frame, "100m", &waiting);
	assert_true(h2_client_run(f->client, &waiting));
	assert_int_equal(waiting.grpc_status, GRPC_DEADLINE_EXCEEDED);
	h2_result_release(&waiting);
	for (size_t i = 0; i < ARRAY_LENGTH(running); i++) {
		assert_true(h2_client_run(f->client, &running[i]));
		assert_int_equal(running[i].grpc_status, GRPC_DEADLINE_EXCEEDED);
		h2_result_release(&running[i]);
	}
	assert_true(clock_monotonic_ms() - begun >= 200);
	assert_true(clock_monotonic_ms() - begun < 5000);
	/* What waited in the queue never reaches its handler. */
	fake_service_open(&f->fake, true);
	assert_status(f, ADMIN "GetTask", get_task_request(f, "n"), 0, "");
	pthread_mutex_lock(&f->fake.lock);
	assert_int_equal(f->fake.entered, 4);
	pthread_mutex_unlock(&f->fake.lock);
	struct h2_result result;
	start_call(f, ADMIN "GetTask", get_task_request(f, "n"), "1x", &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, GRPC_INTERNAL);
	h2_result_release(&result);
}

static void a_cancelled_call_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	start_call(f, ADMIN "GetVersion", empty_frame, NULL, &result);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 1));
	h2_client_cancel(f->client, &result);
	fake_service_open(&f->fake, true);
	assert_status(f, ADMIN "GetTask", get_task_request(f, "n"), 0, "");
	h2_result_release(&result);
	/* So is one whose connection ends. */
	fake_service_open(&f->fake, false);
	start_call(f, ADMIN "GetVersion", empty_frame, NULL, &result);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 1));
	f->client = h2_client_close(f->client);
	h2_result_release(&result);
	f->client = h2_client_open(rpc_server_port(f->server));
	fake_service_open(&f->fake, true);
	assert_status(f, ADMIN "GetTask", get_task_request(f, "n"), 0, "");
}

static void an_early_answer_ends_the_request(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	struct h2_request request = { .path = ADMIN "Nope", .body = "\0\0\0\0\1", .length = 5, .endless = true };
	h2_client_start(f->client, &request, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, GRPC_UNIMPLEMENTED);
	assert_int_equal(result.reset, 0); /* NO_ERROR */
	h2_result_release(&result);
	request.path = ADMIN "GetTask";
	request.body = "\0\xff\xff\xff\xff";
	h2_client_start(f->client, &request, &result);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, GRPC_RESOURCE_EXHAUSTED);
	h2_result_release(&result);
}

static int health_of(struct fixture *f, const char *service)
{
	struct h2_result result;
	struct grpc_frame frame;
	Grpc__Health__V1__HealthCheckRequest *request = proto_new(&f->arena, grpc__health__v1__health_check_request);
	request->service = arena_strdup(&f->arena, service);
	call(f, "/grpc.health.v1.Health/Check", framed(f, &request->base), &result);
	int status = -result.grpc_status;
	if (status == 0) {
		assert_int_equal(grpc_frame_read(result.body.data, result.body.length, MESSAGE_MAXIMUM, &frame, NULL),
		                 1);
		status = (int)proto_unpack(&f->arena, grpc__health__v1__health_check_response, frame.payload,
		                           frame.payload_length, NULL)
		                 ->status;
	}
	h2_result_release(&result);
	return status;
}

static void health(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(health_of(f, ""), 1);
	assert_int_equal(health_of(f, "flyteadmin"), 1);
	assert_int_equal(health_of(f, "other"), -GRPC_NOT_FOUND);
	rpc_server_set_serving(f->server, false);
	assert_int_equal(health_of(f, ""), 2);
}

/* Three requests in one body; returns the answers' first files and services as text. */
static void reflect(struct fixture *f, const char *path)
{
	auto_buf struct buf body = BUF_INIT(MESSAGE_MAXIMUM);
	static const char *const requests[] = { "{\"listServices\":\"*\"}",
		                                "{\"fileContainingSymbol\":\"flyteidl.service.AdminService\"}",
		                                "{\"fileByFilename\":\"flyteidl/core/types.proto\"}",
		                                "{\"fileContainingSymbol\":\"grpc.reflection.v1.ServerReflection\"}",
		                                "{\"fileContainingSymbol\":\"no.such\"}" };
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		const ProtobufCMessage *request =
		        &proto_json_parse(&f->arena, grpc__reflection__v1alpha__server_reflection_request, requests[i],
		                          strlen(requests[i]), 0, NULL)
		                 ->base;
		struct proto_bytes frame = framed(f, request);
		(void)buf_add(&body, frame.data, frame.length);
	}
	struct h2_result result;
	call(f, path, (struct proto_bytes){ .data = (const uint8_t *)body.data, .length = body.length }, &result);
	assert_int_equal(result.grpc_status, 0);
	const char *cursor = result.body.data;
	size_t left = result.body.length;
	const Grpc__Reflection__V1alpha__ServerReflectionResponse *answers[ARRAY_LENGTH(requests)];
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		struct grpc_frame frame;
		assert_int_equal(grpc_frame_read(cursor, left, MESSAGE_MAXIMUM, &frame, NULL), 1);
		answers[i] = proto_unpack(&f->arena, grpc__reflection__v1alpha__server_reflection_response,
		                          frame.payload, frame.payload_length, NULL);
		assert_non_null(answers[i]);
		cursor += frame.size;
		left -= frame.size;
	}
	assert_int_equal(left, 0);
	assert_int_equal(answers[0]->list_services_response->n_service, 4);
	assert_string_equal(answers[0]->list_services_response->service[0]->name, "flyteidl.service.AdminService");
	for (size_t i = 1; i < 4; i++)
		assert_true(answers[i]->file_descriptor_response->file_descriptor_proto[0].len > 100);
	assert_int_equal(answers[4]->error_response->error_code, GRPC_NOT_FOUND);
	h2_result_release(&result);
}

static void reflection_answers_in_both_versions(void **state)
{
	reflect(*state, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
	reflect(*state, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
}

/* Nobody needs a request of that size; it must not wait for a window that never opens either. */
static void large_reflection_requests_are_refused(void **state)
{
	struct fixture *f = *state;
	const size_t size = (size_t)800 * 1024;
	uint8_t *bytes = arena_alloc(&f->arena, size);
	struct h2_result result;
	call(f, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", frame_of(f, bytes, size, false), &result);
	assert_int_equal(result.grpc_status, GRPC_RESOURCE_EXHAUSTED);
	h2_result_release(&result);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
	struct fixture *f = *state;
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__object_get_request);
	request->id = proto_new(&f->arena, flyteidl__core__identifier);
	request->id->project = arena_strdup(&f->arena, "a\xffz");
	assert_status(f, "/flyteidl.service.AdminService/GetTask", framed(f, &request->base), GRPC_INVALID_ARGUMENT,
	              "the field \"project\" contains invalid UTF-8");

	/* protobuf-c's strings end at a zero byte: what follows would be lost without a word. */
	request->id->project = arena_strdup(&f->arena, "a!z");
	struct proto_bytes bytes = proto_pack(&f->arena, &request->base);
	uint8_t *raw = arena_copy(&f->arena, bytes.data, bytes.length);
	*(uint8_t *)memchr(raw, '!', bytes.length) = 0;
	assert_status(f, "/flyteidl.service.AdminService/GetTask", frame_of(f, raw, bytes.length, false),
	              GRPC_INVALID_ARGUMENT, "the field \"project\" contains a zero byte");
}

static void stopping_finishes_what_runs(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	start_call(f, ADMIN "GetVersion", empty_frame, NULL, &result);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 1));
	auto_err struct err e = ERR_INIT;
	/* At its deadline it gives up on the handler, and says so … */
	assert_int_equal(rpc_server_stop(f->server, clock_monotonic_ms() + 50, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_false(h2_client_run(f->client, &result));
	assert_true(h2_client_saw_goaway(f->client));
	h2_result_release(&result);
	/* … and a second try ends in order once the handler has returned. */
	fake_service_open(&f->fake, true);
	assert_int_equal(rpc_server_stop(f->server, clock_monotonic_ms() + STOP_MS, &e), 0);
	f->server = NULL;
	assert_int_equal(f->last_code, GRPC_CANCELLED);
}

static void *stop_in_thread(void *argument)
{
	struct fixture *f = argument;
	return rpc_server_stop(f->server, clock_monotonic_ms() + STOP_MS, NULL) < 0 ? f : NULL;
}

static void a_drained_connection_ends_after_its_calls(void **state)
{
	struct fixture *f = *state;
	struct h2_result result;
	start_call(f, ADMIN "GetVersion", empty_frame, NULL, &result);
	h2_client_step(f->client, 0);
	assert_true(fake_service_wait(&f->fake, 1));
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, stop_in_thread, f), 0);
	for (int64_t deadline = clock_monotonic_ms() + STOP_MS; !h2_client_saw_goaway(f->client);) {
		assert_true(clock_monotonic_ms() < deadline);
		h2_client_step(f->client, 100);
	}
	fake_service_open(&f->fake, true);
	assert_true(h2_client_run(f->client, &result));
	assert_int_equal(result.grpc_status, 0);
	for (int64_t deadline = clock_monotonic_ms() + STOP_MS; !h2_client_is_closed(f->client);) {
		assert_true(clock_monotonic_ms() < deadline);
		h2_client_step(f->client, 100);
	}
	f->client = h2_client_close(f->client);
	h2_result_release(&result);
	void *failed;
	pthread_join(thread, &failed);
	assert_null(failed);
	f->server = NULL;
}

static void a_taken_port_is_named(void **state)
{
	struct fixture *f = *state;
	auto_err struct err e = ERR_INIT;
	struct rpc_server *second;
	struct rpc_server_options options = { .address = "127.0.0.1", .port = rpc_server_port(f->server) };
	assert_int_equal(rpc_server_start(&options, &second, &e), -1);
	assert_string_equal(err_id(&e), "port-taken");
	options.address = "localhost.";
	assert_int_equal(rpc_server_start(&options, &second, &e), -1);
	assert_string_equal(err_id(&e), "bad-address");
}

/* --- HTTP/1.1 --- */

/* Whether `exchange` ends its direction after the request. */
static bool half_close;

/* Sends and reads until the server closes; in the arena. */
static const char *exchange(struct fixture *f, const char *request, size_t length)
{
	auto_fd int fd = connect_to(rpc_server_port(f->server));
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf answer = BUF_INIT((size_t)4 * 1024 * 1024);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, request, length, &e), 0);
	if (half_close)
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char room[4096];
		assert_int_equal(poll(&p, 1, 10000), 1);
		ssize_t count = recv(fd, room, sizeof(room), 0);
		if (count <= 0)
			break;
		(void)buf_add(&answer, room, (size_t)count);
	}
	return arena_strdup(&f->arena, buf_text(&answer));
}

/* One request with "Connection: close"; `headers` end in \r\n each. */
static const char *request(struct fixture *f, const char *line, const char *headers, const char *body)
{
	char length[64] = "";
	if (*body)
		(void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	const char *text = arena_printf(&f->arena, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s\r\n%s", line,
	                                headers, length, body);
	return exchange(f, text, strlen(text));
}

static void assert_answer(const char *answer, const char *status, const char *contains)
{
	char wanted[64];
	(void)snprintf(wanted, sizeof(wanted), "HTTP/1.1 %s ", status);
	if (!text_starts_with(answer, wanted) || !strstr(answer, contains))
		fail_msg("expected %s with \"%s\", got: %s", status, contains, answer);
}

#define ASSERT_GET(f, target, status, contains) assert_answer(request((f), "GET " target, "", ""), (status), (contains))

static void rest_reads_paths_and_queries(void **state)
{
	struct fixture *f = *state;
	ASSERT_GET(f, "/api/v1/tasks/p/d/my%2Fname/v1", "200",
	           "\"project\":\"p\",\"domain\":\"d\",\"name\":\"my/name\",\"version\":\"v1\"");
	ASSERT_GET(f, "/api/v1/tasks/p/d/n/v1", "200", "\"closure\":null,\"short_description\":\"h|127.0.0.1\"");
	ASSERT_GET(f, "/api/v1/executions/p/d?limit=10&sort_by.key=created_at&sort_by.direction=ASCENDING", "200",
	           "{\\\"id\\\":{\\\"project\\\":\\\"p\\\",\\\"domain\\\":\\\"d\\\"},\\\"limit\\\":10,\\\"sort_by\\\":{"
	           "\\\"key\\\":"
	           "\\\"created_at\\\",\\\"direction\\\":\\\"ASCENDING\\\"}}");
	ASSERT_GET(f, "/api/v1/executions/p/d?filters=eq(phase,RUNNING)%2Bx+y&unknown=1", "200",
	           "eq(phase,RUNNING)+x y");
	/* What the path says cannot be changed by the query. */
	ASSERT_GET(f, "/api/v1/executions/p/d?id.project=q&sortBy.direction=1", "200", "{\\\"project\\\":\\\"p\\\"");
	ASSERT_GET(f, "/api/v1/executions/p/d?limit=x", "400",
	           "\"code\":3,\"message\":\"query parameter \\\"limit\\\"");
	ASSERT_GET(f, "/api/v1/executions/p/d?sort_by.direction=UP", "400", "flyteidl.admin.Sort.Direction");
	ASSERT_GET(f, "/api/v1/executions/p/d?a=%zz", "400", "malformed query");
}

static void rest_reads_bodies(void **state)
{
	struct fixture *f = *state;
	const char *create = "POST /api/v1/executions";
	assert_answer(request(f, create, "", "{\"project\":\"p\",\"name\":\"n\",\"spec\":{\"launchPlan\":{}}}"), "200",
	              "{\"id\":{\"project\":\"p\",\"domain\":\"\",\"name\":\"n\",\"org\":\"\"}}");
	assert_answer(request(f, create, "", "{\"project\":1}"), "400", "at \\\"project\\\": expected a string");
	assert_answer(request(f, create, "Content-Type: application/octet-stream\r\n", "\x0a\x01p"), "200",
	              "\x0a\x03\x0a\x01p");
	assert_answer(request(f, create, "Content-Type: application/octet-stream\r\nAccept: application/json\r\n",
	                      "\x0a\x01p"),
	              "200", "{\"id\":{\"project\":\"p\"");
	assert_answer(request(f, create, "Accept: application/x-protobuf\r\n", "{\"project\":\"p\"}"), "200",
	              "Content-Type: application/x-protobuf\r\n");
	assert_answer(request(f, create, "Content-Type: application/octet-stream\r\n", "\xff"), "400", "malformed");
	static const char chunked[] =
	        "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
	        "8\r\n{\"name\":\r\n4\r\n\"n\"}\r\n0\r\nTrailer: x\r\n\r\n";
	assert_answer(exchange(f, chunked, sizeof(chunked) - 1), "200", "\"name\":\"n\"");
	static const char expecting[] = "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n"
	                                "Expect: 100-continue\r\n\r\n{}";
	assert_answer(exchange(f, expecting, sizeof(expecting) - 1), "100", "HTTP/1.1 200 OK");
}

static void rest_maps_errors(void **state)
{
	struct fixture *f = *state;
	ASSERT_GET(f, "/api/v1/projects/x", "404", "{\"code\":5,\"message\":\"\\n%");
	ASSERT_GET(f, "/api/v1/projects/x", "404",
	           "\"details\":[{\"@type\":\"type.googleapis.com/flyteidl.admin.InactiveProject\",\"id\":\"x\",");
	ASSERT_GET(f, "/api/v1/projects", "501", "{\"code\":12,\"message\":\"unknown method");
	ASSERT_GET(f, "/api/v1/nope", "404", "\"code\":5");
	assert_answer(request(f, "DELETE /api/v1/executions", "", ""), "405", "\"details\":[]");
	assert_answer(request(f, "POST " ADMIN "GetTask", "Content-Type: application/grpc\r\n", "x"), "415",
	              "needs HTTP/2");
}

/* code 5, then the message with its length, in a google.rpc.Status. */
static void errors_are_binary_where_results_would_be(void **state)
{
	struct fixture *f = *state;
	const char *binary = "Accept: application/octet-stream\r\n";
	const char *answer = request(f, "GET /api/v1/projects/x", binary, "");
	assert_answer(answer, "404", "Content-Type: application/octet-stream\r\n");
	assert_answer(answer, "404", "\r\n\r\n\x08\x05\x12");
	assert_answer(answer, "404", "type.googleapis.com/flyteidl.admin.InactiveProject");
	assert_answer(request(f, "GET /api/v1/nope", binary, ""), "404", "\x08\x05\x12\x0cno such path");
	assert_answer(request(f, "POST /api/v1/executions", "Content-Type: application/x-protobuf\r\n", "\xff"), "400",
	              "Content-Type: application/x-protobuf\r\n");
	/* What is no API has no such form, and JSON stays JSON. */
	assert_answer(request(f, "GET /console/assets/none.js", binary, ""), "404", "{\"code\":5");
	assert_answer(request(f, "GET /api/v1/nope", "Accept: application/json\r\n", ""), "404", "{\"code\":5");
}

static void pages_of_other_sites_change_nothing(void **state)
{
	struct fixture *f = *state;
	assert_answer(request(f, "POST /api/v1/executions", "Sec-Fetch-Site: cross-site\r\n", "{}"), "403",
	              "\"code\":7");
	assert_answer(request(f, "POST /api/v1/executions", "Sec-Fetch-Site: same-origin\r\n", "{}"), "200", "");
	assert_answer(request(f, "GET /api/v1/tasks/p/d/n/v", "Sec-Fetch-Site: cross-site\r\n", ""), "200", "");
}

static void fixed_paths(void **state)
{
	struct fixture *f = *state;
	ASSERT_GET(f, "/healthcheck", "200", "ok");
	ASSERT_GET(f, "/", "302", "Location: /console/\r\n");
	ASSERT_GET(f, "/console", "302", "Location: /console/\r\n");
	ASSERT_GET(f, "/me", "200", "\r\n\r\n{}");
	ASSERT_GET(f, "/api/v1/openapi", "200", "\r\n\r\n{\"swagger\":\"2.0\"");
	rpc_server_set_serving(f->server, false);
	ASSERT_GET(f, "/healthcheck", "503", "not serving");
}

static void console_files(void **state)
{
	struct fixture *f = *state;
	ASSERT_GET(f, "/console/", "200", "<html>index</html>");
	ASSERT_GET(f, "/console/", "200", "Cache-Control: no-cache\r\n");
	ASSERT_GET(f, "/console/projects/p/my.workflow", "200", "<html>index</html>");
	ASSERT_GET(f, "/console/assets/a.js", "200", "Content-Type: text/javascript; charset=utf-8\r\n");
	ASSERT_GET(f, "/console/assets/a.js", "200", "immutable");
	ASSERT_GET(f, "/console/assets/none.js", "404", "no such file");
	ASSERT_GET(f, "/console/assets", "200", "<html>index</html>");
	assert_null(strstr(request(f, "HEAD /console/assets/a.js", "", ""), "let a;"));
	const char *answer = request(f, "GET /console/assets/a.js", "", "");
	const char *etag = strstr(answer, "ETag: ");
	assert_non_null(etag);
	const char *header = arena_printf(&f->arena, "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"), etag + 6);
	answer = request(f, "GET /console/assets/a.js", header, "");
	assert_answer(answer, "304", "ETag: ");
	assert_null(strstr(answer, "let a;"));
}

static void console_files_stay_in_their_directory(void **state)
{
	struct fixture *f = *state;
	static const char *const targets[] = { "/console/../secret",     "/console/..%2fsecret",
		                               "/console/%2e%2e/secret", "/console/assets/../../secret",
		                               "/console/..%5csecret",   "/console//../secret",
		                               "/console/.hidden",       "/console/assets/%00" };
	for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
		const char *line = arena_printf(&f->arena, "GET %s", targets[i]);
		assert_answer(request(f, line, "", ""), "404", "no such file");
	}
}

static void http1_is_kept_in_bounds(void **state)
{
	struct fixture *f = *state;
	char *big = arena_alloc(&f->arena, 2 * MESSAGE_MAXIMUM);
	memset(big, 'x', 2 * MESSAGE_MAXIMUM - 1);
	const char *text = arena_printf(&f->arena, "GET /%.17000s HTTP/1.1\r\n\r\n", big);
	assert_answer(exchange(f, text, strlen(text)), "414", "too long");
	text = arena_printf(&f->arena, "GET /me HTTP/1.1\r\nX: %.70000s\r\n\r\n", big);
	assert_answer(exchange(f, text, strlen(text)), "431", "too large");
	text = arena_printf(&f->arena, "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n");
	assert_answer(exchange(f, text, strlen(text)), "413", "larger than the maximum");
	text = arena_printf(
	        &f->arena, "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n120000\r\n%.1100000s",
	        big);
	assert_answer(exchange(f, text, strlen(text)), "413", "larger than the maximum");
	static const char *const bad[] = {
		"GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"POST /me HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
	};
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_answer(exchange(f, bad[i], strlen(bad[i])), "400", "\"code\":3");
}

static void a_client_may_end_its_direction_first(void **state)
{
	struct fixture *f = *state;
	half_close = true;
	static const char text[] =
	        "GET /api/v1/tasks/p/d/one/v HTTP/1.1\r\nHost: h\r\n\r\nGET /api/v1/tasks/p/d/two/v HTTP/1.1\r\nHost: h\r\n\r\nGET /ha";
	const char *answer = exchange(f, text, sizeof(text) - 1);
	half_close = false;
	assert_non_null(strstr(answer, "\"one\""));
	assert_non_null(strstr(answer, "\"two\""));
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "GET /api/v1/tasks/p/d/first/v HTTP/1.1\r\nHost: h\r\n\r\nGET /me HTTP/1.1\r\nHost: h\r\n\r\n"
	                           "POST /api/v1/executions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
	                           "GET /api/v1/tasks/p/d/last/v HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	const char *answer = exchange(f, text, sizeof(text) - 1);
	const char *first = strstr(answer, "first"), *me = strstr(answer, "\r\n\r\n{}HTTP"),
	           *last = strstr(answer, "last");
	assert_true(first && me && last && first < me && me < last);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_unary_call_is_answered),
		TEST(streams_run_in_parallel),
		TEST(large_messages_pass_up_to_the_maximum),
		TEST(errors_fit_into_trailers),
		TEST(unknown_methods_and_broken_requests),
		TEST(compressed_requests_are_read),
		TEST(answers_are_compressed_as_requests_are),
		TEST(deadlines_hold_for_running_and_waiting_calls),
		TEST(a_cancelled_call_is_dropped),
		TEST(an_early_answer_ends_the_request),
		TEST(health),
		TEST(reflection_answers_in_both_versions),
		TEST(large_reflection_requests_are_refused),
		TEST(text_that_is_not_utf8_is_refused),
		TEST(stopping_finishes_what_runs),
		TEST(a_drained_connection_ends_after_its_calls),
		TEST(a_taken_port_is_named),
		TEST(rest_reads_paths_and_queries),
		TEST(rest_reads_bodies),
		TEST(rest_maps_errors),
		TEST(errors_are_binary_where_results_would_be),
		TEST(pages_of_other_sites_change_nothing),
		TEST(fixed_paths),
		TEST(console_files),
		TEST(console_files_stay_in_their_directory),
		TEST(http1_is_kept_in_bounds),
		TEST(a_client_may_end_its_direction_first),
		TEST(pipelined_requests_are_answered_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
