#include "init/control.h"

#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define OVERRIDE_MESSAGE                                                                                               \
	"not the image's own program: `sandbox reload` put it in, `sandbox reload --reset` takes it out"

int control_parse(const char *line, size_t length, struct control_request *ret_request, struct err *e)
{
	static const char *const names[] = { [CONTROL_STATUS] = "status",
		                             [CONTROL_START] = "start",
		                             [CONTROL_STOP] = "stop",
		                             [CONTROL_RESTART] = "restart" };
	auto_json json_t *object = json_parse(line, length, "the request", e);
	if (!object)
		return -1;
	const char *command = json_string_at(object, "command", "");
	size_t i = 0;
	while (i < ARRAY_LENGTH(names) && !text_equal(command, names[i]))
		i++;
	if (i == ARRAY_LENGTH(names))
		return err_set(e, ERR_INVALID, "unknown-command", "unknown command '%s'", command);
	struct control_request request = { .command = (enum control_command)i,
		                           .follow = json_boolean_at(object, "follow", false) };
	const char *service = json_string_at(object, "service", "");
	if (strlen(service) >= sizeof(request.service) || (request.command != CONTROL_STATUS && !*service))
		return err_set(e, ERR_INVALID, "unknown-service", "'%s' needs the name of a service", command);
	memcpy(request.service, service, strlen(service) + 1);
	/* One that is too long is none. */
	const char *token = json_string_at(object, "token", "");
	if (strlen(token) < sizeof(request.token))
		memcpy(request.token, token, strlen(token) + 1);
	*ret_request = request;
	return 0;
}

/* In a time that does not tell how much of it is right. */
static bool is_token(const char given[CONTROL_TOKEN_SIZE], const char *token)
{
	char wanted[CONTROL_TOKEN_SIZE] = { 0 };
	unsigned char difference = 0;
	memcpy(wanted, token, strnlen(token, sizeof(wanted) - 1));
	for (size_t i = 0; i < sizeof(wanted); i++)
		difference |= (unsigned char)(given[i] ^ wanted[i]);
	return difference == 0 && *given;
}

int control_admit(const struct control_request *request, const char *token, struct err *e)
{
	if (!is_token(request->token, token))
		return err_set(e, ERR_PERMISSION, "bad-token", "the status port needs the token of this container");
	if (request->command != CONTROL_STATUS || request->follow)
		return err_set(e, ERR_PERMISSION, "status-only", "the status port tells the status and does nothing else");
	return 0;
}

static char *to_line(json_t *object)
{
	auto_free char *text = json_to_text(object);
	json_decref(object);
	return xasprintf("%s\n", text);
}

/* jansson refuses invalid UTF-8, which a program's output may well contain. */
static json_t *safe_string(const char *text)
{
	json_t *value = json_string(text);
	if (value)
		return value;
	auto_free char *plain = xstrdup(text);
	for (char *c = plain; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(plain);
}

char *control_service_line(const struct service *service, int64_t now_ms)
{
	const char *message = service->message;
	if (!*message && service->overridden)
		message = OVERRIDE_MESSAGE;
	json_t *object = json_object();
	json_object_set_new(object, "service", json_string(service->config->name));
	json_object_set_new(object, "status", json_string(service_state_name(service->state)));
	json_object_set_new(object, "namespace", json_string(service->config->namespace));
	json_object_set_new(object, "message", safe_string(message));
	json_object_set_new(object, "endpoint_port", json_integer(service->config->endpoint_port));
	json_object_set_new(object, "since_ms", json_integer(now_ms - service->changed_ms));
	json_object_set_new(object, "hidden", json_boolean(service->config->hidden));
	return to_line(object);
}

bool control_all_ready(const struct service *services, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (services[i].wanted && !services[i].config->background && services[i].state != SERVICE_READY)
			return false;
	return true;
}

char *control_summary_line(const struct service *services, unsigned count, int64_t boot_ms)
{
	json_t *timings = json_object();
	for (unsigned i = 0; i < count; i++)
		if (services[i].ready_ms)
			json_object_set_new(timings, services[i].config->name,
			                    json_integer(services[i].ready_ms - boot_ms));
	json_t *object = json_object();
	json_object_set_new(object, "ready", json_boolean(control_all_ready(services, count)));
	json_object_set_new(object, "timings", timings);
	return to_line(object);
}

char *control_error_line(const struct err *e)
{
	json_t *error = json_object();
	json_object_set_new(error, "id", json_string(err_id(e)));
	json_object_set_new(error, "message", safe_string(err_message(e)));
	json_t *object = json_object();
	json_object_set_new(object, "error", error);
	return to_line(object);
}
