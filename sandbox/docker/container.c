#include "docker/container.h"

#include <string.h>

#define STOP_MARGIN_MS INT64_C(30000)

int docker_container_create(struct docker_client *client, const char *name, const json_t *body, char **ret_id,
                            struct err *e)
{
	auto_free char *encoded = docker_encode(name);
	auto_free char *path = xasprintf("/containers/create?name=%s", encoded);
	auto_json json_t *answer =
	        docker_call_json(client, &(struct docker_request){ .method = "POST", .path = path, .body = body }, e);
	if (!answer)
		return err_wrap(e, "cannot create the container '%s'", name);
	const char *id = json_string_at(answer, "Id", NULL);
	if (!id)
		return err_set(e, ERR_INTERNAL, "docker-error", "the engine created the container '%s' without an id",
		               name);
	*ret_id = xstrdup(id);
	return 0;
}

int docker_container_start(struct docker_client *client, const char *container, struct err *e)
{
	if (docker_do(client, "POST", e, "/containers/%s/start", container) < 0)
		return err_wrap(e, "cannot start the container");
	return 0;
}

int docker_container_stop(struct docker_client *client, const char *container, int grace_seconds, struct err *e)
{
	auto_free char *path = xasprintf("/containers/%s/stop?t=%d", container, grace_seconds);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = { .method = "POST",
		                          .path = path,
		                          .timeout_ms = (int64_t)grace_seconds * 1000 + STOP_MARGIN_MS };
	if (docker_call(client, &request, &response, e) < 0)
		return err_wrap(e, "cannot stop the container");
	return 0;
}

/* Of cgroup v1 a group with processes that are busy in the kernel freezes within runc's own limit or not; runc thaws it
 * then. */
#define FREEZE_ATTEMPTS 5

int docker_container_pause(struct docker_client *client, const char *container, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	for (int left = FREEZE_ATTEMPTS; docker_do(client, "POST", &problem, "/containers/%s/pause", container) < 0;
	     left--) {
		if (left <= 1 || !strstr(err_message(&problem), "unable to freeze")) {
			(void)err_move(e, &problem);
			return err_wrap(e, "cannot pause the container");
		}
		err_release(&problem);
	}
	return 0;
}

int docker_container_unpause(struct docker_client *client, const char *container, struct err *e)
{
	if (docker_do(client, "POST", e, "/containers/%s/unpause", container) < 0)
		return err_wrap(e, "cannot resume the container");
	return 0;
}

int docker_container_remove(struct docker_client *client, const char *container, struct err *e)
{
	auto_err struct err problem = ERR_INIT;
	if (docker_do(client, "DELETE", &problem, "/containers/%s?force=1&v=1", container) >= 0 ||
	    problem.kind == ERR_NOT_FOUND)
		return 0;
	err_move(e, &problem);
	return err_wrap(e, "cannot remove the container");
}

json_t *docker_container_inspect(struct docker_client *client, const char *container, struct err *e)
{
	return docker_get(client, e, "/containers/%s/json", container);
}

json_t *docker_container_list(struct docker_client *client, bool all, const char *label, struct err *e)
{
	auto_json json_t *filters = label ? json_pack("{s:[s]}", "label", label) : json_object();
	auto_free char *text = json_to_text(filters);
	auto_free char *encoded = docker_encode(text);
	return docker_get(client, e, "/containers/json?all=%d&filters=%s", all, encoded);
}

int docker_container_set_restart(struct docker_client *client, const char *container, const char *policy, int maximum,
                                 struct err *e)
{
	auto_json json_t *body =
	        json_pack("{s:{s:s, s:i}}", "RestartPolicy", "Name", policy, "MaximumRetryCount", maximum);
	auto_free char *path = xasprintf("/containers/%s/update", container);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = { .method = "POST", .path = path, .body = body };
	if (docker_call(client, &request, &response, e) < 0)
		return err_wrap(e, "cannot set the container's restart policy");
	return 0;
}

int docker_container_wait(struct docker_client *client, const char *container, const char *condition,
                          int *ret_exit_code, struct err *e)
{
	auto_free char *path = xasprintf("/containers/%s/wait?condition=%s", container, condition);
	auto_json json_t *answer = docker_call_json(
	        client, &(struct docker_request){ .method = "POST", .path = path, .timeout_ms = HTTP_NO_TIMEOUT }, e);
	if (!answer)
		return -1;
	const char *message = json_string_at(answer, "Error/Message", NULL);
	if (message)
		return err_set(e, ERR_INTERNAL, "docker-error", "waiting for the container: %s", message);
	*ret_exit_code = (int)json_integer_at(answer, "StatusCode", -1);
	return 0;
}

struct log_stream {
	struct demux demux;
	const struct docker_sink *sink;
};

static int take_log(void *context, const char *bytes, size_t length, struct err *e)
{
	struct log_stream *stream = context;
	return demux_feed(&stream->demux, bytes, length, stream->sink, e);
}

int docker_container_logs(struct docker_client *client, const char *container, const struct docker_log_options *options,
                          const struct docker_sink *sink, struct err *e)
{
	/* Whether the stream has frames depends on the container's terminal; before API 1.42 the answer does not tell.
	 */
	auto_json json_t *container_state = docker_container_inspect(client, container, e);
	if (!container_state)
		return -1;
	struct log_stream stream = { .demux = { .raw = json_boolean_at(container_state, "Config/Tty", false) },
		                     .sink = sink };
	auto_free char *tail = options->tail < 0 ? xstrdup("all") : xasprintf("%lld", (long long)options->tail);
	auto_free char *since = options->since ? docker_encode(options->since) : xstrdup("");
	auto_free char *path =
	        xasprintf("/containers/%s/logs?stdout=1&stderr=1&follow=%d&timestamps=%d&tail=%s%s%s", container,
	                  options->follow, options->timestamps, tail, options->since ? "&since=" : "", since);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	struct docker_request request = {
		.method = "GET", .path = path, .on_data = take_log, .context = &stream, .timeout_ms = HTTP_NO_TIMEOUT
	};
	if (docker_call(client, &request, &response, e) < 0)
		return -1;
	return demux_end(&stream.demux, e);
}
