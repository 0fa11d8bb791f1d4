/*
 * Where connectors are. The names of the keys are those of upstream's plugin (flyteplugins' connector-service at
 * v1.16.8). A checked connector is kept as {target, timeoutMs, timeouts}, so that two of them are equal when they mean
 * the same.
 */
#include "controlplane/settings/settings_internal.h"

#include "base/text.h"

#include <string.h>

#define NAME_MAXIMUM 253
#define CONNECTORS_MAXIMUM 64
#define TASK_TYPES_MAXIMUM 1000
#define TIMEOUT_DEFAULT_MS INT64_C(10000)
#define TIMEOUT_MINIMUM_MS INT64_C(100)
#define TIMEOUT_MAXIMUM_MS INT64_C(3600000)

static const char *const methods[] = { "CreateTask", "ExecuteTaskSync", "GetTask", "DeleteTask", "ListAgents" };

/* grpc-go's way to write a target, or a URL's scheme, in front of host:port. */
static int get_target(struct settings *settings, const char *endpoint, bool insecure, const struct value_place *at,
                      const char **ret_target, struct err *e)
{
	int64_t port;
	const char *host = text_starts_with(endpoint, "dns:///") ? endpoint + strlen("dns:///") : endpoint;
	const char *colon = strrchr(host, ':');
	if (strlen(host) > NAME_MAXIMUM + sizeof(":65535") || !colon || colon == host || strpbrk(host, "/?#@ \t\r\n") ||
	    !text_to_int64(colon + 1, 1, 65535, &port))
		return value_refuse(at, e, "'%s' must be HOST:PORT", endpoint);
	*ret_target = arena_printf(&settings->life->arena, "%s://%s", insecure ? "http" : "https", host);
	return 0;
}

static int get_timeouts(struct settings *settings, json_t *value, const struct value_place *at, json_t *timeouts,
                        struct err *e)
{
	const char *method;
	json_t *member;
	if (!json_is_object(value))
		return value_refuse(at, e, "must be a map of calls to durations");
	json_object_foreach(value, method, member)
	{
		const struct value_place inner = value_at_key(at, method);
		int64_t ms;
		bool known = false;
		for (size_t i = 0; i < ARRAY_LENGTH(methods) && !known; i++)
			known = text_equal(methods[i], method);
		if (!known)
			return value_refuse(&inner, e,
			                    "there is no such call; there are CreateTask, ExecuteTaskSync, GetTask, "
			                    "DeleteTask and ListAgents");
		if (value_get_duration(settings, member, &inner, TIMEOUT_MINIMUM_MS, TIMEOUT_MAXIMUM_MS, &ms, e) < 0)
			return -1;
		json_object_set_new(timeouts, method, json_integer(ms));
	}
	return 0;
}

struct reading {
	const char *endpoint;
	struct value_place endpoint_at;
	bool insecure;
	int64_t timeout_ms;
	json_t *timeouts;
};

static int read_member(struct settings *settings, const char *key, json_t *value, const struct value_place *at,
                       struct reading *reading, struct err *e)
{
	static const char *const keys[] = { "endpoint", "insecure", "defaultTimeout", "timeouts",
		                            "defaultServiceConfig" };
	const char *ignored;
	if (text_equal(key, "endpoint")) {
		reading->endpoint_at = *at;
		return value_get_text(settings, value, at, &reading->endpoint, e);
	}
	if (text_equal(key, "insecure"))
		return value_get_boolean(value, at, &reading->insecure, e);
	if (text_equal(key, "defaultTimeout"))
		return value_get_duration(settings, value, at, TIMEOUT_MINIMUM_MS, TIMEOUT_MAXIMUM_MS,
		                          &reading->timeout_ms, e);
	if (text_equal(key, "timeouts"))
		return get_timeouts(settings, value, at, reading->timeouts, e);
	if (text_equal(key, "defaultServiceConfig")) /* of gRPC's own load balancing, of which there is none */
		return value_get_text(settings, value, at, &ignored, e);
	const char *meant = text_suggest(key, keys, ARRAY_LENGTH(keys));
	return meant ? value_refuse(at, e, "there is no such setting; did you mean '%s'?", meant)
	             : value_refuse(at, e, "there is no such setting");
}

json_t *value_get_connector(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *timeouts = json_object();
	struct reading reading = {
		.endpoint = "", .insecure = true, .timeout_ms = TIMEOUT_DEFAULT_MS, .timeouts = timeouts
	};
	const char *key, *target = "";
	json_t *member;
	if (!json_is_object(value)) {
		value_refuse(at, e, "must be {endpoint: HOST:PORT, …}");
		return NULL;
	}
	json_object_foreach(value, key, member)
	{
		const struct value_place inner = value_at_key(at, key);
		if (read_member(settings, key, member, &inner, &reading, e) < 0)
			return NULL;
	}
	if (*reading.endpoint &&
	    get_target(settings, reading.endpoint, reading.insecure, &reading.endpoint_at, &target, e) < 0)
		return NULL;
	return json_pack("{s:s, s:I, s:O}", "target", target, "timeoutMs", (json_int_t)reading.timeout_ms, "timeouts",
	                 timeouts);
}

json_t *value_get_connectors(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *connectors = json_object();
	const char *name;
	json_t *member;
	if (!json_is_object(value) || json_object_size(value) > CONNECTORS_MAXIMUM) {
		value_refuse(at, e, "must be a map of at most %d names to {endpoint: HOST:PORT, …}",
		             CONNECTORS_MAXIMUM);
		return NULL;
	}
	json_object_foreach(value, name, member)
	{
		const struct value_place inner = value_at_key(at, name);
		if (!*name || strlen(name) > NAME_MAXIMUM || text_equal(name, CONNECTOR_DEFAULT)) {
			value_refuse(&inner, e, "is no name for a connector");
			return NULL;
		}
		json_t *connector = value_get_connector(settings, member, &inner, e);
		if (!connector)
			return NULL;
		json_object_set_new(connectors, name, connector);
		if (!*json_string_value(json_object_get(connector, "target"))) {
			value_refuse(&inner, e, "has no endpoint");
			return NULL;
		}
	}
	return steal_ptr(connectors);
}

json_t *value_get_task_types(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *types = json_array();
	if (!json_is_array(value) || json_array_size(value) > TASK_TYPES_MAXIMUM) {
		value_refuse(at, e, "must be a list of at most %d task types", TASK_TYPES_MAXIMUM);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner =
		        value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		const char *type;
		if (value_get_text(settings, json_array_get(value, i), &inner, &type, e) < 0)
			return NULL;
		if (!*type || strlen(type) > NAME_MAXIMUM) {
			value_refuse(&inner, e, "is no task type");
			return NULL;
		}
		json_array_append_new(types, json_string(type));
	}
	return steal_ptr(types);
}

json_t *value_get_assignments(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *assignments = json_object();
	const char *type;
	json_t *member;
	if (!json_is_object(value) || json_object_size(value) > TASK_TYPES_MAXIMUM) {
		value_refuse(at, e, "must be a map of at most %d task types to names of connectors",
		             TASK_TYPES_MAXIMUM);
		return NULL;
	}
	json_object_foreach(value, type, member)
	{
		const struct value_place inner = value_at_key(at, type);
		const char *name;
		if (value_get_text(settings, member, &inner, &name, e) < 0)
			return NULL;
		json_object_set_new(assignments, type, json_string(name));
	}
	return steal_ptr(assignments);
}

int settings_check_connectors(const struct settings *settings, const char *subject, struct err *e)
{
	const char *type;
	json_t *name;
	struct settings_connector ignored;
	json_object_foreach(settings->connector_assignments, type, name)
	{
		if (!settings_connector(settings, json_string_value(name), &ignored))
			return err_set(e, ERR_INVALID, "bad-setting",
			               "%s: plugins.connector-service.connectorForTaskTypes.%s: there is no connector "
			               "'%s' in plugins.connector-service.connectors",
			               subject, type, json_string_value(name));
	}
	if (json_array_size(settings->connector_task_types) > 0 &&
	    !settings_connector(settings, CONNECTOR_DEFAULT, &ignored))
		return err_set(e, ERR_INVALID, "bad-setting",
		               "%s: plugins.connector-service.supportedTaskTypes: there is no defaultConnector to "
		               "run them",
		               subject);
	return 0;
}

bool settings_connector(const struct settings *settings, const char *name, struct settings_connector *ret_connector)
{
	const json_t *connector = text_equal(name, CONNECTOR_DEFAULT) ? settings->connector_default
	                                                              : json_object_get(settings->connectors, name);
	const char *target = json_string_value(json_object_get(connector, "target"));
	if (text_is_empty(target))
		return false;
	*ret_connector = (struct settings_connector){
		.name = name,
		.target = target,
		.timeout_ms = json_integer_value(json_object_get(connector, "timeoutMs")),
		.timeouts = json_object_get(connector, "timeouts"),
		.ca_file = text_is_empty(settings->ca_file) ? NULL : settings->ca_file,
	};
	return true;
}

int64_t settings_connector_timeout_ms(const struct settings_connector *connector, const char *method)
{
	const json_t *own = json_object_get(connector->timeouts, method);
	return own ? json_integer_value(own) : connector->timeout_ms;
}
