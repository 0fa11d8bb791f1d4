#include "raw_fixture.h"

#include "h2_client.h"

#include "base/clock.h"
#include "base/text.h"
#include "rpc/grpc.h"

#include <flyteidl/service/admin.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

void start(struct fixture *f, struct rpc_limits limits)
{
	auto_err struct err e = ERR_INIT;
	f->service = fake_service(&f->fake);
	struct rpc_server_options options = { .address = "127.0.0.1", .workers = 4, .services = &f->service, .service_count = 1,
		                              .limits = limits };
	if (rpc_server_start(&options, &f->server, &e) < 0)
		fail_msg("%s", err_message(&e));
	raw_open(&f->raw, rpc_server_port(f->server), true);
}

int fixture_set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	f->fake = (struct fake_service)FAKE_SERVICE_INIT;
	f->arena = (struct arena)ARENA_INIT((size_t)256 * 1024 * 1024);
	*state = f;
	return 0;
}

int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	auto_err struct err e = ERR_INIT;
	fake_service_open(&f->fake, true);
	raw_close(&f->raw);
	if (f->server && rpc_server_stop(f->server, clock_monotonic_ms() + 10000, &e) < 0)
		fail_msg("%s", err_message(&e));
	arena_release(&f->arena);
	free(f);
	return 0;
}

struct proto_bytes get_task(struct fixture *f, size_t length)
{
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&f->arena, flyteidl__admin__object_get_request);
	char *name = arena_alloc(&f->arena, length + 1);
	memset(name, 'n', length);
	name[length] = '\0';
	request->id = proto_new(&f->arena, flyteidl__core__identifier);
	request->id->name = name;
	size_t size = protobuf_c_message_get_packed_size(&request->base);
	uint8_t *bytes = arena_alloc(&f->arena, GRPC_FRAME_HEADER_SIZE + size);
	grpc_frame_write_header(bytes, size);
	protobuf_c_message_pack(&request->base, bytes + GRPC_FRAME_HEADER_SIZE);
	return (struct proto_bytes){ .data = bytes, .length = GRPC_FRAME_HEADER_SIZE + size };
}

void assert_served(struct fixture *f, size_t length, int status)
{
	struct h2_client *client = h2_client_open(rpc_server_port(f->server));
	struct proto_bytes body = get_task(f, length);
	struct h2_request request = { .path = ADMIN "GetTask", .body = body.data, .length = body.length };
	struct h2_result result;
	h2_client_start(client, &request, &result);
	assert_true(h2_client_run(client, &result));
	assert_int_equal(result.grpc_status, status);
	h2_result_release(&result);
	h2_client_close(client);
}
