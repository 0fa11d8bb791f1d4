#include "h2_client.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define DEADLINE_MS 10000
#define BODY_MAXIMUM ((size_t)64 * 1024 * 1024)

struct call {
	struct h2_result *result;
	struct buf body;
	size_t sent;
	bool endless;
	struct call *next;
};

struct h2_client {
	int fd;
	nghttp2_session *session;
	struct call *calls;
	bool goaway, closed;
	struct buf out;
};

int connect_to(uint16_t port)
{
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return steal_fd(&fd);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
	(void)flags;
	(void)context;
	(void)name_length;
	const struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	struct h2_result *result = call->result;
	const char *header = (const char *)name;
	char number[16] = "";
	(void)snprintf(number, sizeof(number), "%.*s", (int)value_length, (const char *)value);
	if (strcmp(header, ":status") == 0)
		result->http_status = (int)strtol(number, NULL, 10);
	if (strcmp(header, "grpc-status") == 0) {
		result->grpc_status = (int)strtol(number, NULL, 10);
		result->trailers_only = frame->headers.cat == NGHTTP2_HCAT_RESPONSE;
	}
	if (strcmp(header, "grpc-message") == 0)
		(void)buf_add(&result->message, value, value_length);
	if (strcmp(header, "grpc-status-details-bin") == 0)
		(void)buf_add(&result->details, value, value_length);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t length,
                   void *context)
{
	(void)flags;
	(void)context;
	const struct call *call = nghttp2_session_get_stream_user_data(session, stream);
	return buf_add(&call->result->body, bytes, length) < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error_code, void *context)
{
	(void)context;
	const struct call *call = nghttp2_session_get_stream_user_data(session, stream);
	call->result->closed = true;
	call->result->reset = error_code;
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
	(void)session;
	struct h2_client *client = context;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		client->goaway = true;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *room, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
	(void)session;
	(void)stream;
	(void)context;
	struct call *call = source->ptr;
	size_t left = call->body.length - call->sent, length = left < size ? left : size;
	if (length)
		memcpy(room, call->body.data + call->sent, length);
	call->sent += length;
	if (length == left && !call->endless)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return length == 0 && call->endless ? NGHTTP2_ERR_DEFERRED : (ssize_t)length;
}

struct h2_client *h2_client_open(uint16_t port)
{
	struct h2_client *client = xcalloc(1, sizeof(*client));
	nghttp2_session_callbacks *callbacks;
	client->fd = connect_to(port);
	buf_init(&client->out, BODY_MAXIMUM);
	if (client->fd < 0 || nghttp2_session_callbacks_new(&callbacks) != 0)
		abort();
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	if (nghttp2_session_client_new(&client->session, callbacks, client) != 0 ||
	    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0) != 0)
		abort();
	nghttp2_session_callbacks_del(callbacks);
	return client;
}

struct h2_client *h2_client_close(struct h2_client *client)
{
	nghttp2_session_del(client->session);
	for (struct call *call = client->calls, *next; call; call = next) {
		next = call->next;
		buf_release(&call->body);
		free(call);
	}
	buf_release(&client->out);
	cleanup_fd(&client->fd);
	free(client);
	return NULL;
}

static void add_header(nghttp2_nv *headers, size_t *count, const char *name, const char *value)
{
	if (value)
		headers[(*count)++] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
			                            .value = (uint8_t *)(uintptr_t)value,
			                            .namelen = strlen(name),
			                            .valuelen = strlen(value) };
}

void h2_client_start(struct h2_client *client, const struct h2_request *request, struct h2_result *ret_result)
{
	struct call *call = xcalloc(1, sizeof(*call));
	*ret_result = (struct h2_result){ .grpc_status = -1 };
	buf_init(&ret_result->body, BODY_MAXIMUM);
	buf_init(&ret_result->message, BODY_MAXIMUM);
	buf_init(&ret_result->details, BODY_MAXIMUM);
	call->result = ret_result;
	call->endless = request->endless;
	buf_init(&call->body, BODY_MAXIMUM);
	(void)buf_add(&call->body, request->body, request->length);
	call->next = client->calls;
	client->calls = call;
	nghttp2_nv headers[11];
	size_t count = 0;
	add_header(headers, &count, ":method", "POST");
	add_header(headers, &count, ":scheme", "http");
	add_header(headers, &count, ":path", request->path);
	add_header(headers, &count, ":authority", "test");
	add_header(headers, &count, "te", "trailers");
	add_header(headers, &count, "content-type", request->content_type ? request->content_type : "application/grpc");
	add_header(headers, &count, "grpc-timeout", request->timeout);
	add_header(headers, &count, "grpc-encoding", request->encoding);
	add_header(headers, &count, "grpc-accept-encoding", request->accept_encoding);
	nghttp2_data_provider provider = { .source.ptr = call, .read_callback = read_body };
	ret_result->stream = nghttp2_submit_request(client->session, NULL, headers, count, &provider, call);
	if (ret_result->stream < 0)
		abort();
}

void h2_client_cancel(struct h2_client *client, const struct h2_result *result)
{
	nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, result->stream, NGHTTP2_CANCEL);
	h2_client_step(client, 0);
}

static void send_pending(struct h2_client *client)
{
	for (;;) {
		const uint8_t *bytes;
		ssize_t length = client->out.length < 65536 ? nghttp2_session_mem_send(client->session, &bytes) : 0;
		if (length > 0 && buf_add(&client->out, bytes, (size_t)length) < 0)
			abort();
		if (length > 0)
			continue;
		if (!client->out.length)
			return;
		ssize_t sent = send(client->fd, client->out.data, client->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		buf_consume(&client->out, (size_t)sent);
	}
}

static void receive(struct h2_client *client)
{
	uint8_t room[65536];
	ssize_t length = recv(client->fd, room, sizeof(room), MSG_DONTWAIT);
	if (length > 0 && nghttp2_session_mem_recv(client->session, room, (size_t)length) < 0)
		client->closed = true;
	if (length == 0)
		client->closed = true;
}

void h2_client_step(struct h2_client *client, int wait_ms)
{
	send_pending(client);
	struct pollfd p = { .fd = client->fd, .events = POLLIN };
	if (client->out.length)
		p.events |= POLLOUT;
	if (poll(&p, 1, wait_ms) > 0)
		receive(client);
	send_pending(client);
}

bool h2_client_run(struct h2_client *client, const struct h2_result *result)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (!result->closed && !client->closed && clock_monotonic_ms() < deadline)
		h2_client_step(client, clock_poll_timeout(deadline));
	return result->closed;
}

bool h2_client_saw_goaway(const struct h2_client *client)
{
	return client->goaway;
}

bool h2_client_is_closed(const struct h2_client *client)
{
	return client->closed;
}

void h2_result_release(struct h2_result *result)
{
	buf_release(&result->body);
	buf_release(&result->message);
	buf_release(&result->details);
}
