#include "cli/lifecycle/readiness.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/progress_events.h"
#include "docker/container.h"
#include "docker/exec.h"
#include "docker/ndjson.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define FIRST_CONTACT_MS 50
#define LAST_LINES 12
#define LAST_LINES_MAXIMUM ((size_t)8192)
#define FAILURES_MAXIMUM 5
/* An engine that is restarted and keeps its containers is back by then. */
#define ENGINE_LOST_MS INT64_C(5000)

/* The thread that waits for the container's end. */
struct watcher {
	struct docker_client *client;
	struct docker_client *follower; /* cancelled when the container ends */
	const char *container;
	int exit_code;
	atomic_bool ended;
};

static void *watch(void *context)
{
	struct watcher *watcher = context;
	auto_err struct err problem = ERR_INIT;
	if (docker_container_wait(watcher->client, watcher->container, "not-running", &watcher->exit_code, &problem) ==
	    0) {
		atomic_store(&watcher->ended, true);
		docker_client_cancel(watcher->follower);
	}
	return NULL;
}

struct follow {
	const struct readiness *readiness;
	struct services *services;
	struct ndjson lines;
	struct buf complaint;  /* stderr of the status command */
	bool enough;           /* the one service that is waited for is ready */
	int64_t lost_since_ms; /* the engine does not answer; 0: it does */
};

static void tell(struct cli *cli, const struct service *service)
{
	if (!cli->events || !service_is_shown(service))
		return;
	cli_event(cli, "service",
	          json_pack("{s:{s:s, s:s, s:s, s:s}}", "service", "name", service->name, "status", service->status,
	                    "namespace", service->namespace, "message", service->message));
}

/* The table, and below it on a terminal what is still waited for. */
static void show(const struct readiness *readiness, const struct services *services, size_t index)
{
	cli_progress_end(readiness->cli);
	service_table_view_update(readiness->view, services, index, &readiness->sandbox->ports);
	const struct service *culprit = services_culprit(services);
	if (readiness->view->in_place && culprit)
		cli_progress(readiness->cli, "waiting for %s", culprit->name);
}

static int take_line(void *context, const json_t *line, struct err *e)
{
	struct follow *follow = context;
	const struct readiness *readiness = follow->readiness;
	size_t index = 0;
	int changed = services_take(follow->services, line, &index, e);
	if (changed <= 0)
		return changed;
	show(readiness, follow->services, index);
	const struct service *service = &follow->services->items[index];
	tell(readiness->cli, service);
	if (text_equal(readiness->enough, service->name) && text_equal(service->status, "ready")) {
		follow->enough = true;
		return err_set(e, ERR_CANCELLED, NULL, "no more is waited for");
	}
	if (service->failures < FAILURES_MAXIMUM)
		return 0;
	err_set(e, ERR_INTERNAL, "service-failing", "the service '%s' has failed %u times: %s", service->name,
	        service->failures, service->message);
	auto_free char *logs = xasprintf("logs %s", service->name);
	return cli_hint_command(readiness->cli, e, logs);
}

static int take_output(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct follow *follow = context;
	if (stream == DOCKER_STDOUT)
		return ndjson_feed(&follow->lines, bytes, length, e);
	size_t room = follow->complaint.maximum - follow->complaint.length;
	return buf_add(&follow->complaint, bytes, length < room ? length : room);
}

/* One run of the status stream. 0 when it ended by itself; whether the sandbox is ready stands in the services. */
static int follow_once(struct docker_client *client, struct follow *follow, int *ret_code, struct err *e)
{
	static const char *const command[] = { "sandbox-init", "status", "--follow", "--json", NULL };
	const struct readiness *readiness = follow->readiness;
	int64_t left = readiness->deadline_ms - clock_monotonic_ms();
	const struct docker_exec exec = { .command = command, .timeout_ms = left > 1 ? left : 1 };
	const struct docker_sink sink = { .on_output = take_output, .context = follow };
	buf_clear(&follow->complaint);
	buf_clear(&follow->lines.line);
	return docker_exec_run(client, readiness->sandbox->id, &exec, &sink, ret_code, e);
}

static int timed_out(const struct follow *follow, struct err *e)
{
	auto_free char *missing = services_missing(follow->services);
	const struct service *culprit = services_culprit(follow->services);
	const char *what = *missing ? missing : "the sandbox's first process does not answer";
	err_set(e, ERR_TIMEOUT, "start-timeout", "not ready after %lld s, and still starting; missing: %s",
	        (long long)follow->readiness->timeout_ms / 1000, what);
	auto_free char *logs = xasprintf("logs%s%s", culprit ? " " : "", culprit ? culprit->name : "");
	return cli_hint_command(follow->readiness->cli, e, logs);
}

static int died(const struct readiness *readiness, int exit_code, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LAST_LINES_MAXIMUM);
	const struct docker_sink sink = { .on_output = docker_keep_tail, .context = &text };
	const struct docker_log_options options = { .tail = LAST_LINES, .since = readiness->sandbox->started_at };
	(void)docker_container_logs(readiness->cli->docker, readiness->sandbox->id, &options, &sink, NULL);
	while (text.length && text.data[text.length - 1] == '\n')
		buf_truncate(&text, text.length - 1);
	err_set(e, ERR_INTERNAL, "sandbox-died", "the container ended with exit code %d while starting%s%s", exit_code,
	        text.length ? "; its last lines:\n" : " and printed nothing", buf_text(&text));
	return cli_hint_command(readiness->cli, e, "logs");
}

/* The container has just ended (409), the connection broke, or the engine says on the command's stdout why it could not
 * be run: the next attempt goes better, or the container's state tells more. */
static bool is_passing(const struct err *problem)
{
	return problem->kind == ERR_CONFLICT || problem->kind == ERR_UNAVAILABLE ||
	       text_equal(problem->id, "malformed-json");
}

enum container_state { CONTAINER_RUNS, CONTAINER_ENDED, CONTAINER_UNKNOWN };

/* Engines say in several ways that the container of a command has just ended, and the watcher's connection breaks when
 * any does; the container's state is one answer for all of that. */
static enum container_state look(const struct readiness *readiness, int *ret_exit_code, struct err *e)
{
	auto_json json_t *document = docker_container_inspect(readiness->cli->docker, readiness->sandbox->id, e);
	const char *status = json_string_at(document, "State/Status", NULL);
	*ret_exit_code = (int)json_integer_at(document, "State/ExitCode", -1);
	if (!status)
		return CONTAINER_UNKNOWN;
	return text_equal(status, "exited") || text_equal(status, "dead") ? CONTAINER_ENDED : CONTAINER_RUNS;
}

/* An attempt failed: 1 try again, -1 there is no point in that. */
static int judge_failure(struct follow *follow, struct err *problem, struct err *e)
{
	auto_err struct err unseen = ERR_INIT;
	int exit_code = 0;
	int64_t now = clock_monotonic_ms();
	switch (look(follow->readiness, &exit_code, &unseen)) {
	case CONTAINER_ENDED:
		return died(follow->readiness, exit_code, e);
	case CONTAINER_RUNS:
		follow->lost_since_ms = 0;
		return is_passing(problem) ? 1 : err_move(e, problem);
	default:
		/* The engine itself: it may be back in a moment. */
		if (!follow->lost_since_ms)
			follow->lost_since_ms = now;
		return is_passing(&unseen) && now - follow->lost_since_ms < ENGINE_LOST_MS ? 1 : err_move(e, &unseen);
	}
}

/* 0 ready, 1 try again, -1 failed. */
static int judge(struct follow *follow, const struct watcher *watcher, int outcome, int code, struct err *problem,
                 struct err *e)
{
	const struct readiness *readiness = follow->readiness;
	if (follow->services->ready || follow->enough)
		return 0;
	if (atomic_load(&watcher->ended))
		return died(readiness, watcher->exit_code, e);
	if (clock_monotonic_ms() >= readiness->deadline_ms)
		return timed_out(follow, e);
	if (outcome < 0 && judge_failure(follow, problem, e) < 0)
		return -1;
	if (code == DOCKER_EXEC_NOT_FOUND || code == DOCKER_EXEC_NOT_EXECUTABLE) {
		err_set(e, ERR_INVALID, "image-unsuitable",
		        "the image '%s' has no sandbox-init: it is no sandbox image", readiness->sandbox->image);
		return err_hint(e, "build it with scripts/build-image, or name another one with --image");
	}
	struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
	(void)poll(&interrupt, 1, FIRST_CONTACT_MS);
	return 1;
}

static int follow_until_ready(const struct readiness *readiness, struct docker_client *client, struct watcher *watcher,
                              struct services *services, struct err *e)
{
	struct follow follow = { .readiness = readiness, .services = services, .complaint = BUF_INIT(1024) };
	follow.lines = (struct ndjson)NDJSON_INIT("the sandbox's status", take_line, &follow);
	int verdict;
	do {
		auto_err struct err problem = ERR_INIT;
		int code = 0;
		int outcome = follow_once(client, &follow, &code, &problem);
		verdict = judge(&follow, watcher, outcome, code, &problem, e);
	} while (verdict > 0);
	ndjson_release(&follow.lines);
	buf_release(&follow.complaint);
	return verdict;
}

int readiness_follow(const struct readiness *readiness, struct services *ret_services, struct err *e)
{
	auto_docker_client struct docker_client *follower = docker_client_clone(readiness->cli->docker, interrupt_fd());
	auto_docker_client struct docker_client *waiter = docker_client_clone(readiness->cli->docker, interrupt_fd());
	struct watcher watcher = { .client = waiter, .follower = follower, .container = readiness->sandbox->id };
	pthread_t thread;
	int problem = pthread_create(&thread, NULL, watch, &watcher);
	if (problem)
		return err_set_errno(e, problem, NULL, "cannot make a thread");
	int outcome = follow_until_ready(readiness, follower, &watcher, ret_services, e);
	docker_client_cancel(waiter);
	pthread_join(thread, NULL);
	return outcome;
}
