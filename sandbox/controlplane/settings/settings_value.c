/*
 * From a JSON value to a setting's field. Each kind is one function, which either refuses the value and says where it
 * stands, or returns what the field gets: text in the struct's arena, or a JSON value that the struct keeps.
 */
#include "controlplane/settings/settings_internal.h"

#include "base/duration.h"
#include "base/file.h"
#include "base/kubernetes_names.h"
#include "base/log.h"
#include "base/quantity.h"
#include "base/text.h"

#include <string.h>

#define TEXT_MAXIMUM ((size_t)64 * 1024)
#define DOMAIN_MAXIMUM 32
#define NS_PER_MS INT64_C(1000000)

int value_refuse(const struct value_place *at, struct err *e, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *what = xvasprintf(format, arguments);
	va_end(arguments);
	if (!at->places)
		return err_set(e, ERR_INVALID, "bad-setting", "%s: %s", at->subject, what);
	auto_buf struct buf keys = BUF_INIT((size_t)4096);
	for (size_t i = 0; i < at->depth; i++)
		(void)buf_add_format(&keys, "%s%s", i ? "." : "", at->keys[i]);
	return err_set(e, ERR_INVALID, "bad-setting", "%s, line %zu: %s%s%s", at->subject,
	               yaml_line_of(at->places, at->keys, at->depth), buf_text(&keys), at->depth ? ": " : "", what);
}

struct value_place value_at_key(const struct value_place *at, const char *key)
{
	struct value_place inner = *at;
	if (inner.depth < SETTING_DEPTH_MAXIMUM)
		inner.keys[inner.depth++] = key;
	return inner;
}

/* Text, or a number or boolean that somebody did not quote. NULL when the value is none of these. */
static char *scalar_text(struct arena *arena, json_t *value)
{
	if (json_is_string(value))
		return arena_strdup(arena, json_string_value(value));
	if (json_is_integer(value))
		return arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_boolean(value))
		return arena_strdup(arena, json_is_true(value) ? "true" : "false");
	if (json_is_real(value))
		return arena_printf(arena, "%.15g", json_real_value(value));
	return NULL;
}

int value_get_text(struct settings *settings, json_t *value, const struct value_place *at, const char **ret_text,
                   struct err *e)
{
	*ret_text = scalar_text(&settings->life->arena, value);
	if (!*ret_text)
		return value_refuse(at, e, "must be text");
	if (strlen(*ret_text) > TEXT_MAXIMUM)
		return value_refuse(at, e, "is longer than %zu bytes", TEXT_MAXIMUM);
	return 0;
}

static int get_log_level(struct settings *settings, json_t *value, const struct value_place *at,
                         const char **ret_text, struct err *e)
{
	enum log_level level;
	if (value_get_text(settings, value, at, ret_text, e) < 0)
		return -1;
	if (log_level_from_text(*ret_text, &level) < 0)
		return value_refuse(at, e, "'%s' must be debug, info, warn or error", *ret_text);
	return 0;
}

static int get_smtp_tls(struct settings *settings, json_t *value, const struct value_place *at,
                        const char **ret_text, struct err *e)
{
	static const char *const known[] = { "offered", "required", "implicit", "never" };
	if (value_get_text(settings, value, at, ret_text, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		if (text_equal(known[i], *ret_text))
			return 0;
	}
	return value_refuse(at, e, "'%s' must be offered, required, implicit or never", *ret_text);
}

static int get_url(struct settings *settings, json_t *value, const struct value_place *at, const char **ret_text,
                   struct err *e)
{
	if (value_get_text(settings, value, at, ret_text, e) < 0)
		return -1;
	const char *text = *ret_text;
	const bool http = text_starts_with(text, "http://") || text_starts_with(text, "https://");
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return value_refuse(at, e, "a URL has no spaces");
	}
	return !*text || http ? 0 : value_refuse(at, e, "'%s' must begin with http:// or https://", text);
}

static int get_quantity(struct settings *settings, json_t *value, const struct value_place *at,
                        const char **ret_text, struct err *e)
{
	struct quantity quantity;
	if (value_get_text(settings, value, at, ret_text, e) < 0)
		return -1;
	if (**ret_text && (!quantity_parse(*ret_text, &quantity) || quantity.nano < 0))
		return value_refuse(at, e, "'%s' is not a quantity of Kubernetes, like 500m or 1Gi", *ret_text);
	return 0;
}

static int get_number(const struct setting *setting, struct settings *settings, json_t *value,
                      const struct value_place *at, int64_t *ret_number, struct err *e)
{
	const char *text;
	if (value_get_text(settings, value, at, &text, e) < 0)
		return -1;
	if (!text_to_int64(text, setting->minimum, setting->maximum, ret_number))
		return value_refuse(at, e, "'%s' must be a number from %lld to %lld", text, (long long)setting->minimum,
		                    (long long)setting->maximum);
	return 0;
}

int value_get_boolean(json_t *value, const struct value_place *at, bool *ret_boolean, struct err *e)
{
	*ret_boolean = json_is_true(value);
	return json_is_boolean(value) ? 0 : value_refuse(at, e, "must be true or false");
}

int value_get_duration(struct settings *settings, json_t *value, const struct value_place *at, int64_t minimum_ms,
                       int64_t maximum_ms, int64_t *ret_ms, struct err *e)
{
	const char *text;
	int64_t ns;
	if (value_get_text(settings, value, at, &text, e) < 0)
		return -1;
	if (!duration_parse(text, &ns) || ns < minimum_ms * NS_PER_MS || ns > maximum_ms * NS_PER_MS)
		return value_refuse(at, e, "'%s' must be a duration from %lldms to %llds, like 1m30s", text,
		                    (long long)minimum_ms, (long long)maximum_ms / 1000);
	*ret_ms = ns / NS_PER_MS;
	return 0;
}

/* ---- Maps ---- */

static bool is_variable_name(const char *text)
{
	return *text && !strchr("0123456789", *text) &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] == '\0';
}

static int check_member(enum setting_kind kind, const char *key, const char *value, const struct value_place *at,
                        struct err *e)
{
	if (kind == SETTING_LABELS && !kubernetes_is_label_key(key))
		return value_refuse(at, e, "'%s' is not a label's key of Kubernetes", key);
	if (kind == SETTING_LABELS && !kubernetes_is_label_value(value))
		return value_refuse(at, e, "'%s' is not a label's value of Kubernetes", value);
	if (kind == SETTING_MAP && !kubernetes_is_label_key(key))
		return value_refuse(at, e, "'%s' is not an annotation's key of Kubernetes", key);
	if (kind == SETTING_ENVIRONMENT && !is_variable_name(key))
		return value_refuse(at, e, "'%s' is not a variable's name", key);
	return 0;
}

static int add_members(enum setting_kind kind, struct settings *settings, json_t *map, json_t *value,
                       const struct value_place *at, struct err *e)
{
	const char *key;
	json_t *member;
	if (!json_is_object(value))
		return value_refuse(at, e, "must be a map");
	json_object_foreach(value, key, member)
	{
		const struct value_place inner = value_at_key(at, key);
		const char *text;
		if (value_get_text(settings, member, &inner, &text, e) < 0 || check_member(kind, key, text, &inner, e) < 0)
			return -1;
		json_object_set_new(map, key, json_string(text));
	}
	return 0;
}

static json_t *get_map(enum setting_kind kind, struct settings *settings, json_t *value,
                       const struct value_place *at, struct err *e)
{
	auto_json json_t *map = json_object();
	if (kind != SETTING_ENVIRONMENT || !json_is_array(value))
		return add_members(kind, settings, map, value, at, e) < 0 ? NULL : steal_ptr(map);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		if (add_members(kind, settings, map, json_array_get(value, i), &inner, e) < 0)
			return NULL;
	}
	return steal_ptr(map);
}

static json_t *get_tolerations(struct settings *settings, json_t *value, const struct value_place *at,
                               struct err *e)
{
	if (!json_is_array(value)) {
		value_refuse(at, e, "must be a list of tolerations of Kubernetes");
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		if (!json_is_object(json_array_get(value, i))) {
			value_refuse(&inner, e, "must be a toleration of Kubernetes, like {key: k, operator: Exists}");
			return NULL;
		}
	}
	return json_deep_copy(value);
}

static json_t *get_pools(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *map = json_object();
	const char *domain;
	json_t *assignment;
	if (!json_is_object(value)) {
		value_refuse(at, e, "must be a map of domains to {pool: NAME}");
		return NULL;
	}
	json_object_foreach(value, domain, assignment)
	{
		const struct value_place inner = value_at_key(at, domain);
		const char *pool = json_string_value(json_object_get(assignment, "pool"));
		if (text_is_empty(pool) || json_object_size(assignment) != 1) {
			value_refuse(&inner, e, "must be {pool: NAME}");
			return NULL;
		}
		json_object_set_new(map, domain, json_string(pool));
	}
	(void)settings;
	return steal_ptr(map);
}

/* ---- Values of templates ---- */

static bool is_reserved(const char *name)
{
	return text_equal(name, "namespace") || text_equal(name, "project") || text_equal(name, "domain");
}

static int read_value_from(struct settings *settings, json_t *from, const struct value_place *at,
                           const char **ret_text, struct err *e)
{
	const char *variable = json_string_value(json_object_get(from, "env"));
	const char *path = json_string_value(json_object_get(from, "filePath"));
	if (json_object_size(from) != 1 || (!variable && !path))
		return value_refuse(at, e, "must be {env: VARIABLE} or {filePath: FILE}");
	if (variable) {
		const char *text = getenv(variable);
		if (text_is_empty(text))
			return value_refuse(at, e, "the variable '%s' is not set", variable);
		*ret_text = arena_strdup(&settings->life->arena, text);
		return 0;
	}
	auto_buf struct buf bytes = BUF_INIT(TEXT_MAXIMUM);
	auto_err struct err why = ERR_INIT;
	if (file_read(path, &bytes, &why) < 0)
		return value_refuse(at, e, "%s", err_message(&why));
	*ret_text = arena_strdup(&settings->life->arena, buf_text(&bytes));
	return 0;
}

/* {value: …} or {valueFrom: …}, as flyteadmin's DataSource. */
static int get_data_source(struct settings *settings, json_t *source, const struct value_place *at,
                           const char **ret_text, struct err *e)
{
	json_t *value = json_object_get(source, "value"), *from = json_object_get(source, "valueFrom");
	if (json_object_size(source) != 1 || (!value && !from))
		return value_refuse(at, e, "must be {value: TEXT} or {valueFrom: …}");
	const struct value_place inner = value_at_key(at, value ? "value" : "valueFrom");
	if (value ? value_get_text(settings, value, &inner, ret_text, e) < 0
	          : read_value_from(settings, from, &inner, ret_text, e) < 0)
		return -1;
	return **ret_text ? 0 : value_refuse(&inner, e, "must not be empty");
}

static int add_data(struct settings *settings, json_t *map, json_t *value, const struct value_place *at,
                    struct err *e)
{
	const char *name;
	json_t *source;
	if (!json_is_object(value))
		return value_refuse(at, e, "must be a map of template variables");
	json_object_foreach(value, name, source)
	{
		const struct value_place inner = value_at_key(at, name);
		const char *text;
		if (is_reserved(name))
			return value_refuse(&inner, e, "is the platform's, which gives it its value");
		if (get_data_source(settings, source, &inner, &text, e) < 0)
			return -1;
		json_object_set_new(map, name, json_string(text));
	}
	return 0;
}

static json_t *get_data(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *map = json_object();
	return add_data(settings, map, value, at, e) < 0 ? NULL : steal_ptr(map);
}

/* A map is one, a list of maps is all of them. */
static int add_data_list(struct settings *settings, json_t *map, json_t *value, const struct value_place *at,
                         struct err *e)
{
	if (!json_is_array(value))
		return add_data(settings, map, value, at, e);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		if (add_data(settings, map, json_array_get(value, i), &inner, e) < 0)
			return -1;
	}
	return 0;
}

static int add_domain_data(struct settings *settings, json_t *domains, json_t *value,
                           const struct value_place *at, struct err *e)
{
	const char *domain;
	json_t *data;
	if (!json_is_object(value))
		return value_refuse(at, e, "must be a map of domains to template variables");
	json_object_foreach(value, domain, data)
	{
		const struct value_place inner = value_at_key(at, domain);
		json_t *map = json_object_get(domains, domain);
		if (!map) {
			map = json_object();
			json_object_set_new(domains, domain, map);
		}
		if (add_data_list(settings, map, data, &inner, e) < 0)
			return -1;
	}
	return 0;
}

/* flyteadmin has a list of maps; a map alone is as good. */
static json_t *get_domain_data(struct settings *settings, json_t *value, const struct value_place *at,
                               struct err *e)
{
	auto_json json_t *domains = json_object();
	if (!json_is_array(value))
		return add_domain_data(settings, domains, value, at, e) < 0 ? NULL : steal_ptr(domains);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		if (add_domain_data(settings, domains, json_array_get(value, i), &inner, e) < 0)
			return NULL;
	}
	return steal_ptr(domains);
}

/* ---- Domains ---- */

static int get_domain(struct settings *settings, json_t *value, const struct value_place *at,
                      const struct settings_domain *others, size_t count, struct settings_domain *ret_domain,
                      struct err *e)
{
	const json_t *name = json_object_get(value, "name");
	*ret_domain = (struct settings_domain){ .id = NULL };
	const char *id = json_string_value(json_object_get(value, "id"));
	if (!id || json_object_size(value) != (name ? 2U : 1U) || (name && !json_is_string(name)))
		return value_refuse(at, e, "must be {id: ID, name: NAME}");
	if (!kubernetes_is_dns_label(id))
		return value_refuse(at, e, "the id '%s' must be lower case letters, digits and '-'", id);
	for (size_t i = 0; i < count; i++) {
		if (text_equal(others[i].id, id))
			return value_refuse(at, e, "the domain '%s' is there already", id);
	}
	ret_domain->id = arena_strdup(&settings->life->arena, id);
	ret_domain->name = name ? arena_strdup(&settings->life->arena, json_string_value(name)) : ret_domain->id;
	return 0;
}

static int get_domains(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	size_t count = json_array_size(value);
	if (!count)
		return value_refuse(at, e, "must be a list of {id: ID, name: NAME}, one at least");
	if (count > DOMAIN_MAXIMUM)
		return value_refuse(at, e, "there are more than %d domains", DOMAIN_MAXIMUM);
	struct settings_domain *domains = arena_array(&settings->life->arena, struct settings_domain, count);
	for (size_t i = 0; i < count; i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		if (get_domain(settings, json_array_get(value, i), &inner, domains, i, &domains[i], e) < 0)
			return -1;
	}
	settings->domains = domains;
	settings->domain_count = count;
	return 0;
}

static int keep(struct settings *settings, json_t *value, json_t **field)
{
	if (!value)
		return -1;
	json_array_append_new(settings->life->values, value);
	*field = value;
	return 0;
}

int value_set(const struct setting *setting, struct settings *settings, json_t *value, struct value_place *at,
              struct err *e)
{
	void *field = (char *)settings + setting->offset;
	switch (setting->kind) {
	case SETTING_TEXT:
		return value_get_text(settings, value, at, field, e);
	case SETTING_LOG_LEVEL:
		return get_log_level(settings, value, at, field, e);
	case SETTING_SMTP_TLS:
		return get_smtp_tls(settings, value, at, field, e);
	case SETTING_URL:
		return get_url(settings, value, at, field, e);
	case SETTING_QUANTITY:
		return get_quantity(settings, value, at, field, e);
	case SETTING_NUMBER:
		return get_number(setting, settings, value, at, field, e);
	case SETTING_BOOLEAN:
		return value_get_boolean(value, at, field, e);
	case SETTING_MAP:
	case SETTING_LABELS:
	case SETTING_ENVIRONMENT:
		return keep(settings, get_map(setting->kind, settings, value, at, e), field);
	case SETTING_TOLERATIONS:
		return keep(settings, get_tolerations(settings, value, at, e), field);
	case SETTING_POOLS:
		return keep(settings, get_pools(settings, value, at, e), field);
	case SETTING_DATA:
		return keep(settings, get_data(settings, value, at, e), field);
	case SETTING_DOMAIN_DATA:
		return keep(settings, get_domain_data(settings, value, at, e), field);
	case SETTING_DOMAINS:
		return get_domains(settings, value, at, e);
	case SETTING_DURATION:
		return value_get_duration(settings, value, at, setting->minimum, setting->maximum, field, e);
	case SETTING_CONNECTOR:
		return keep(settings, value_get_connector(settings, value, at, e), field);
	case SETTING_CONNECTORS:
		return keep(settings, value_get_connectors(settings, value, at, e), field);
	case SETTING_TASK_TYPES:
		return keep(settings, value_get_task_types(settings, value, at, e), field);
	case SETTING_ASSIGNMENTS:
		return keep(settings, value_get_assignments(settings, value, at, e), field);
	case SETTING_LOG_TEMPLATES:
		return keep(settings, value_get_log_templates(settings, value, at, e), field);
	}
	return 0;
}
