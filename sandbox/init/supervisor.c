#include "init/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "init/clients.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_TOTAL_MS INT64_C(10000)
#define LAST_CALL_MS INT64_C(500)
#define BACKOFF_FIRST_MS INT64_C(100)
#define BACKOFF_MAXIMUM_MS INT64_C(10000)
#define STABLE_MS INT64_C(30000)
/* Whoever waits for a service that fails so often in a row is told, instead of waiting on. */
#define FAILURES_TOLD 3
#define EVENTS_MAXIMUM 64

/* What an epoll event belongs to. */
enum source_kind {
	SOURCE_SIGNAL,
	SOURCE_LISTENER,
	SOURCE_PORT,
	SOURCE_OUTPUT,
	SOURCE_NOTIFY,
	SOURCE_PROBE,
	SOURCE_CLIENT
};

struct supervisor {
	struct service services[CONFIG_SERVICES_MAXIMUM];
	unsigned count;
	struct clients clients;
	int epoll_fd;
	int signal_fd;
	int listen_fd;
	int port_fd; /* the status port; -1: none */
	char token[CONTROL_TOKEN_SIZE];
	int64_t boot_ms;
	bool stopping;
	int64_t stop_deadline_ms;
};

/* epoll's 64 bits of user data: kind in the upper half, index in the lower. */
static uint64_t make_tag(enum source_kind kind, unsigned index)
{
	return (uint64_t)kind << 32 | index;
}

static void watch(const struct supervisor *s, int fd, uint32_t events, enum source_kind kind, unsigned index)
{
	struct epoll_event event = { .events = events, .data.u64 = make_tag(kind, index) };
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno == EEXIST)
		epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static int find_service(const struct supervisor *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (text_equal(s->services[i].config->name, name))
			return (int)i;
	return -1;
}

/* --- states --- */

static void enter(struct supervisor *s, struct service *service, enum service_state state, int64_t deadline_ms)
{
	int64_t now = clock_monotonic_ms();
	service->state = state;
	service->changed_ms = now;
	service->deadline_ms = deadline_ms;
	service->next_probe_ms = CLOCK_NEVER;
	if (state == SERVICE_READY && !service->ready_ms)
		service->ready_ms = now;
	if (state != SERVICE_FAILED)
		log_info("service", "name", service->config->name, "state", service_state_name(state), NULL);
	clients_publish(&s->clients, service, now);
}

static void set_message(struct service *service, const char *format, ...) PRINTF_LIKE(2, 3);
static void set_message(struct service *service, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(service->message, sizeof(service->message), format, arguments);
	va_end(arguments);
}

static bool is_needed_by_running(const struct supervisor *s, unsigned index)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct service *other = &s->services[i];
		for (unsigned k = 0; k < other->config->require_count; k++)
			if (other->config->requires[k] == index && other->pid)
				return true;
	}
	return false;
}

static int64_t backoff_ms(unsigned failures)
{
	int64_t wait = BACKOFF_FIRST_MS;
	for (unsigned i = 1; i < failures && wait < BACKOFF_MAXIMUM_MS; i++)
		wait *= 2;
	return wait < BACKOFF_MAXIMUM_MS ? wait : BACKOFF_MAXIMUM_MS;
}

static void fail(struct supervisor *s, struct service *service)
{
	if (clock_monotonic_ms() - service->started_ms > STABLE_MS)
		service->failures = 0;
	service->failures++;
	log_warn("service failed", "name", service->config->name, "reason", service->message, NULL);
	enter(s, service, SERVICE_FAILED, clock_monotonic_ms() + backoff_ms(service->failures));
}

static void probe_settled(struct supervisor *s, struct service *service, enum probe_result result)
{
	if (result == PROBE_READY) {
		service->message[0] = '\0';
		enter(s, service, SERVICE_READY, CLOCK_NEVER);
	} else if (result == PROBE_REFUSED) {
		service->next_probe_ms = clock_monotonic_ms() + PROBE_INTERVAL_MS;
	} else {
		service->next_probe_ms = CLOCK_NEVER;
		watch(s, service->probe.fd, service->probe.sent ? EPOLLIN : EPOLLOUT, SOURCE_PROBE,
		      (unsigned)(service - s->services));
	}
}

static void start(struct supervisor *s, struct service *service)
{
	unsigned index = (unsigned)(service - s->services);
	auto_err struct err e = ERR_INIT;
	service->message[0] = '\0';
	if (service_spawn(service, &e) < 0) {
		set_message(service, "%s", err_message(&e));
		fail(s, service);
		return;
	}
	watch(s, service->output_fd, EPOLLIN, SOURCE_OUTPUT, index);
	enter(s, service, SERVICE_STARTING, clock_monotonic_ms() + service->config->ready_timeout_ms);
	if (service->config->ready != READY_NOTIFY && service->config->ready != READY_EXIT)
		probe_settled(s, service, probe_begin(&service->probe, service->config));
}

static void stop(struct supervisor *s, struct service *service)
{
	probe_cancel(&service->probe);
	service_signal(service, service->config->stop_signal);
	enter(s, service, SERVICE_STOPPING, clock_monotonic_ms() + service->config->stop_ms);
}

/* What it said of itself last tells more than its log. */
static void miss_deadline(struct service *service)
{
	auto_free char *last = xstrdup(*service->message ? service->message
	                                                 : last_words_text(&service->last_words, clock_monotonic_ms()));
	log_warn("readiness deadline missed", "name", service->config->name, "last", last, NULL);
	(void)snprintf(service->reason, sizeof(service->reason), "not ready after %lld s%s%s",
	               (long long)(service->config->ready_timeout_ms / 1000), *last ? ": " : "", last);
	set_message(service, "%s", service->reason);
}

static void deadline_passed(struct supervisor *s, struct service *service)
{
	switch (service->state) {
	case SERVICE_STARTING:
		miss_deadline(service);
		service->deadline_ms = CLOCK_NEVER;
		probe_cancel(&service->probe);
		service_signal(service, SIGKILL); /* its exit leads to a restart */
		break;
	case SERVICE_STOPPING:
		log_warn("service did not stop in time and is killed", "name", service->config->name, NULL);
		service->deadline_ms = CLOCK_NEVER;
		service_signal(service, SIGKILL);
		break;
	case SERVICE_FAILED:
		enter(s, service, SERVICE_WAITING, CLOCK_NEVER);
		break;
	case SERVICE_WAITING:
	case SERVICE_READY:
	case SERVICE_STOPPED:
		service->deadline_ms = CLOCK_NEVER;
		break;
	}
}

/* Moves one service as far as it can go now; true if anything changed. */
static bool settle_service(struct supervisor *s, unsigned index)
{
	struct service *service = &s->services[index];
	bool wanted = service->wanted && !s->stopping;
	if (!wanted) {
		bool running = service->state == SERVICE_STARTING || service->state == SERVICE_READY;
		if (service->pid && running && (!s->stopping || !is_needed_by_running(s, index))) {
			stop(s, service);
			return true;
		}
		if (!service->pid && service->state != SERVICE_STOPPED) {
			enter(s, service, SERVICE_STOPPED, CLOCK_NEVER);
			return true;
		}
		return false;
	}
	if (service->state == SERVICE_STOPPED) {
		enter(s, service, SERVICE_WAITING, CLOCK_NEVER);
		return true;
	}
	if (service->state != SERVICE_WAITING)
		return false;
	bool told = true;
	if (service_waits(service, s->services, &told)) {
		if (!told)
			clients_publish(&s->clients, service, clock_monotonic_ms());
		return false;
	}
	start(s, service);
	return true;
}

static void tell_failing(struct supervisor *s, unsigned slot, const struct service *service)
{
	auto_err struct err e = ERR_INIT;
	err_set(&e, ERR_INTERNAL, "service-failing", "the service '%s' has failed %u times: %s", service->config->name,
	        service->failures, service->message);
	clients_refuse(&s->clients, slot, &e);
}

/* Ends the answers of those whose question is settled. */
static void finish_clients(struct supervisor *s)
{
	for (unsigned i = 0; i < CLIENTS_MAXIMUM; i++) {
		const struct client *client = &s->clients.slots[i];
		if (client->fd < 0 || !client->asked || client->answered)
			continue;
		if (client->request.command == CONTROL_STATUS) {
			if (!client->request.follow || control_all_ready(s->services, s->count))
				clients_send(&s->clients, i, control_summary_line(s->services, s->count, s->boot_ms),
				             true);
			continue;
		}
		const struct service *service = &s->services[find_service(s, client->request.service)];
		if (service->state == (service->wanted ? SERVICE_READY : SERVICE_STOPPED))
			clients_send(&s->clients, i, xstrdup("{\"done\":true}\n"), true);
		else if (service->state == SERVICE_FAILED && service->failures >= FAILURES_TOLD)
			tell_failing(s, i, service);
	}
}

static void settle(struct supervisor *s)
{
	int64_t now = clock_monotonic_ms();
	for (unsigned i = 0; i < s->count; i++) {
		struct service *service = &s->services[i];
		if (service->deadline_ms <= now)
			deadline_passed(s, service);
		if (service->state == SERVICE_STARTING && service->next_probe_ms <= now)
			probe_settled(s, service, probe_begin(&service->probe, service->config));
	}
	for (bool changed = true; changed;) {
		changed = false;
		for (unsigned i = 0; i < s->count; i++)
			changed = settle_service(s, i) || changed;
	}
	finish_clients(s);
	clients_expire(&s->clients, now);
}

/* --- events --- */

/* A turn takes at most this much, so that a service which floods its log does not keep us from everything else. */
#define OUTPUT_TURN 16

static void read_output(struct service *service)
{
	char chunk[16 * 1024];
	for (unsigned turn = 0; turn < OUTPUT_TURN; turn++) {
		ssize_t got = read(service->output_fd, chunk, sizeof(chunk));
		if (got > 0) {
			logfile_write(&service->log, chunk, (size_t)got);
			last_words_feed(&service->last_words, chunk, (size_t)got, clock_monotonic_ms());
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0) {
			close(service->output_fd);
			service->output_fd = -1;
		}
		return;
	}
}

static void read_notification(struct supervisor *s, struct service *service)
{
	char datagram[PROBE_STATUS_SIZE * 2];
	for (unsigned turn = 0; turn < OUTPUT_TURN; turn++) {
		ssize_t got = recv(service->notify_fd, datagram, sizeof(datagram), 0);
		if (got < 0)
			return;
		struct notification notification = probe_parse_notification(datagram, (size_t)got);
		bool starting = service->state == SERVICE_STARTING;
		if (notification.failing)
			(void)snprintf(service->reason, sizeof(service->reason), "%s", notification.status);
		if (notification.ready && starting && service->config->ready == READY_NOTIFY) {
			set_message(service, "%s", notification.status);
			enter(s, service, SERVICE_READY, CLOCK_NEVER);
		} else if (notification.has_status && (starting || service->state == SERVICE_READY)) {
			/* Not a new state: its deadline and the next probe stay. */
			set_message(service, "%s", notification.status);
			clients_publish(&s->clients, service, clock_monotonic_ms());
		}
	}
}

static void process_ended(struct supervisor *s, struct service *service, int status)
{
	service->pid = 0;
	probe_cancel(&service->probe);
	if (service->output_fd >= 0)
		read_output(service);
	if (service->state == SERVICE_STOPPING) {
		service->message[0] = '\0';
		enter(s, service, SERVICE_STOPPED, CLOCK_NEVER);
		return;
	}
	if (service->config->once && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		service->message[0] = '\0';
		enter(s, service, SERVICE_READY, CLOCK_NEVER);
		return;
	}
	/* Its last notification may still be in the socket. */
	read_notification(s, service);
	const char *reason = service->reason;
	if (!*reason)
		reason = last_words_text(&service->last_words, clock_monotonic_ms());
	if (WIFSIGNALED(status))
		set_message(service, "killed by signal %d%s%s", WTERMSIG(status), *reason ? ": " : "", reason);
	else
		set_message(service, "exited with code %d%s%s", WEXITSTATUS(status), *reason ? ": " : "", reason);
	fail(s, service);
}

/* Our own children and the orphans of everything that runs here. */
static void reap(struct supervisor *s)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid <= 0)
			return;
		for (unsigned i = 0; i < s->count; i++)
			if (s->services[i].pid == pid)
				process_ended(s, &s->services[i], status);
	}
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD || s->stopping)
			continue;
		log_info("stopping", "signal", strsignal((int)info.ssi_signo), NULL);
		s->stopping = true;
		s->stop_deadline_ms = clock_monotonic_ms() + STOP_TOTAL_MS - LAST_CALL_MS;
	}
	reap(s);
}

static int obey(struct supervisor *s, const struct control_request *request, struct err *e)
{
	if (request->command == CONTROL_STATUS)
		return 0;
	int index = find_service(s, request->service);
	if (index < 0)
		return err_set(e, ERR_NOT_FOUND, "unknown-service", "there is no service '%s'", request->service);
	struct service *service = &s->services[index];
	service->wanted = request->command != CONTROL_STOP;
	service->failures = 0;
	if (request->command == CONTROL_RESTART && service->pid && service->state != SERVICE_STOPPING)
		stop(s, service);
	if (service->state == SERVICE_FAILED || (service->config->once && service->state == SERVICE_READY))
		enter(s, service, SERVICE_STOPPED, CLOCK_NEVER);
	return 0;
}

static void read_client(struct supervisor *s, unsigned slot)
{
	auto_err struct err e = ERR_INIT;
	int arrived = clients_read(&s->clients, slot, &e);
	const struct client *client = &s->clients.slots[slot];
	if (arrived > 0 && client->of_port && control_admit(&client->request, s->token, &e) < 0)
		arrived = -1;
	if (arrived > 0 && obey(s, &client->request, &e) < 0)
		arrived = -1;
	if (arrived < 0)
		clients_refuse(&s->clients, slot, &e);
	if (arrived <= 0 || client->request.command != CONTROL_STATUS)
		return;
	for (unsigned i = 0; i < s->count; i++)
		clients_send(&s->clients, slot, control_service_line(&s->services[i], clock_monotonic_ms()), false);
}

static void dispatch(struct supervisor *s, const struct epoll_event *event)
{
	unsigned index = (unsigned)(event->data.u64 & 0xffffffffU);
	switch ((enum source_kind)(event->data.u64 >> 32)) {
	case SOURCE_SIGNAL:
		read_signals(s);
		break;
	case SOURCE_LISTENER:
		clients_accept(&s->clients, s->listen_fd, false);
		break;
	case SOURCE_PORT:
		clients_accept(&s->clients, s->port_fd, true);
		break;
	case SOURCE_OUTPUT:
		if (s->services[index].output_fd >= 0)
			read_output(&s->services[index]);
		break;
	case SOURCE_NOTIFY:
		read_notification(s, &s->services[index]);
		break;
	case SOURCE_PROBE:
		if (s->services[index].probe.fd >= 0)
			probe_settled(s, &s->services[index],
			              probe_continue(&s->services[index].probe, s->services[index].config));
		break;
	case SOURCE_CLIENT:
		read_client(s, index);
		break;
	}
}

static int64_t next_deadline(const struct supervisor *s)
{
	int64_t next = clients_deadline(&s->clients);
	if (s->stopping && s->stop_deadline_ms < next)
		next = s->stop_deadline_ms;
	for (unsigned i = 0; i < s->count; i++) {
		const struct service *service = &s->services[i];
		if (service->deadline_ms < next)
			next = service->deadline_ms;
		if (service->next_probe_ms < next)
			next = service->next_probe_ms;
	}
	return next;
}

static bool everything_stopped(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->services[i].pid)
			return false;
	return true;
}

/* --- set-up --- */

static int listen_on_socket(struct supervisor *s, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SUPERVISOR_SOCKET };
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)unlink(SUPERVISOR_SOCKET);
	if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(SUPERVISOR_SOCKET, 0600) < 0 || listen(s->listen_fd, 16) < 0)
		return err_set_errno(e, errno, NULL, "cannot listen on '%s'", SUPERVISOR_SOCKET);
	watch(s, s->listen_fd, EPOLLIN, SOURCE_LISTENER, 0);
	return 0;
}

/* The status port, when the container was given a token. Services do not inherit that. A sandbox works without the port:
 * the launcher then asks by an exec. */
static void listen_on_port(struct supervisor *s)
{
	const char *token = getenv(CONTROL_TOKEN_VARIABLE);
	size_t length = token ? strlen(token) : 0;
	if (length >= CONTROL_TOKEN_MINIMUM && length < sizeof(s->token))
		memcpy(s->token, token, length + 1);
	unsetenv(CONTROL_TOKEN_VARIABLE);
	if (!*s->token)
		return;
	/* The engine forwards the published port to the container's address, not to its loopback. */
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(CONTROL_PORT),
		                       .sin_addr.s_addr = htonl(INADDR_ANY) };
	int on = 1;
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, CLIENTS_OF_PORT_MAXIMUM) < 0) {
		log_warn("no status port", "reason", strerror(errno), NULL);
		return;
	}
	s->port_fd = steal_fd(&fd);
	watch(s, s->port_fd, EPOLLIN, SOURCE_PORT, 0);
}

static int set_up(struct supervisor *s, const struct init_config *config, struct err *e)
{
	*s = (struct supervisor){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		                  .port_fd = -1,
		                  .count = config->service_count,
		                  .boot_ms = clock_monotonic_ms() };
	clients_init(&s->clients, s->epoll_fd, make_tag(SOURCE_CLIENT, 0));
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->epoll_fd < 0 || s->signal_fd < 0)
		return err_set_errno(e, errno, NULL, "cannot set up the event loop");
	watch(s, s->signal_fd, EPOLLIN, SOURCE_SIGNAL, 0);
	for (unsigned i = 0; i < s->count; i++) {
		if (service_open(&s->services[i], &config->services[i], e) < 0)
			return err_wrap(e, "service '%s'", config->services[i].name);
		watch(s, s->services[i].notify_fd, EPOLLIN, SOURCE_NOTIFY, i);
	}
	listen_on_port(s);
	return listen_on_socket(s, e);
}

/* Whatever is left — task containers, strays — gets a short notice; the end of PID 1 then kills the rest. */
static void last_call(void)
{
	kill(-1, SIGTERM);
	int64_t deadline = clock_monotonic_ms() + LAST_CALL_MS;
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return;
		int64_t left = deadline - clock_monotonic_ms();
		if (left <= 0)
			return;
		struct timespec timeout = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		if (pid == 0)
			sigtimedwait(&child, NULL, &timeout);
	}
}

int supervisor_run(const struct init_config *config)
{
	static struct supervisor supervisor;
	struct supervisor *s = &supervisor;
	auto_err struct err e = ERR_INIT;
	if (set_up(s, config, &e) < 0) {
		log_err(LOG_ERROR, "cannot start", &e, NULL, NULL);
		return 1;
	}
	while (!s->stopping || (!everything_stopped(s) && clock_monotonic_ms() < s->stop_deadline_ms)) {
		settle(s);
		struct epoll_event events[EVENTS_MAXIMUM];
		if (s->stopping && everything_stopped(s))
			break;
		int count = epoll_wait(s->epoll_fd, events, EVENTS_MAXIMUM, clock_poll_timeout(next_deadline(s)));
		for (int i = 0; i < count; i++)
			dispatch(s, &events[i]);
	}
	last_call();
	for (unsigned i = 0; i < s->count; i++)
		service_close(&s->services[i]);
	log_info("stopped", NULL);
	return 0;
}
