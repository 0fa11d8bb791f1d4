#include "rpc/server.h"

#include "base/clock.h"
#include "rpc/router.h"
#include "rpc/socket.h"
#include "rpc/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define DEFAULT_WORKERS 8
#define BACKLOG 511
#define DUMP_MS 2000
/* What rpc_server_stop grants the threads to end after everything was cut off. */
#define JOIN_GRACE_MS 1000

struct rpc_server {
	struct rpc_router router;
	struct rpc_workers *workers;
	uv_loop_t loop;
	uv_tcp_t listener;
	uv_async_t wake; /* results of workers, or a request to stop */
	uv_timer_t stop_timer;
	pthread_t thread;
	struct rpc_sockets sockets;
	size_t outstanding; /* submitted and not finished; loop thread only */
	bool stopping, ended;
	uint16_t port;
	pthread_mutex_t lock; /* of the following */
	struct buf *dump; /* where to write what is under way; NULL: nobody asks */
	pthread_cond_t dumped;
	struct rpc_exchange *done;
	struct rpc_exchange **done_last;
	bool stop_wanted;
	int64_t stop_deadline_ms;
};

/* On a worker's thread. */
static void on_done(void *context, struct rpc_exchange *x)
{
	struct rpc_server *server = context;
	pthread_mutex_lock(&server->lock);
	x->next = NULL;
	*server->done_last = x;
	server->done_last = &x->next;
	pthread_mutex_unlock(&server->lock);
	uv_async_send(&server->wake);
}

static int submit(void *executor, struct rpc_exchange *x)
{
	struct rpc_server *server = executor;
	if (rpc_workers_submit(server->workers, x) < 0)
		return -1;
	server->outstanding++;
	return 0;
}

static bool withdraw(void *executor, struct rpc_exchange *x)
{
	struct rpc_server *server = executor;
	if (!rpc_workers_withdraw(server->workers, x))
		return false;
	server->outstanding--;
	return true;
}

/* Lets the loop end once nothing is left that could need it. */
static void end_when_idle(void *context)
{
	struct rpc_server *server = context;
	if (!server->stopping || server->ended || server->outstanding || server->sockets.count)
		return;
	server->ended = true;
	uv_close((uv_handle_t *)&server->wake, NULL);
	uv_close((uv_handle_t *)&server->stop_timer, NULL);
}

static void finish_done(struct rpc_server *server)
{
	pthread_mutex_lock(&server->lock);
	struct rpc_exchange *x = server->done;
	server->done = NULL;
	server->done_last = &server->done;
	pthread_mutex_unlock(&server->lock);
	while (x) {
		struct rpc_exchange *next = x->next;
		server->outstanding--;
		rpc_exchange_finish(x);
		x = next;
	}
}

static void on_stop_deadline(uv_timer_t *timer)
{
	struct rpc_server *server = timer->data;
	rpc_sockets_close(&server->sockets);
}

static void begin_stop(struct rpc_server *server, int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_monotonic_ms();
	server->stopping = true;
	atomic_store(&server->router.draining, true);
	uv_close((uv_handle_t *)&server->listener, NULL);
	rpc_sockets_drain(&server->sockets);
	if (deadline_ms != CLOCK_NEVER)
		uv_timer_start(&server->stop_timer, on_stop_deadline, left > 0 ? (uint64_t)left : 0, 0);
}

static void on_wake(uv_async_t *async)
{
	struct rpc_server *server = async->data;
	finish_done(server);
	pthread_mutex_lock(&server->lock);
	if (server->dump) {
		rpc_sockets_dump(&server->sockets, server->dump);
		server->dump = NULL;
		pthread_cond_broadcast(&server->dumped);
	}
	bool stop_wanted = server->stop_wanted;
	int64_t deadline_ms = server->stop_deadline_ms;
	pthread_mutex_unlock(&server->lock);
	if (stop_wanted && !server->stopping)
		begin_stop(server, deadline_ms);
	end_when_idle(server);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct rpc_server *server = listener->data;
	if (status == 0)
		rpc_sockets_accept(&server->sockets, listener);
}

static void *run_loop(void *argument)
{
	struct rpc_server *server = argument;
	/* Signals are the program's business; a worker or the loop never takes one. */
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	return NULL;
}

static int listen_on(struct rpc_server *server, const char *address, uint16_t port, struct err *e)
{
	struct sockaddr_storage to;
	if (uv_ip4_addr(address, port, (struct sockaddr_in *)&to) != 0 &&
	    uv_ip6_addr(address, port, (struct sockaddr_in6 *)&to) != 0)
		return err_set(e, ERR_INVALID, "bad-address", "\"%s\" is no numeric IP address", address);
	int status = uv_tcp_bind(&server->listener, (const struct sockaddr *)&to, 0);
	if (status == 0)
		status = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
	int length = sizeof(to);
	if (status == 0)
		status = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&to, &length);
	if (status == UV_EADDRINUSE)
		return err_set(e, ERR_CONFLICT, "port-taken", "port %u of %s is taken", port, address);
	if (status == UV_EACCES)
		return err_set(e, ERR_PERMISSION, NULL, "no permission to listen on port %u of %s", port, address);
	if (status != 0)
		return err_set(e, ERR_INTERNAL, NULL, "cannot listen on port %u of %s: %s", port, address,
		               uv_strerror(status));
	server->port = ntohs(to.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&to)->sin6_port
	                                              : ((struct sockaddr_in *)&to)->sin_port);
	return 0;
}

static void init_handles(struct rpc_server *server)
{
	uv_loop_init(&server->loop);
	uv_tcp_init(&server->loop, &server->listener);
	uv_async_init(&server->loop, &server->wake, on_wake);
	uv_timer_init(&server->loop, &server->stop_timer);
	server->listener.data = server;
	server->wake.data = server;
	server->stop_timer.data = server;
}

/* Of a server whose threads do not run (any more) and whose handles are closed. */
static void server_free(struct rpc_server *server)
{
	server->workers = rpc_workers_stop(server->workers);
	(void)uv_loop_close(&server->loop);
	rpc_router_release(&server->router);
	pthread_cond_destroy(&server->dumped);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

static int start_threads(struct rpc_server *server, const struct rpc_server_options *options, struct err *e)
{
	/* Threads inherit the mask of their creator. */
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int status = rpc_workers_start(options->workers ? options->workers : DEFAULT_WORKERS,
	                               server->router.limits.queue_maximum, on_done, server,
	                               &server->workers, e);
	if (status == 0) {
		int problem = pthread_create(&server->thread, NULL, run_loop, server);
		if (problem)
			status = err_set_errno(e, problem, NULL, "cannot start the server's thread");
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return status;
}

int rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret_server, struct err *e)
{
	struct rpc_server *server = xcalloc(1, sizeof(*server));
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&server->dumped, &attributes);
	pthread_condattr_destroy(&attributes);
	server->done_last = &server->done;
	server->sockets.router = &server->router;
	server->sockets.on_empty = end_when_idle;
	server->sockets.context = server;
	init_handles(server);
	if (rpc_router_init(&server->router, options, e) == 0 &&
	    listen_on(server, options->address ? options->address : "0.0.0.0", options->port, e) == 0) {
		server->router.submit = submit;
		server->router.withdraw = withdraw;
		server->router.executor = server;
		if (start_threads(server, options, e) == 0) {
			*ret_server = server;
			return 0;
		}
	}
	uv_close((uv_handle_t *)&server->listener, NULL);
	uv_close((uv_handle_t *)&server->wake, NULL);
	uv_close((uv_handle_t *)&server->stop_timer, NULL);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	server_free(server);
	return -1;
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
	return server->port;
}

void rpc_server_set_serving(struct rpc_server *server, bool serving)
{
	atomic_store(&server->router.serving, serving);
}

int rpc_server_dump(struct rpc_server *server, struct buf *out, struct err *e)
{
	const int64_t deadline_ms = clock_monotonic_ms() + DUMP_MS;
	const struct timespec until = { .tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000 };
	int waited = 0;
	pthread_mutex_lock(&server->lock);
	bool ours = !server->dump;
	if (ours)
		server->dump = out;
	uv_async_send(&server->wake);
	while (ours && server->dump && waited == 0)
		waited = pthread_cond_timedwait(&server->dumped, &server->lock, &until);
	if (ours)
		server->dump = NULL;
	pthread_mutex_unlock(&server->lock);
	if (!ours)
		return err_set(e, ERR_UNAVAILABLE, "dump-busy", "somebody else is asking for the connections, try again");
	return waited ? err_set(e, ERR_TIMEOUT, "dump-timeout", "the event loop did not answer in time") : 0;
}

/* Waits for the loop's thread until the deadline; an error number of pthread_clockjoin_np. */
static int join_loop(struct rpc_server *server, int64_t deadline_ms)
{
	if (deadline_ms == CLOCK_NEVER)
		return pthread_join(server->thread, NULL);
	int64_t until = deadline_ms + JOIN_GRACE_MS;
	struct timespec time = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	return pthread_clockjoin_np(server->thread, NULL, CLOCK_MONOTONIC, &time);
}

int rpc_server_stop(struct rpc_server *server, int64_t deadline_ms, struct err *e)
{
	if (!server)
		return 0;
	pthread_mutex_lock(&server->lock);
	server->stop_wanted = true;
	server->stop_deadline_ms = deadline_ms;
	pthread_mutex_unlock(&server->lock);
	uv_async_send(&server->wake);
	int status = join_loop(server, deadline_ms);
	if (status == ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, NULL, "stopped serving, but calls were still running at the deadline");
	if (status)
		return err_set_errno(e, status, NULL, "cannot wait for the server's thread");
	server_free(server);
	return 0;
}
