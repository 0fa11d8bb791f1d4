#include "docker/exec.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* The stream of a command that daemonises, or whose output is closed early, ends before the command does. */
#define EXIT_DEADLINE_MS INT64_C(30000)
#define EXIT_POLL_MAXIMUM_MS 200
#define ERROR_OUTPUT_MAXIMUM ((size_t)4096)

static json_t *string_list(const char *const *texts)
{
	json_t *list = json_array();
	for (; texts && *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

char *docker_exec_create(struct docker_client *client, const char *container, const struct docker_exec *exec,
                         bool input, struct err *e)
{
	auto_json json_t *body =
	        json_pack("{s:b, s:b, s:b, s:b, s:o}", "AttachStdin", input, "AttachStdout", 1, "AttachStderr",
	                  !exec->terminal, "Tty", exec->terminal, "Cmd", string_list(exec->command));
	if (exec->user)
		json_object_set_new(body, "User", json_string(exec->user));
	if (exec->directory)
		json_object_set_new(body, "WorkingDir", json_string(exec->directory));
	if (exec->environment)
		json_object_set_new(body, "Env", string_list(exec->environment));
	auto_free char *path = xasprintf("/containers/%s/exec", container);
	auto_json json_t *answer =
	        docker_call_json(client, &(struct docker_request){ .method = "POST", .path = path, .body = body }, e);
	const char *id = json_string_at(answer, "Id", NULL);
	if (answer && !id)
		err_set(e, ERR_INTERNAL, "docker-error", "the engine made an exec without an id");
	return xstrdup(id);
}

/* The end of the output can come a moment before the engine has noted the exit. */
int docker_exec_exit_code(struct docker_client *client, const char *id, int *ret_exit_code, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + EXIT_DEADLINE_MS;
	for (int pause = 1;; pause = pause * 2 < EXIT_POLL_MAXIMUM_MS ? pause * 2 : EXIT_POLL_MAXIMUM_MS) {
		auto_json json_t *state = docker_get(client, e, "/exec/%s/json", id);
		if (!state)
			return -1;
		const json_t *code = json_lookup(state, "ExitCode");
		if (!json_boolean_at(state, "Running", false) && json_is_integer(code)) {
			*ret_exit_code = (int)json_integer_value(code);
			return 0;
		}
		if (clock_monotonic_ms() > deadline)
			return err_set(e, ERR_TIMEOUT, "exec-timeout",
			               "the command closed its output but has not ended for %lld s",
			               (long long)EXIT_DEADLINE_MS / 1000);
		(void)poll(NULL, 0, pause);
	}
}

struct output {
	struct demux demux;
	const struct docker_sink *sink;
};

static int take_output(void *context, const char *bytes, size_t length, struct err *e)
{
	struct output *output = context;
	return demux_feed(&output->demux, bytes, length, output->sink, e);
}

int docker_exec_run(struct docker_client *client, const char *container, const struct docker_exec *exec,
                    const struct docker_sink *sink, int *ret_exit_code, struct err *e)
{
	auto_free char *id = docker_exec_create(client, container, exec, false, e);
	if (!id)
		return -1;
	auto_json json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", exec->terminal);
	auto_free char *path = xasprintf("/exec/%s/start", id);
	struct output output = { .demux = { .raw = exec->terminal }, .sink = sink };
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = { .method = "POST",
		                          .path = path,
		                          .body = body,
		                          .on_data = take_output,
		                          .context = &output,
		                          .timeout_ms = exec->timeout_ms ? exec->timeout_ms : HTTP_NO_TIMEOUT };
	if (docker_call(client, &request, &response, e) < 0 || demux_end(&output.demux, e) < 0)
		return -1;
	return docker_exec_exit_code(client, id, ret_exit_code, e);
}

struct capture {
	struct buf *output;
	struct buf error;
};

static int take_capture(void *context, enum docker_stream stream, const char *bytes, size_t length, struct err *e)
{
	struct capture *capture = context;
	if (stream == DOCKER_STDERR) {
		size_t room = capture->error.maximum - capture->error.length;
		return buf_add(&capture->error, bytes, length < room ? length : room);
	}
	if (buf_add(capture->output, bytes, length) < 0)
		return err_set(e, ERR_EXHAUSTED, "exec-output", "the command printed more than %zu bytes",
		               capture->output->maximum);
	return 0;
}

int docker_exec_capture(struct docker_client *client, const char *container, const char *const *command,
                        int64_t timeout_ms, struct buf *ret_output, struct err *e)
{
	struct capture capture = { .output = ret_output, .error = BUF_INIT(ERROR_OUTPUT_MAXIMUM) };
	const struct docker_sink sink = { .on_output = take_capture, .context = &capture };
	const struct docker_exec exec = { .command = command, .timeout_ms = timeout_ms };
	int code = 0;
	int outcome = docker_exec_run(client, container, &exec, &sink, &code, e);
	if (outcome == 0 && code != 0) {
		size_t length = strcspn(buf_text(&capture.error), "\n");
		const char *text = length ? buf_text(&capture.error) : buf_text(ret_output);
		outcome =
		        err_set(e, ERR_INTERNAL, "exec-failed", "'%s' in the container failed with exit code %d: %.*s",
		                command[0], code, (int)strcspn(text, "\n"), text);
	}
	buf_release(&capture.error);
	return outcome;
}
