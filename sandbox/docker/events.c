#include "docker/events.h"

#include "docker/ndjson.h"

#include <inttypes.h>

#define NANOSECONDS INT64_C(1000000000)

static int take(void *context, const char *bytes, size_t length, struct err *e)
{
	return ndjson_feed(context, bytes, length, e);
}

int docker_events_follow(struct docker_client *client, const struct docker_events *wish, struct err *e)
{
	auto_json json_t *filters =
	        json_pack("{s:[s], s:[s], s:[]}", "type", "container", "label", wish->label, "event");
	for (const char *const *action = wish->actions; *action; action++)
		json_array_append_new(json_object_get(filters, "event"), json_string(*action));
	auto_free char *text = json_to_text(filters);
	auto_free char *encoded = docker_encode(text);
	auto_free char *until = wish->until_ns ? xasprintf("&until=%" PRId64 ".%09" PRId64,
	                                                   wish->until_ns / NANOSECONDS, wish->until_ns % NANOSECONDS)
	                                       : xstrdup("");
	auto_free char *path = xasprintf("/events?filters=%s&since=%" PRId64 ".%09" PRId64 "%s", encoded,
	                                 wish->since_ns / NANOSECONDS, wish->since_ns % NANOSECONDS, until);
	auto_ndjson struct ndjson lines = NDJSON_INIT("the engine's events", wish->on_event, wish->context);
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	const struct docker_request request = {
		.method = "GET", .path = path, .on_data = take, .context = &lines, .timeout_ms = HTTP_NO_TIMEOUT
	};
	if (docker_call(client, &request, &response, e) < 0)
		return -1;
	return ndjson_end(&lines, e);
}
