#include "cli/instance/services.h"

#include "base/text.h"

#include <string.h>

void services_release(struct services *services)
{
	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->items[i];
		free(service->name);
		free(service->status);
		free(service->namespace);
		free(service->message);
	}
	json_decref(services->timings);
	*services = (struct services)SERVICES_INIT;
}

static struct service *find_or_add(struct services *services, const char *name)
{
	for (size_t i = 0; i < services->count; i++) {
		if (text_equal(services->items[i].name, name))
			return &services->items[i];
	}
	if (services->count == SERVICES_MAXIMUM)
		return NULL;
	struct service *service = &services->items[services->count++];
	*service = (struct service){ .name = xstrdup(name) };
	return service;
}

/* True when the text differs from what was there. */
static bool assign(char **field, const char *text)
{
	if (text_equal(*field, text))
		return false;
	free(*field);
	*field = xstrdup(text);
	return true;
}

static int take_service(struct services *services, const char *name, const json_t *line, size_t *ret_index,
                        struct err *e)
{
	struct service *service = find_or_add(services, name);
	if (!service)
		return err_set(e, ERR_INTERNAL, "too-many-services", "the sandbox reports more than %d services",
		               SERVICES_MAXIMUM);
	const char *status = json_string_at(line, "status", "unknown");
	bool new_status = assign(&service->status, status);
	bool new_message = assign(&service->message, json_string_at(line, "message", ""));
	assign(&service->namespace, json_string_at(line, "namespace", ""));
	service->endpoint_port = (int)json_integer_at(line, "endpoint_port", 0);
	service->hidden = json_boolean_at(line, "hidden", false);
	service->failures += new_status && text_equal(status, "failed");
	*ret_index = (size_t)(service - services->items);
	return new_status || new_message;
}

int services_take(struct services *services, const json_t *line, size_t *ret_index, struct err *e)
{
	const char *error = json_string_at(line, "error/message", NULL);
	if (error)
		return err_set(e, ERR_INTERNAL, "sandbox-error", "the sandbox says: %s", error);
	const char *name = json_string_at(line, "service", NULL);
	if (name)
		return take_service(services, name, line, ret_index, e);
	json_t *timings = json_lookup(line, "timings");
	services->complete = true;
	services->ready = json_boolean_at(line, "ready", false);
	if (timings) {
		json_decref(services->timings);
		services->timings = json_incref(timings);
	}
	return 0;
}

static bool is_wanted(const struct service *service)
{
	return !text_equal(service->status, "ready") && !text_equal(service->status, "stopped");
}

char *services_missing(const struct services *services)
{
	char *text = xstrdup("");
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->items[i];
		if (!is_wanted(service))
			continue;
		auto_free char *headline = service_headline(service);
		char *longer = xasprintf("%s%s%s (%s%s%s)", text, *text ? ", " : "", service->name, service->status,
		                         *headline ? ": " : "", headline);
		free(text);
		text = longer;
	}
	return text;
}

const struct service *services_culprit(const struct services *services)
{
	const struct service *other = NULL;
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->items[i];
		if (text_equal(service->status, "failed") || service->failures)
			return service;
		if (is_wanted(service) && (!other || text_equal(service->status, "starting")))
			other = service;
	}
	return other;
}

char *service_headline(const struct service *service)
{
	const char *message = service->message ? service->message : "";
	return xstrndup(message, strcspn(message, "\n"));
}

bool service_is_shown(const struct service *service)
{
	return !service->hidden || service->failures;
}
