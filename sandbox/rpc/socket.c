#include "rpc/socket.h"

#include "base/clock.h"
#include "base/metrics.h"

#define LINGER_MS 2000
#define KEEPALIVE_SECONDS 60

struct rpc_socket {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	uv_shutdown_t shutdown;
	struct rpc_sockets *sockets;
	struct rpc_connection connection;
	struct buf out;                                   /* being written */
	bool writing, reading, ended, lingering, closing; /* `ended`: the client's direction */
	int64_t write_deadline_ms, linger_deadline_ms;
	int64_t active_ms; /* when the client last sent something */
	unsigned open_handles;
	char peer[64];
	struct rpc_socket *previous, *next;
};

METRIC_COUNTER(connections_total, "sandbox_rpc_connections_total", "Connections accepted.");
METRIC_GAUGE(connections_open, "sandbox_rpc_open_connections", "Connections open at present.");
METRIC_COUNTER(connections_refused, "sandbox_rpc_connections_refused_total", "Connections closed at once: all others were busy.");
METRIC_COUNTER(connections_evicted, "sandbox_rpc_connections_evicted_total", "Idle connections closed to make room.");
METRIC_COUNTER(bytes_received, "sandbox_rpc_received_bytes_total", "Bytes read from clients.");
METRIC_COUNTER(bytes_sent, "sandbox_rpc_sent_bytes_total", "Bytes written to clients.");

static void flush(struct rpc_socket *s);

static void on_handle_closed(uv_handle_t *handle)
{
	struct rpc_socket *s = handle->data;
	struct rpc_sockets *sockets = s->sockets;
	if (--s->open_handles > 0)
		return;
	*(s->previous ? &s->previous->next : &sockets->first) = s->next;
	if (s->next)
		s->next->previous = s->previous;
	buf_release(&s->out);
	free(s);
	if (--sockets->count == 0)
		sockets->on_empty(sockets->context);
}

static void close_socket(struct rpc_socket *s)
{
	if (s->closing)
		return;
	s->closing = true;
	s->sockets->open--;
	metric_add(&connections_open, -1);
	rpc_connection_release(&s->connection);
	uv_close((uv_handle_t *)&s->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}

static void on_timer(uv_timer_t *timer)
{
	struct rpc_socket *s = timer->data;
	int64_t now = clock_monotonic_ms();
	if ((s->writing && now >= s->write_deadline_ms) || (s->lingering && now >= s->linger_deadline_ms)) {
		close_socket(s);
		return;
	}
	if (!s->lingering)
		rpc_connection_tick(&s->connection, now);
	flush(s);
}

static void set_timer(struct rpc_socket *s)
{
	int64_t deadline = s->lingering ? s->linger_deadline_ms : rpc_connection_deadline(&s->connection);
	if (s->writing && s->write_deadline_ms < deadline)
		deadline = s->write_deadline_ms;
	if (deadline == CLOCK_NEVER) {
		uv_timer_stop(&s->timer);
		return;
	}
	int64_t now = clock_monotonic_ms();
	/* Never at once: libuv would run it again before it looks at the socket, for ever if only the socket can help. */
	uv_timer_start(&s->timer, on_timer, deadline > now ? (uint64_t)(deadline - now) : 1, 0);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)suggested;
	struct rpc_socket *s = handle->data;
	*buffer = uv_buf_init(s->sockets->read_buffer, sizeof(s->sockets->read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct rpc_socket *s = stream->data;
	bool ended = count == UV_EOF && !s->lingering;
	if (count < 0 && !ended) {
		close_socket(s);
		return;
	}
	if (ended) {
		s->ended = true;
		rpc_connection_end_of_input(&s->connection);
	}
	if (count > 0) {
		s->active_ms = clock_monotonic_ms();
		metric_add(&bytes_received, count);
	}
	if (!s->lingering && count > 0)
		rpc_connection_input(&s->connection, (const uint8_t *)buffer->base, (size_t)count);
	flush(s);
}

static void set_reading(struct rpc_socket *s)
{
	bool wanted = s->lingering || (!s->ended && rpc_connection_wants_input(&s->connection));
	if (wanted == s->reading)
		return;
	s->reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&s->tcp);
	else if (uv_read_start((uv_stream_t *)&s->tcp, on_allocate, on_read) != 0)
		close_socket(s);
}

static void on_written(uv_write_t *write, int status)
{
	struct rpc_socket *s = write->data;
	s->writing = false;
	if (s->closing)
		return;
	if (status < 0)
		close_socket(s);
	else
		flush(s);
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
	struct rpc_socket *s = shutdown->data;
	if (status < 0 && !s->closing)
		close_socket(s);
}

/* Ends our direction and reads the client's rest for a moment: closing with unread input would reset what was sent. */
static void begin_linger(struct rpc_socket *s)
{
	s->lingering = true;
	rpc_connection_release(&s->connection);
	s->linger_deadline_ms = clock_monotonic_ms() + LINGER_MS;
	s->shutdown.data = s;
	if (uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shutdown) != 0)
		close_socket(s);
}

static void start_write(struct rpc_socket *s)
{
	uv_buf_t piece = uv_buf_init(s->out.data, (unsigned)s->out.length);
	s->write.data = s;
	s->writing = true;
	metric_add(&bytes_sent, (int64_t)s->out.length);
	s->write_deadline_ms = clock_monotonic_ms() + rpc_limits_stall_ms(&s->sockets->router->limits, &s->sockets->router->memory);
	if (uv_write(&s->write, (uv_stream_t *)&s->tcp, &piece, 1, on_written) != 0) {
		s->writing = false;
		close_socket(s);
	}
}

/* After anything happened: sends, ends, and adjusts what is waited for. */
static void flush(struct rpc_socket *s)
{
	if (!s->closing && !s->writing && !s->lingering) {
		buf_clear(&s->out);
		rpc_connection_output(&s->connection, &s->out);
		if (s->out.length)
			start_write(s);
		else if (rpc_connection_is_over(&s->connection) && s->ended)
			close_socket(s);
		else if (rpc_connection_is_over(&s->connection))
			begin_linger(s);
		else if (s->ended && rpc_connection_wants_input(&s->connection))
			close_socket(s); /* everything asked for is answered */
	}
	if (!s->closing)
		set_reading(s);
	if (!s->closing)
		set_timer(s);
}

static void on_wake(void *owner)
{
	flush(owner);
}

static void name_peer(const uv_tcp_t *tcp, char *text, size_t size)
{
	struct sockaddr_storage address;
	int length = sizeof(address);
	text[0] = '\0';
	if (uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &length) != 0)
		return;
	if (address.ss_family == AF_INET6)
		uv_ip6_name((const struct sockaddr_in6 *)&address, text, size);
	else
		uv_ip4_name((const struct sockaddr_in *)&address, text, size);
}

/* Closes the connection that has been idle for longest, if that is long enough. */
static void evict(struct rpc_sockets *sockets)
{
	struct rpc_socket *oldest = NULL;
	for (struct rpc_socket *s = sockets->first; s; s = s->next)
		if (!s->closing && !s->writing && rpc_connection_is_idle(&s->connection) &&
		    (!oldest || s->active_ms <= oldest->active_ms))
			oldest = s;
	if (oldest && clock_monotonic_ms() - oldest->active_ms >= sockets->router->limits.evict_ms) {
		metric_add(&connections_evicted, 1);
		close_socket(oldest);
	}
}

void rpc_sockets_accept(struct rpc_sockets *sockets, uv_stream_t *listener)
{
	struct rpc_socket *s = xcalloc(1, sizeof(*s));
	s->sockets = sockets;
	s->tcp.data = s;
	s->timer.data = s;
	buf_init(&s->out, 4 * RPC_OUTPUT_PIECE);
	uv_timer_init(listener->loop, &s->timer);
	uv_tcp_init(listener->loop, &s->tcp);
	s->open_handles = 2;
	s->active_ms = clock_monotonic_ms();
	s->next = sockets->first;
	if (s->next)
		s->next->previous = s;
	sockets->first = s;
	sockets->count++;
	bool accepted = uv_accept(listener, (uv_stream_t *)&s->tcp) == 0;
	if (accepted)
		name_peer(&s->tcp, s->peer, sizeof(s->peer));
	rpc_connection_init(&s->connection, sockets->router, s->peer, on_wake, s);
	if (sockets->open >= sockets->router->limits.connection_maximum)
		evict(sockets);
	bool room = sockets->open < sockets->router->limits.connection_maximum;
	sockets->open++;
	metric_add(&connections_open, 1);
	metric_add(&connections_total, 1);
	if (!accepted || !room) {
		metric_add(&connections_refused, 1);
		close_socket(s);
		return;
	}
	uv_tcp_nodelay(&s->tcp, 1);
	uv_tcp_keepalive(&s->tcp, 1, KEEPALIVE_SECONDS);
	flush(s);
}

void rpc_sockets_dump(const struct rpc_sockets *sockets, struct buf *out)
{
	const int64_t now_ms = clock_monotonic_ms();
	for (const struct rpc_socket *s = sockets->first; s; s = s->next) {
		if (s->closing)
			continue;
		const struct rpc_connection *c = &s->connection;
		const char *protocol = c->protocol == &rpc_http2_protocol   ? "h2"
		                       : c->protocol == &rpc_http1_protocol ? "http/1.1"
		                                                            : "none yet";
		const char *state = s->lingering ? "ending" : s->writing ? "writing" : rpc_connection_is_idle(c) ? "idle" : "busy";
		(void)buf_add_format(out, "peer=%s protocol=\"%s\" state=%s silent_ms=%lld\n", s->peer, protocol, state,
		                     (long long)(now_ms - s->active_ms));
	}
}

void rpc_sockets_drain(struct rpc_sockets *sockets)
{
	for (struct rpc_socket *s = sockets->first, *next; s; s = next) {
		next = s->next;
		if (s->closing)
			continue;
		rpc_connection_drain(&s->connection);
		flush(s);
	}
}

void rpc_sockets_close(struct rpc_sockets *sockets)
{
	for (struct rpc_socket *s = sockets->first; s; s = s->next)
		close_socket(s);
}
