/* Any text as a template, and any as a value: rendered or refused; a value never adds anything to the object. */
#include "controlplane/cluster/resource_template.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *render(const char *text, size_t length, const char *value)
{
	auto_json json_t *map = json_object();
	if (json_object_set_new(map, "v", json_string(value)) < 0)
		return NULL; /* no UTF-8: never gets this far */
	const struct resource_values values = { .namespace = "p-d", .project = "p", .domain = "d", .maps = { map } };
	return resource_template_render(text, length, "file", &values, NULL);
}

/* The first line is a value, the rest a template. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	if (!line)
		return 0;
	auto_free char *value = xstrndup((const char *)data, (size_t)(line - data));
	auto_json json_t *free_form = render((const char *)line + 1, size - (size_t)(line - data) - 1, value);
	static const char fixed[] = "{apiVersion: v1, kind: K, metadata: {name: n}, a: {{ v }}, b: '{{ v }}', c: [{{ v }}]}";
	auto_json json_t *object = render(fixed, strlen(fixed), value);
	if (object && (json_object_size(object) != 6 || json_array_size(json_object_get(object, "c")) != 1 ||
	               !text_equal(json_string_at(object, "b", NULL), value)))
		abort();
	return 0;
}
