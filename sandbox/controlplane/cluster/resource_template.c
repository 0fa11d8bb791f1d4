#include "controlplane/cluster/resource_template.h"

#include "base/text.h"
#include "base/yaml.h"

#include <string.h>

#define NAME_MAXIMUM 256

const char *resource_values_get(const struct resource_values *values, const char *name)
{
	if (text_equal(name, "namespace"))
		return values->namespace;
	if (text_equal(name, "project"))
		return values->project;
	if (text_equal(name, "domain"))
		return values->domain;
	for (size_t i = 0; i < ARRAY_LENGTH(values->maps); i++) {
		const char *value = json_string_value(json_object_get(values->maps[i], name));
		if (value)
			return value;
	}
	return NULL;
}

/* One plain scalar wherever it stands, also within a flow collection or between quotes. */
static bool is_plain(const char *value)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = strlen(value);
	if (!length || (!strchr("/.+", value[0]) && !strchr(letters, value[0])) || strchr(" :", value[length - 1]))
		return false;
	for (const char *p = value; *p; p++) {
		if (!strchr(letters, *p) && !strchr("/.+-_:@%=~ ", *p))
			return false;
	}
	return !strstr(value, ": ");
}

static int add_value(struct buf *out, const char *name, const char *subject, const struct resource_values *values,
                     struct err *e)
{
	const char *value = resource_values_get(values, name);
	if (!value)
		return err_set(e, ERR_INVALID, "no-value", "%s: there is no value for '{{ %s }}'", subject, name);
	if (!is_plain(value))
		return err_set(e, ERR_INVALID, "bad-value",
		               "%s: the value of '{{ %s }}' must be plain text: letters, digits and /.+-_:@%%=~", subject,
		               name);
	if (buf_add_str(out, value) < 0)
		return err_set(e, ERR_INVALID, "too-large", "%s becomes larger than %zu bytes", subject, out->maximum);
	return 0;
}

/* The name between "{{" at `at` and "}}"; NULL when this is no variable, but YAML. */
static const char *variable_end(const char *at, const char *end, char name[NAME_MAXIMUM])
{
	const char *p = at + 2;
	while (p < end && *p == ' ')
		p++;
	size_t length = 0;
	while (p + length < end && length < NAME_MAXIMUM - 1 && p[length] &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", p[length]))
		length++;
	memcpy(name, p, length);
	name[length] = '\0';
	p += length;
	while (p < end && *p == ' ')
		p++;
	return length && end - p >= 2 && p[0] == '}' && p[1] == '}' ? p + 2 : NULL;
}

static int substitute(const char *text, size_t length, const char *subject, const struct resource_values *values,
                      struct buf *out, struct err *e)
{
	const char *end = text + length;
	for (const char *at = text; at < end;) {
		char name[NAME_MAXIMUM];
		const char *after = end - at >= 4 && at[0] == '{' && at[1] == '{' ? variable_end(at, end, name) : NULL;
		if (after) {
			if (add_value(out, name, subject, values, e) < 0)
				return -1;
			at = after;
		} else if (buf_add_byte(out, *at++) < 0) {
			return err_set(e, ERR_INVALID, "too-large", "%s becomes larger than %zu bytes", subject,
			               out->maximum);
		}
	}
	return 0;
}

json_t *resource_template_render(const char *text, size_t length, const char *subject,
                                 const struct resource_values *values, struct err *e)
{
	static const char *const required[] = { "apiVersion", "kind", "metadata/name" };
	auto_buf struct buf rendered = BUF_INIT(RESOURCE_TEMPLATE_MAXIMUM);
	if (substitute(text, length, subject, values, &rendered, e) < 0)
		return NULL;
	auto_json json_t *object = yaml_parse(buf_text(&rendered), rendered.length, subject, e);
	if (!object)
		return NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(required); i++) {
		if (text_is_empty(json_string_at(object, required[i], NULL))) {
			err_set(e, ERR_INVALID, "no-object", "%s is no object of Kubernetes: it has no %s", subject,
			        required[i]);
			return NULL;
		}
	}
	const char *namespace = json_string_at(object, "metadata/namespace", values->namespace);
	if (!text_equal(namespace, values->namespace)) {
		err_set(e, ERR_INVALID, "other-namespace", "%s is for the namespace \"%s\" instead of \"%s\"", subject,
		        namespace, values->namespace);
		return NULL;
	}
	return steal_ptr(object);
}
