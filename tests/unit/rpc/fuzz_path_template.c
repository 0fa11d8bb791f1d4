/* The first line is a template, the rest a path: no crash, and as many values as variables when they match. */
#include "rpc/path_template.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = xstrndup((const char *)data, size);
	char *path = strchr(text, '\n');
	struct path_template t;
	struct path_values values;
	if (!path)
		return 0;
	*path++ = '\0';
	if (path_template_parse(text, &t, NULL) < 0)
		return 0;
	if (path_template_match(&t, path, &values)) {
		size_t variables = 0;
		for (size_t i = 0; i < t.count; i++)
			variables += t.segments[i].variable;
		if (values.count != variables)
			abort();
		path_values_release(&values);
	}
	path_template_release(&t);
	return 0;
}
