#include "base/json.h"

#include <string.h>

/* Without this a value whose memory could not be had would be missing from what it was put into, and nobody would know. */
__attribute__((constructor)) static void use_our_memory(void)
{
	json_set_alloc_funcs(xmalloc, free);
}

void cleanup_json(json_t **value)
{
	json_decref(*value);
}

json_t *json_parse(const char *bytes, size_t length, const char *subject, struct err *e)
{
	json_error_t problem;
	json_t *value = json_loadb(bytes, length, JSON_DECODE_ANY, &problem);
	if (!value)
		err_set(e, ERR_INVALID, "malformed-json", "%s is not valid JSON: line %d, column %d: %s", subject, problem.line,
			problem.column, problem.text);
	return value;
}

char *json_to_text(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	return text ? text : xstrdup("null");
}

json_t *json_lookup(const json_t *value, const char *path)
{
	json_t *at = (json_t *)(uintptr_t)value;
	while (at && *path) {
		size_t length = strcspn(path, "/");
		char key[256];
		if (length >= sizeof(key))
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		at = json_object_get(at, key);
		path += length + (path[length] == '/');
	}
	return at;
}

const char *json_string_at(const json_t *value, const char *path, const char *fallback)
{
	const char *text = json_string_value(json_lookup(value, path));
	return text ? text : fallback;
}

json_int_t json_integer_at(const json_t *value, const char *path, json_int_t fallback)
{
	const json_t *at = json_lookup(value, path);
	return json_is_integer(at) ? json_integer_value(at) : fallback;
}

bool json_boolean_at(const json_t *value, const char *path, bool fallback)
{
	const json_t *at = json_lookup(value, path);
	return json_is_boolean(at) ? json_boolean_value(at) : fallback;
}
