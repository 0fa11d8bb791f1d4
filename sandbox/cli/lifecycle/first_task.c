#include "cli/lifecycle/first_task.h"

#include "base/clock.h"
#include "base/http.h"
#include "base/text.h"
#include "cli/framework/interrupt.h"
#include "docker/image.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

/* Flyte's API has no way to be told of an execution's end. */
#define LOOK_AGAIN_MS 100
#define CALL_TIMEOUT_MS INT64_C(10000)
#define PROJECT "flytesnacks"
#define DOMAIN "development"
#define TASK "sandbox.first-task"
/* Of the sandbox's image: the name of the task image that it brings along. */
#define TASK_IMAGE_LABEL "dev.sandbox.task-image"

struct api {
	struct http_client *http;
	char *base; /* "http://localhost:30080/api/v1" */
};

/* One call of the REST gateway; NULL with `e`. `ret_status` may be NULL: then a status of 400 and more is an error. */
static json_t *call(const struct api *api, const char *method, const char *path, const json_t *body, long *ret_status,
                    struct err *e)
{
	static const struct http_header json_header = { "Content-Type", "application/json" };
	auto_free char *url = xasprintf("%s%s", api->base, path);
	auto_free char *text = body ? json_to_text(body) : NULL;
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	const struct http_request request = { .method = method,
		                              .url = url,
		                              .headers = &json_header,
		                              .header_count = 1,
		                              .body = text,
		                              .body_length = text ? strlen(text) : 0,
		                              .timeout_ms = CALL_TIMEOUT_MS };
	if (http_perform(api->http, &request, &response, e) < 0)
		return NULL;
	auto_json json_t *answer = json_parse(buf_text(&response.body), response.body.length, "Flyte's API", e);
	if (!answer)
		return NULL;
	if (ret_status)
		*ret_status = response.status;
	if (response.status >= 400 && !ret_status) {
		err_set(e, ERR_INTERNAL, "first-task", "Flyte's API refuses the first task: %s",
		        json_string_at(answer, "message", "without a reason"));
		return NULL;
	}
	return steal_ptr(answer);
}

static json_t *task_id(const char *version)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "resource_type", "TASK", "project", PROJECT, "domain", DOMAIN,
	                 "name", TASK, "version", version);
}

static int register_task(const struct api *api, const char *version, const char *image, struct err *e)
{
	auto_json json_t *body =
	        json_pack("{s:o, s:{s:{s:o, s:s, s:{s:{s:s, s:s, s:s}}, s:{}, s:{s:s, s:[s]}}}}", "id",
	                  task_id(version), "spec", "template", "id", task_id(version), "type", "raw-container",
	                  "metadata", "runtime", "type", "OTHER", "version", SANDBOX_VERSION, "flavor", "sandbox",
	                  "interface", "container", "image", image, "command", "true");
	long status = 0;
	auto_json json_t *answer = call(api, "POST", "/tasks", body, &status, e);
	if (!answer)
		return -1;
	/* Registered by an earlier start. */
	if (status < 400 || status == 409)
		return 0;
	return err_set(e, ERR_INTERNAL, "first-task", "Flyte's API refuses to register the first task: %s",
	               json_string_at(answer, "message", "without a reason"));
}

static json_t *launch(const struct api *api, const char *version, struct err *e)
{
	auto_json json_t *body =
	        json_pack("{s:s, s:s, s:{s:o, s:{s:s}}, s:{}}", "project", PROJECT, "domain", DOMAIN, "spec",
	                  "launch_plan", task_id(version), "metadata", "mode", "MANUAL", "inputs");
	return call(api, "POST", "/executions", body, NULL, e);
}

static int follow(const struct api *api, const char *name, int64_t deadline_ms, struct err *e)
{
	auto_free char *path = xasprintf("/executions/" PROJECT "/" DOMAIN "/%s", name);
	for (;;) {
		auto_json json_t *execution = call(api, "GET", path, NULL, NULL, e);
		if (!execution)
			return -1;
		const char *phase = json_string_at(execution, "closure/phase", "UNDEFINED");
		if (text_equal(phase, "SUCCEEDED"))
			return 0;
		if (text_equal(phase, "FAILED") || text_equal(phase, "ABORTED") || text_equal(phase, "TIMED_OUT"))
			return err_set(e, ERR_INTERNAL, "first-task", "the first task's execution '%s' is %s: %s", name,
			               phase, json_string_at(execution, "closure/error/message", "without a reason"));
		if (clock_monotonic_ms() >= deadline_ms)
			return err_set(e, ERR_TIMEOUT, "first-task", "the first task's execution '%s' is still %s",
			               name, phase);
		if (interrupt_check(e) < 0)
			return -1;
		struct pollfd interrupt = { .fd = interrupt_fd(), .events = POLLIN };
		(void)poll(&interrupt, 1, LOOK_AGAIN_MS);
	}
}

int first_task_run(struct cli *cli, const struct sandbox *sandbox, int64_t deadline_ms, struct err *e)
{
	auto_json json_t *described = docker_image_inspect(cli->docker, sandbox->image_id, e);
	if (!described)
		return -1;
	const char *image =
	        json_string_value(json_object_get(json_lookup(described, "Config/Labels"), TASK_IMAGE_LABEL));
	if (!image)
		return err_set(e, ERR_UNSUPPORTED, "first-task", "the sandbox's image '%s' brings no image for a task",
		               sandbox->image);
	const struct http_client_options options = { .cancel_fd = interrupt_fd() };
	auto_free char *http = ports_endpoint(&sandbox->ports, PORT_HTTP);
	struct api api = { .http = http_client_new(&options), .base = xasprintf("%s/api/v1", http) };
	/* A task's version cannot be changed: one for each image. */
	auto_free char *version = xasprintf(SANDBOX_VERSION "-%08" PRIx32, (uint32_t)text_hash(image));
	json_t *execution = NULL;
	int outcome = register_task(&api, version, image, e);
	if (outcome == 0) {
		execution = launch(&api, version, e);
		const char *name = json_string_at(execution, "id/name", "");
		cli_progress(cli, "the first task runs: execution '%s'", name);
		outcome = execution ? follow(&api, name, deadline_ms, e) : -1;
	}
	json_decref(execution);
	http_client_free(api.http);
	free(api.base);
	return outcome;
}
