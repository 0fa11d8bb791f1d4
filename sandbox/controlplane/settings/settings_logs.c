/* Links to the logs of tasks. The names of the keys are those of upstream (flyteplugins' tasklog.TemplateLogPlugin at
 * v1.16.8). */
#include "controlplane/settings/settings_internal.h"

#include "base/text.h"

#define TEMPLATES_MAXIMUM 32
#define URIS_MAXIMUM 8

static int get_uris(struct settings *settings, json_t *value, const struct value_place *at, json_t *template,
                    struct err *e)
{
	json_t *uris = json_array();
	json_object_set_new(template, "templateUris", uris);
	if (!json_is_array(value) || json_array_size(value) == 0 || json_array_size(value) > URIS_MAXIMUM)
		return value_refuse(at, e, "must be a list of 1 to %d templates of URLs", URIS_MAXIMUM);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		const char *uri;
		if (value_get_text(settings, json_array_get(value, i), &inner, &uri, e) < 0)
			return -1;
		if (text_is_empty(uri))
			return value_refuse(&inner, e, "must be the template of a URL");
		json_array_append_new(uris, json_string(uri));
	}
	return 0;
}

static int get_format(json_t *value, const struct value_place *at, json_t *template, struct err *e)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 2)
		return value_refuse(at, e, "must be 0 (unknown), 1 (CSV) or 2 (JSON)");
	json_object_set(template, "messageFormat", value);
	return 0;
}

static int get_member(struct settings *settings, const char *key, json_t *value, const struct value_place *at,
                      json_t *template, struct err *e)
{
	if (text_equal(key, "displayName")) {
		const char *name;
		if (value_get_text(settings, value, at, &name, e) < 0)
			return -1;
		json_object_set_new(template, key, json_string(name));
		return 0;
	}
	if (text_equal(key, "templateUris"))
		return get_uris(settings, value, at, template, e);
	if (text_equal(key, "messageFormat"))
		return get_format(value, at, template, e);
	if (text_equal(key, "showWhilePending") || text_equal(key, "hideOnceFinished")) {
		bool wanted;
		if (value_get_boolean(value, at, &wanted, e) < 0)
			return -1;
		json_object_set_new(template, key, json_boolean(wanted));
		return 0;
	}
	return value_refuse(at, e,
	                    "there is no such key; there are displayName, templateUris, messageFormat, "
	                    "showWhilePending and hideOnceFinished");
}

json_t *value_get_log_templates(struct settings *settings, json_t *value, const struct value_place *at, struct err *e)
{
	auto_json json_t *list = json_array();
	if (!json_is_array(value) || json_array_size(value) > TEMPLATES_MAXIMUM) {
		value_refuse(at, e, "must be a list of at most %d maps {displayName: NAME, templateUris: [URL]}",
		             TEMPLATES_MAXIMUM);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		const struct value_place inner = value_at_key(at, arena_printf(&settings->life->arena, "%zu", i));
		json_t *given = json_array_get(value, i), *template = json_object(), *member;
		const char *key;
		json_array_append_new(list, template);
		json_object_foreach(given, key, member)
		{
			const struct value_place place = value_at_key(&inner, key);
			if (get_member(settings, key, member, &place, template, e) < 0)
				return NULL;
		}
		if (text_is_empty(json_string_at(template, "displayName", NULL)) ||
		    !json_object_get(template, "templateUris")) {
			value_refuse(&inner, e, "must be {displayName: NAME, templateUris: [URL]}");
			return NULL;
		}
	}
	return steal_ptr(list);
}
