/*
 * Reading settings. The defaults, the file and the environment are three sources of the same JSON values, which
 * value_set checks and keeps; the file is walked by its own keys, so that one that is no setting is found, with its
 * line and what may have been meant.
 */
#include "controlplane/settings/settings_internal.h"

#include "base/file.h"
#include "base/text.h"

#include <pthread.h>
#include <string.h>

#define ARENA_MAXIMUM ((size_t)64 * 1024 * 1024)
#define CANDIDATE_MAXIMUM 128

static struct settings *settings_new(void)
{
	struct settings *settings = xcalloc(1, sizeof(*settings));
	struct settings_life *life = settings->life = xcalloc(1, sizeof(*life));
	life->arena = (struct arena)ARENA_INIT(ARENA_MAXIMUM);
	life->values = json_array();
	life->self = settings;
	atomic_init(&life->references, 1);
	return settings;
}

const struct settings *settings_retain(const struct settings *settings)
{
	atomic_fetch_add_explicit(&settings->life->references, 1, memory_order_relaxed);
	return settings;
}

const struct settings *settings_release(const struct settings *settings)
{
	struct settings_life *life = settings ? settings->life : NULL;
	if (life && atomic_fetch_sub_explicit(&life->references, 1, memory_order_acq_rel) == 1) {
		json_decref(life->values);
		arena_release(&life->arena);
		free(life->self);
		free(life);
	}
	return NULL;
}

void cleanup_settings(const struct settings **settings)
{
	settings_release(*settings);
}

/* A value that is written as text: as it is where text is wanted, else as YAML. */
static int set_from_text(const struct setting *setting, struct settings *settings, const char *text,
                         const char *subject, struct err *e)
{
	struct value_place at = { .subject = subject };
	auto_json json_t *value = NULL;
	switch (setting->kind) {
	case SETTING_TEXT:
	case SETTING_LOG_LEVEL:
	case SETTING_SMTP_TLS:
	case SETTING_URL:
	case SETTING_QUANTITY:
	case SETTING_NUMBER:
	case SETTING_DURATION:
		value = json_string(text);
		if (!value)
			return value_refuse(&at, e, "is not valid UTF-8");
		break;
	default:
		value = yaml_parse(text, strlen(text), subject, e);
		if (!value)
			return -1;
	}
	return value_set(setting, settings, value, &at, e);
}

static int set_defaults(struct settings *settings, struct err *e)
{
	for (size_t i = 0; i < settings_table_size; i++) {
		if (set_from_text(&settings_table[i], settings, settings_table[i].fallback, "a default", e) < 0)
			return -1;
	}
	return 0;
}

/* A variable that is empty is as one that is not there, unless the setting is text, of which "" means none. */
static int set_from_environment(struct settings *settings, struct err *e)
{
	for (size_t i = 0; i < settings_table_size; i++) {
		const struct setting *setting = &settings_table[i];
		const char *text = setting->variable ? getenv(setting->variable) : NULL;
		bool may_be_empty = setting->kind == SETTING_TEXT || setting->kind == SETTING_QUANTITY;
		if (text && (*text || may_be_empty) &&
		    set_from_text(setting, settings, text, setting->variable, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- The file ---- */

static char *path_text(struct arena *arena, const struct value_place *at)
{
	char *path = arena_strdup(arena, "");
	for (size_t i = 0; i < at->depth; i++)
		path = arena_printf(arena, "%s%s%s", path, i ? "." : "", at->keys[i]);
	return path;
}

static const struct setting *find_setting(const char *path)
{
	for (size_t i = 0; i < settings_table_size; i++) {
		if (text_equal(settings_table[i].path, path))
			return &settings_table[i];
	}
	return NULL;
}

/* Where the rest of a setting's path starts that lies inside of `section`, or NULL. */
static const char *inside_of(const struct setting *setting, const char *section)
{
	size_t length = strlen(section);
	if (!setting->path || strncmp(setting->path, section, length) != 0)
		return NULL;
	if (!length)
		return setting->path;
	return setting->path[length] == '.' ? setting->path + length + 1 : NULL;
}

static bool is_section(const char *path)
{
	for (size_t i = 0; i < settings_table_size; i++) {
		if (inside_of(&settings_table[i], path))
			return true;
	}
	return false;
}

static int unknown(struct arena *arena, const struct value_place *at, const char *section, struct err *e)
{
	const char *key = at->keys[at->depth - 1];
	const char *candidates[CANDIDATE_MAXIMUM];
	size_t count = 0;
	for (size_t i = 0; i < settings_table_size && count < CANDIDATE_MAXIMUM; i++) {
		const char *rest = inside_of(&settings_table[i], section);
		if (rest)
			candidates[count++] = arena_strndup(arena, rest, strcspn(rest, "."));
	}
	const char *meant = text_suggest(key, candidates, count);
	return meant ? value_refuse(at, e, "there is no such setting; did you mean '%s'?", meant)
	             : value_refuse(at, e, "there is no such setting");
}

static int read_section(struct settings *settings, json_t *section, struct value_place *at, struct err *e)
{
	const char *path = path_text(&settings->life->arena, at), *key;
	json_t *value;
	if (json_is_null(section))
		return 0;
	if (!json_is_object(section))
		return value_refuse(at, e, at->depth ? "must be a map" : "the file must be a map");
	json_object_foreach(section, key, value)
	{
		struct value_place inner = *at;
		/* The table is less deep than this. */
		inner.keys[inner.depth++] = key;
		const char *inner_path = path_text(&settings->life->arena, &inner);
		const struct setting *setting = find_setting(inner_path);
		int outcome = 0;
		if (setting)
			outcome = json_is_null(value) ? 0 : value_set(setting, settings, value, &inner, e);
		else if (is_section(inner_path))
			outcome = read_section(settings, value, &inner, e);
		else
			outcome = unknown(&settings->life->arena, &inner, path, e);
		if (outcome < 0)
			return -1;
	}
	return 0;
}

static int set_from_file(struct settings *settings, const char *text, size_t length, const char *subject, struct err *e)
{
	auto_yaml_places struct yaml_places places = YAML_PLACES_INIT;
	struct value_place at = { .subject = subject, .places = &places };
	if (length > SETTINGS_FILE_MAXIMUM)
		return err_set(e, ERR_INVALID, "bad-setting", "%s is larger than %zu bytes", subject,
		               SETTINGS_FILE_MAXIMUM);
	auto_json json_t *document = yaml_parse_places(text, length, subject, &places, e);
	return document ? read_section(settings, document, &at, e) : -1;
}

static int check_together(const struct settings *settings, const char *subject, struct err *e)
{
	if (settings->literal_offloading_minimum_mb > settings->literal_offloading_maximum_mb)
		return err_set(e, ERR_INVALID, "bad-setting",
		               "%s: propeller.literal-offloading-config: the least size, %lld MB, is above the "
		               "greatest, %lld MB",
		               subject, (long long)settings->literal_offloading_minimum_mb,
		               (long long)settings->literal_offloading_maximum_mb);
	return settings_check_connectors(settings, subject, e);
}

/* What follows from others. */
static void complete(struct settings *settings)
{
	if (text_is_empty(settings->console_url) && !text_is_empty(settings->public_endpoint))
		settings->console_url =
		        arena_printf(&settings->life->arena, "%s/console", settings->public_endpoint);
}

int settings_parse(const char *text, size_t length, const char *subject, bool environment,
                   const struct settings **ret_settings, struct err *e)
{
	auto_settings const struct settings *made = NULL;
	struct settings *settings = settings_new();
	made = settings;
	if (set_defaults(settings, e) < 0 || set_from_file(settings, text, length, subject, e) < 0 ||
	    (environment && set_from_environment(settings, e) < 0) || check_together(settings, subject, e) < 0)
		return -1;
	complete(settings);
	*ret_settings = steal_ptr(made);
	return 0;
}

const char *settings_file_of_environment(void)
{
	const char *file = getenv("FLYTE_CONFIG_FILE");
	return file ? file : settings_default()->file;
}

int settings_read_without(const char *file, const struct settings **ret_settings, struct err *e)
{
	if (settings_parse("", 0, "settings", true, ret_settings, e) < 0)
		return -1;
	struct settings *settings = (*ret_settings)->life->self;
	settings->file = arena_strdup(&settings->life->arena, file);
	return 0;
}

int settings_read(const char *file, const struct settings **ret_settings, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SETTINGS_FILE_MAXIMUM + 1);
	if (text_is_empty(file))
		return settings_read_without("", ret_settings, e);
	auto_err struct err why = ERR_INIT;
	if (file_read(file, &text, &why) < 0 && why.kind != ERR_NOT_FOUND) {
		err_move(e, &why);
		return err_wrap(e, "cannot read the settings");
	}
	const char *slash = strrchr(file, '/');
	if (settings_parse(buf_text(&text), text.length, slash ? slash + 1 : file, true, ret_settings, e) < 0)
		return -1;
	struct settings *settings = (*ret_settings)->life->self;
	settings->file = arena_strdup(&settings->life->arena, file);
	return 0;
}

static bool domains_equal(const struct settings *a, const struct settings *b)
{
	bool equal = a->domain_count == b->domain_count;
	for (size_t i = 0; equal && i < a->domain_count; i++)
		equal = text_equal(a->domains[i].id, b->domains[i].id) &&
		        text_equal(a->domains[i].name, b->domains[i].name);
	return equal;
}

static bool field_equal(const struct setting *setting, const struct settings *a, const struct settings *b)
{
	const void *one = (const char *)a + setting->offset, *other = (const char *)b + setting->offset;
	switch (setting->kind) {
	case SETTING_TEXT:
	case SETTING_LOG_LEVEL:
	case SETTING_SMTP_TLS:
	case SETTING_URL:
	case SETTING_QUANTITY:
		return text_equal(*(const char *const *)one, *(const char *const *)other);
	case SETTING_NUMBER:
	case SETTING_DURATION:
		return *(const int64_t *)one == *(const int64_t *)other;
	case SETTING_BOOLEAN:
		return *(const bool *)one == *(const bool *)other;
	case SETTING_DOMAINS:
		return domains_equal(a, b);
	default:
		return json_equal(*(json_t *const *)one, *(json_t *const *)other);
	}
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	for (size_t i = 0; i < settings_table_size; i++) {
		if (!field_equal(&settings_table[i], a, b))
			return false;
	}
	return true;
}

static const struct settings *defaults;

static void make_defaults(void)
{
	auto_err struct err e = ERR_INIT;
	if (settings_parse("", 0, "defaults", false, &defaults, &e) < 0)
		abort(); /* a default in the table is wrong: found by any test */
}

const struct settings *settings_default(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_defaults);
	return defaults;
}

const char *settings_map_get(const json_t *map, const char *key)
{
	return json_string_value(json_object_get(map, key));
}

bool settings_has_domain(const struct settings *settings, const char *domain)
{
	for (size_t i = 0; i < settings->domain_count; i++) {
		if (text_equal(settings->domains[i].id, domain))
			return true;
	}
	return false;
}
