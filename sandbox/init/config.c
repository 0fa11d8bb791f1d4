#include "init/config.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <signal.h>
#include <string.h>

#define CONFIG_SIZE_MAXIMUM ((size_t)256 * 1024)
#define DEFAULT_READY_SECONDS 60
#define DEFAULT_STOP_SECONDS 8

static int check_keys(const json_t *object, const char *place, const char *const *known, size_t known_count,
                      struct err *e)
{
	if (!json_is_object(object))
		return err_set(e, ERR_INVALID, "services-file", "%s must be an object", place);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		bool found = false;
		for (size_t i = 0; i < known_count && !found; i++)
			found = text_equal(key, known[i]);
		if (!found)
			return err_set(e, ERR_INVALID, "services-file", "%s has the unknown key '%s'", place, key);
	}
	return 0;
}

static int read_text(const json_t *object, const char *key, const char *place, bool required, char **ret_text,
                     struct err *e)
{
	const json_t *value = json_object_get(object, key);
	if (!value && !required)
		return 0;
	if (!json_is_string(value) || !*json_string_value(value))
		return err_set(e, ERR_INVALID, "services-file", "%s: '%s' must be a non-empty string", place, key);
	*ret_text = xstrdup(json_string_value(value));
	return 0;
}

static int read_texts(const json_t *array, const char *place, char ***ret_texts, unsigned *ret_count, struct err *e)
{
	if (!json_is_array(array))
		return err_set(e, ERR_INVALID, "services-file", "%s must be an array of strings", place);
	size_t count = json_array_size(array);
	char **texts = xcalloc(count + 1, sizeof(*texts));
	*ret_texts = texts;
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		if (!text)
			return err_set(e, ERR_INVALID, "services-file", "%s must be an array of strings", place);
		texts[i] = xstrdup(text);
	}
	if (ret_count)
		*ret_count = (unsigned)count;
	return 0;
}

static int read_environment(const json_t *object, const char *place, struct service_config *service, struct err *e)
{
	if (!object) {
		service->environment = xcalloc(1, sizeof(char *));
		return 0;
	}
	if (!json_is_object(object))
		return err_set(e, ERR_INVALID, "services-file", "%s: 'environment' must be an object", place);
	service->environment = xcalloc(json_object_size(object) + 1, sizeof(char *));
	const char *key;
	json_t *value;
	size_t i = 0;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (!json_is_string(value))
			return err_set(e, ERR_INVALID, "services-file",
			               "%s: the environment value of '%s' must be a string", place, key);
		service->environment[i++] = xasprintf("%s=%s", key, json_string_value(value));
	}
	return 0;
}

static int read_ready(const json_t *ready, const char *place, struct service_config *service, struct err *e)
{
	static const char *const keys[] = { "type", "address", "path", "timeout_seconds" };
	service->ready_timeout_ms = DEFAULT_READY_SECONDS * 1000;
	service->ready = service->once ? READY_EXIT : READY_NOTIFY;
	if (!ready)
		return 0;
	if (check_keys(ready, place, keys, ARRAY_LENGTH(keys), e) < 0)
		return -1;
	service->ready_timeout_ms = json_integer_at(ready, "timeout_seconds", DEFAULT_READY_SECONDS) * 1000;
	if (service->once)
		return 0;
	static const char *const types[] = {
		[READY_NOTIFY] = "notify", [READY_TCP] = "tcp", [READY_UNIX] = "unix", [READY_HTTP] = "http"
	};
	const char *type = json_string_at(ready, "type", "");
	size_t i = 0;
	while (i < ARRAY_LENGTH(types) && !text_equal(type, types[i]))
		i++;
	if (i == ARRAY_LENGTH(types))
		return err_set(e, ERR_INVALID, "services-file", "%s: unknown readiness type '%s'", place, type);
	service->ready = (enum ready_type)i;
	return read_text(ready, "address", place, service->ready != READY_NOTIFY, &service->ready_address, e) < 0 ||
	                       read_text(ready, "path", place, service->ready == READY_HTTP, &service->ready_path, e) <
	                               0
	               ? -1
	               : 0;
}

static int read_stop(const json_t *object, const char *place, struct service_config *service, struct err *e)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = { { "TERM", SIGTERM }, { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "KILL", SIGKILL } };
	const char *name = json_string_at(object, "stop_signal", "TERM");
	service->stop_ms = json_integer_at(object, "stop_seconds", DEFAULT_STOP_SECONDS) * 1000;
	for (size_t i = 0; i < ARRAY_LENGTH(signals); i++) {
		if (text_equal(name, signals[i].name)) {
			service->stop_signal = signals[i].number;
			return 0;
		}
	}
	return err_set(e, ERR_INVALID, "services-file", "%s: unknown stop signal '%s'", place, name);
}

static int read_service(const json_t *object, unsigned index, struct service_config *service, struct err *e)
{
	static const char *const keys[] = { "name",          "command", "user",        "environment",  "requires",
		                            "ready",         "restart", "stop_signal", "stop_seconds", "namespace",
		                            "endpoint_port", "hidden",  "autostart",   "background" };
	auto_free char *place = xasprintf("service %u ('%s')", index, json_string_at(object, "name", "?"));
	if (check_keys(object, place, keys, ARRAY_LENGTH(keys), e) < 0 ||
	    read_text(object, "name", place, true, &service->name, e) < 0 ||
	    read_texts(json_object_get(object, "command"), place, &service->command, NULL, e) < 0 ||
	    read_text(object, "user", place, false, &service->user, e) < 0 ||
	    read_environment(json_object_get(object, "environment"), place, service, e) < 0)
		return -1;
	if (!service->command[0])
		return err_set(e, ERR_INVALID, "services-file", "%s: 'command' is empty", place);
	const char *restart = json_string_at(object, "restart", "always");
	if (!text_equal(restart, "always") && !text_equal(restart, "never"))
		return err_set(e, ERR_INVALID, "services-file", "%s: 'restart' must be \"always\" or \"never\"", place);
	service->once = text_equal(restart, "never");
	service->namespace = xstrdup(json_string_at(object, "namespace", ""));
	service->endpoint_port = (int)json_integer_at(object, "endpoint_port", 0);
	service->hidden = json_boolean_at(object, "hidden", false);
	service->autostart = json_boolean_at(object, "autostart", true);
	service->background = json_boolean_at(object, "background", false);
	return read_ready(json_object_get(object, "ready"), place, service, e) < 0 ||
	                       read_stop(object, place, service, e) < 0
	               ? -1
	               : 0;
}

static int find_service(const struct init_config *config, const char *name)
{
	for (unsigned i = 0; i < config->service_count; i++)
		if (text_equal(config->services[i].name, name))
			return (int)i;
	return -1;
}

static int read_requirements(const json_t *array, struct init_config *config, unsigned index, struct err *e)
{
	struct service_config *service = &config->services[index];
	size_t i;
	json_t *value;
	json_array_foreach((json_t *)(uintptr_t)array, i, value)
	{
		const char *name = json_string_value(value);
		int required = name ? find_service(config, name) : -1;
		if (required < 0 || service->require_count == CONFIG_SERVICES_MAXIMUM)
			return err_set(e, ERR_INVALID, "services-file",
			               "service '%s' requires '%s', which does not exist", service->name,
			               name ? name : "?");
		service->requires[service->require_count++] = (unsigned)required;
	}
	return 0;
}

/* Depth-first: `marks` 1 on the current path, 2 done. */
static int refuse_cycles(const struct init_config *config, unsigned index, unsigned char *marks, struct err *e)
{
	const struct service_config *service = &config->services[index];
	if (marks[index] == 2)
		return 0;
	if (marks[index] == 1)
		return err_set(e, ERR_INVALID, "services-file", "service '%s' requires itself", service->name);
	marks[index] = 1;
	for (unsigned i = 0; i < service->require_count; i++)
		if (refuse_cycles(config, service->requires[i], marks, e) < 0)
			return err_wrap(e, "through '%s'", service->name);
	marks[index] = 2;
	return 0;
}

static int read_services(const json_t *array, struct init_config *config, struct err *e)
{
	size_t count = json_array_size(array);
	if (count == 0 || count > CONFIG_SERVICES_MAXIMUM)
		return err_set(e, ERR_INVALID, "services-file", "'services' must be an array of 1 to %d entries",
		               CONFIG_SERVICES_MAXIMUM);
	config->services = xcalloc(count, sizeof(*config->services));
	for (unsigned i = 0; i < count; i++) {
		config->service_count = i + 1;
		if (read_service(json_array_get(array, i), i, &config->services[i], e) < 0)
			return -1;
		if (find_service(config, config->services[i].name) != (int)i)
			return err_set(e, ERR_INVALID, "services-file", "two services are called '%s'",
			               config->services[i].name);
	}
	unsigned char marks[CONFIG_SERVICES_MAXIMUM] = { 0 };
	for (unsigned i = 0; i < count; i++)
		if (read_requirements(json_object_get(json_array_get(array, i), "requires"), config, i, e) < 0)
			return -1;
	for (unsigned i = 0; i < count; i++)
		if (refuse_cycles(config, i, marks, e) < 0)
			return -1;
	return 0;
}

static int read_directories(const json_t *array, struct init_config *config, struct err *e)
{
	static const char *const keys[] = { "path", "mode", "user" };
	config->directories = xcalloc(json_array_size(array), sizeof(*config->directories));
	size_t i;
	json_t *value;
	json_array_foreach((json_t *)(uintptr_t)array, i, value)
	{
		struct prepare_directory *directory = &config->directories[config->directory_count++];
		if (check_keys(value, "a directory", keys, ARRAY_LENGTH(keys), e) < 0 ||
		    read_text(value, "path", "a directory", true, &directory->path, e) < 0 ||
		    read_text(value, "user", directory->path, false, &directory->user, e) < 0)
			return -1;
		directory->mode = (mode_t)strtoul(json_string_at(value, "mode", "0755"), NULL, 8);
	}
	return 0;
}

static int read_copies(const json_t *array, struct init_config *config, struct err *e)
{
	static const char *const keys[] = { "from", "to" };
	config->copies = xcalloc(json_array_size(array), sizeof(*config->copies));
	size_t i;
	json_t *value;
	json_array_foreach((json_t *)(uintptr_t)array, i, value)
	{
		struct prepare_copy *copy = &config->copies[config->copy_count++];
		if (check_keys(value, "a copy", keys, ARRAY_LENGTH(keys), e) < 0 ||
		    read_text(value, "from", "a copy", true, &copy->from, e) < 0 ||
		    read_text(value, "to", "a copy", true, &copy->to, e) < 0)
			return -1;
	}
	return 0;
}

int config_parse(const char *bytes, size_t length, struct init_config *ret_config, struct err *e)
{
	static const char *const keys[] = { "prepare", "services" };
	static const char *const prepare_keys[] = { "directories", "remove", "copies" };
	*ret_config = (struct init_config){ 0 };
	auto_json json_t *root = json_parse(bytes, length, "the services file", e);
	if (!root || check_keys(root, "the services file", keys, ARRAY_LENGTH(keys), e) < 0)
		return -1;
	const json_t *prepare = json_object_get(root, "prepare");
	if (prepare) {
		const json_t *removals = json_object_get(prepare, "remove");
		if (check_keys(prepare, "'prepare'", prepare_keys, ARRAY_LENGTH(prepare_keys), e) < 0 ||
		    read_directories(json_object_get(prepare, "directories"), ret_config, e) < 0 ||
		    read_copies(json_object_get(prepare, "copies"), ret_config, e) < 0 ||
		    (removals &&
		     read_texts(removals, "'remove'", &ret_config->removals, &ret_config->removal_count, e) < 0))
			return -1;
	}
	return read_services(json_object_get(root, "services"), ret_config, e);
}

int config_read(const char *path, struct init_config *ret_config, struct err *e)
{
	*ret_config = (struct init_config){ 0 };
	auto_buf struct buf text = BUF_INIT(CONFIG_SIZE_MAXIMUM);
	if (file_read(path, &text, e) < 0)
		return -1;
	if (config_parse(buf_text(&text), text.length, ret_config, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

static void free_texts(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

void config_release(struct init_config *config)
{
	for (unsigned i = 0; i < config->service_count; i++) {
		struct service_config *service = &config->services[i];
		free(service->name);
		free_texts(service->command);
		free(service->user);
		free_texts(service->environment);
		free(service->ready_address);
		free(service->ready_path);
		free(service->namespace);
	}
	free(config->services);
	for (unsigned i = 0; i < config->directory_count; i++) {
		free(config->directories[i].path);
		free(config->directories[i].user);
	}
	free(config->directories);
	for (unsigned i = 0; i < config->copy_count; i++) {
		free(config->copies[i].from);
		free(config->copies[i].to);
	}
	free(config->copies);
	free_texts(config->removals);
	*config = (struct init_config){ 0 };
}
