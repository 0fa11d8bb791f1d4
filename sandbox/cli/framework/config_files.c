#include "cli/framework/config_files.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/framework/cli.h"
#include "cli/framework/verb.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAXIMUM ((size_t)1024 * 1024)
#define NAMES_MAXIMUM 64
#define DIRECTORY_MAXIMUM 4096

void config_files_release(struct config_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		json_decref(files->items[i].values);
		yaml_places_release(&files->items[i].places);
	}
	files->count = 0;
}

/* ---- where ---- */

/* The nearest sandbox.yaml upward, or NULL. */
static char *project_file(void)
{
	char directory[DIRECTORY_MAXIMUM];
	if (!getcwd(directory, sizeof(directory)))
		return NULL;
	for (;;) {
		char *path = file_join(directory, CONFIG_PROJECT_NAME);
		if (file_exists(path))
			return path;
		free(path);
		char *slash = strrchr(directory, '/');
		if (!slash || !directory[1])
			return NULL;
		slash[slash == directory] = '\0'; /* "/" stays */
	}
}

static char *user_file(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	if (!text_is_empty(config))
		return file_join(config, "sandbox/config.yaml");
	return text_is_empty(home) ? NULL : file_join(home, ".config/sandbox/config.yaml");
}

/* ---- what ---- */

/* A place in a file: section, option, element; each but the first may be NULL. */
static size_t line_of(const struct config_file *file, const char *first, const char *second)
{
	const char *const keys[] = { first, second };
	return yaml_line_of(&file->places, keys, second ? 2 : 1);
}

static int complain(const struct config_file *file, const char *section, const char *name, struct err *e,
                    const char *format, ...) PRINTF_LIKE(5, 6);
static int complain(const struct config_file *file, const char *section, const char *name, struct err *e,
                    const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	size_t line = section ? line_of(file, section, name) : line_of(file, name, NULL);
	return err_set(e, ERR_INVALID, "config-file", "%s, line %zu: %s", file->path, line, text);
}

static const struct option *find_option(const struct option *options, const char *name)
{
	for (; options && options->name; options++) {
		if (text_equal(options->name, name))
			return options;
	}
	return NULL;
}

static int unknown(const struct config_file *file, const char *section, const char *name, const struct option *options,
                   struct err *e)
{
	const char *names[NAMES_MAXIMUM];
	size_t count = 0;
	for (; options && options->name && count < NAMES_MAXIMUM; options++)
		names[count++] = options->name;
	for (size_t i = 0; !section && i < verb_count && count < NAMES_MAXIMUM; i++)
		names[count++] = verbs[i]->name;
	const char *near = text_suggest(name, names, count);
	complain(file, section, name, e, "%s%s'%s' is %s", section ? section : "", section ? ": " : "", name,
	         section ? "no option of this verb" : "neither an option of every verb nor a verb");
	return near ? err_hint(e, "did you mean '%s'?", near) : err_hint(e, "`sandbox help` lists them");
}

/* A scalar as it would be typed; NULL for a collection or null. Free with free(). */
static char *scalar_text(const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	if (json_is_integer(value))
		return xasprintf("%lld", (long long)json_integer_value(value));
	if (json_is_real(value))
		return xasprintf("%g", json_real_value(value));
	return json_is_boolean(value) ? xstrdup(json_is_true(value) ? "true" : "false") : NULL;
}

/* Relative to the file, or to the home directory with "~/", where the option is a file or directory. */
static char *resolve(const struct config_file *file, const struct option *option, char *text)
{
	bool is_path = text_equal(option->value, "FILE") || text_equal(option->value, "DIR");
	const char *home = getenv("HOME");
	if (!is_path || text[0] == '/')
		return text;
	auto_free char *owned = text;
	if (text_starts_with(owned, "~/") && !text_is_empty(home))
		return file_join(home, owned + 2);
	auto_free char *directory = xstrndup(file->path, (size_t)(strrchr(file->path, '/') - file->path));
	return file_join(*directory ? directory : "/", owned);
}

/* The texts of a list: of [a, b], of {A: b} as "A=b", of one scalar. NULL with `e`. */
static json_t *list_texts(const struct config_file *file, const char *section, const struct option *option,
                          const json_t *value, struct err *e)
{
	auto_json json_t *list = json_array();
	const char *key;
	json_t *element;
	size_t i;
	bool fits = true;
	json_object_foreach((json_t *)(uintptr_t)value, key, element)
	{
		auto_free char *text = scalar_text(element);
		auto_free char *pair = text ? xasprintf("%s=%s", key, text) : NULL;
		fits = fits && pair && json_array_append_new(list, json_string(pair)) == 0;
	}
	json_array_foreach(value, i, element)
	{
		char *scalar = scalar_text(element);
		auto_free char *text = scalar ? resolve(file, option, scalar) : NULL;
		fits = fits && text && json_array_append_new(list, json_string(text)) == 0;
	}
	char *scalar = scalar_text(value);
	auto_free char *single = scalar ? resolve(file, option, scalar) : NULL;
	if (single)
		json_array_append_new(list, json_string(single));
	if (fits && (single || json_is_object(value) || json_is_array(value)))
		return steal_ptr(list);
	complain(file, section, option->name, e, "%s: not a list of texts", option->name);
	return NULL;
}

/* Puts the option's value as text into `texts`. */
static int take_option(const struct config_file *file, const char *section, const struct option *option,
                       const json_t *value, json_t *texts, struct err *e)
{
	if (option->kind == OPTION_LIST) {
		json_t *list = list_texts(file, section, option, value, e);
		return list ? json_object_set_new(texts, option->name, list) : -1;
	}
	char *scalar = scalar_text(value);
	if (!scalar)
		return complain(file, section, option->name, e, "%s: not a single value", option->name);
	auto_free char *text = resolve(file, option, scalar);
	json_object_set_new(texts, option->name, json_string(text));
	return 0;
}

static int take_section(const struct config_file *file, const char *section, const struct option *options,
                        const json_t *values, json_t *texts, struct err *e)
{
	const char *name;
	json_t *value;
	if (!json_is_object(values) && !json_is_null(values))
		return complain(file, NULL, section, e, "%s: not a mapping of options", section);
	json_object_foreach((json_t *)(uintptr_t)values, name, value)
	{
		const struct option *option = find_option(options, name);
		if (!option)
			return unknown(file, section, name, options, e);
		if (take_option(file, section, option, value, texts, e) < 0)
			return -1;
	}
	return 0;
}

static int take_document(struct config_file *file, const json_t *document, struct err *e)
{
	const char *name;
	json_t *value;
	file->values = json_object();
	if (!json_is_object(document) && !json_is_null(document))
		return err_set(e, ERR_INVALID, "config-file", "%s, line 1: not a mapping", file->path);
	json_object_foreach((json_t *)(uintptr_t)document, name, value)
	{
		const struct option *option = find_option(global_options, name);
		const struct verb *verb = verb_find(name);
		if (option && !text_equal(name, "help")) {
			if (take_option(file, NULL, option, value, file->values, e) < 0)
				return -1;
			continue;
		}
		if (!verb)
			return unknown(file, NULL, name, global_options, e);
		json_t *texts = json_object();
		json_object_set_new(file->values, name, texts);
		if (take_section(file, name, verb->options, value, texts, e) < 0)
			return -1;
	}
	return 0;
}

int config_files_add(struct config_files *files, const char *path, bool of_project, const char *text, size_t length,
                     struct err *e)
{
	struct config_file *file = &files->items[files->count++];
	*file = (struct config_file){ .path = xstrdup(path), .places = YAML_PLACES_INIT, .of_project = of_project };
	auto_json json_t *document = yaml_parse_places(text, length, file->path, &file->places, e);
	return document ? take_document(file, document, e) : -1;
}

/* Takes the path over; an absent file is success. */
static int load(struct config_files *files, char *path, bool of_project, struct err *e)
{
	auto_free char *owned = path;
	auto_buf struct buf text = BUF_INIT(FILE_MAXIMUM);
	auto_err struct err problem = ERR_INIT;
	if (!owned)
		return 0;
	if (file_read(owned, &text, &problem) < 0)
		return problem.kind == ERR_NOT_FOUND ? 0 : err_move(e, &problem);
	return config_files_add(files, owned, of_project, buf_text(&text), text.length, e);
}

int config_files_load(struct config_files *files, struct err *e)
{
	return load(files, project_file(), true, e) < 0 || load(files, user_file(), false, e) < 0 ? -1 : 0;
}

/* ---- applying ---- */

static const json_t *section_of(const struct config_file *file, const char *section)
{
	return section ? json_object_get(file->values, section) : file->values;
}

/* A file's mistake, not the command line's. */
static int mistake(struct err *e)
{
	if (e) {
		e->kind = ERR_INVALID;
		e->id = "config-file";
	}
	return -1;
}

static size_t line_of_option(const struct config_file *file, const char *section, const struct option *option)
{
	return section ? line_of(file, section, option->name) : line_of(file, option->name, NULL);
}

static int apply_option(const struct config_file *file, const char *section, const struct option_set *set,
                        const struct option *option, const json_t *value, struct err *e)
{
	auto_free char *origin = xasprintf("%s, line %zu", file->path, line_of_option(file, section, option));
	auto_free char *where = xasprintf("%s: %s", origin, option->name);
	size_t i;
	json_t *element;
	if (json_is_string(value) && option_set_value(option, set->values, where, json_string_value(value), e) < 0)
		return mistake(e);
	json_array_foreach(value, i, element)
	{
		if (option_set_value(option, set->values, where, json_string_value(element), e) < 0)
			return mistake(e);
	}
	option_note_origin(set, option, origin);
	return 0;
}

int config_files_apply(const struct config_files *files, const char *section, const struct option_set *set,
                       struct err *e)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct config_file *file = &files->items[i];
		for (const struct option *option = set->options; option && option->name; option++) {
			const json_t *value = json_object_get(section_of(file, section), option->name);
			bool waits = file->of_project && !option->of_project;
			if (value && !waits && apply_option(file, section, set, option, value, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- trust ---- */

/* Whether `path` lies in the directory, wherever links lead. */
static bool lies_in(const char *path, const char *directory)
{
	auto_free char *parent = realpath(directory, NULL);
	auto_free char *child = realpath(path, NULL);
	size_t length = parent ? strlen(parent) : 0;
	return parent && child && strncmp(child, parent, length) == 0 && (child[length] == '/' || length == 1);
}

static bool is_trusted(const struct config_file *file, const struct option_list *trust)
{
	for (size_t i = 0; i < trust->count; i++) {
		if (lies_in(file->path, trust->items[i]))
			return true;
	}
	return false;
}

static int untrusted(const struct config_file *file, const char *section, const struct option *option, struct err *e)
{
	auto_free char *directory = xstrndup(file->path, (size_t)(strrchr(file->path, '/') - file->path));
	const char *shown = *directory ? directory : "/";
	err_set(e, ERR_PERMISSION, "untrusted-setting",
	        "%s, line %zu: a project's file may set '%s' only where the project is trusted", file->path,
	        line_of_option(file, section, option), option->name);
	return err_hint(
	        e,
	        "look at the file; if you trust the project: `--trust %s`, SANDBOX_TRUST=%s, or `trust: [%s]` in "
	        "~/.config/sandbox/config.yaml. Or say --%s yourself",
	        shown, shown, shown, option->name);
}

/* The elements of a list that the project's file adds stand in front of those of stronger sources. */
static int settle_list(const struct config_file *file, const char *section, const struct option_set *set,
                       const struct option *option, const json_t *value, struct err *e)
{
	struct option_list *list = (struct option_list *)(void *)((char *)set->values + option->offset);
	struct option_list stronger = *list;
	*list = (struct option_list){ .items = NULL };
	int outcome = apply_option(file, section, set, option, value, e);
	list->items = xreallocarray(list->items, list->count + stronger.count + 1, sizeof(*list->items));
	for (size_t i = 0; i < stronger.count; i++)
		list->items[list->count++] = stronger.items[i];
	option_list_release(&stronger);
	return outcome;
}

int config_files_settle(const struct config_files *files, const char *section, const struct option_set *set,
                        const struct option_list *trust, struct err *e)
{
	const struct config_file *file = files->count && files->items[0].of_project ? &files->items[0] : NULL;
	for (const struct option *option = set->options; file && option && option->name; option++) {
		const json_t *value = json_object_get(section_of(file, section), option->name);
		bool said = option_origin(set, option->name) != NULL;
		if (!value || option->of_project)
			continue;
		if (is_trusted(file, trust)) {
			int outcome = option->kind == OPTION_LIST ? settle_list(file, section, set, option, value, e)
			              : said                      ? 0
			                                          : apply_option(file, section, set, option, value, e);
			if (outcome < 0)
				return -1;
		} else if (!said) {
			return untrusted(file, section, option, e);
		}
	}
	return 0;
}

static char *joined(const json_t *value)
{
	char *text = xstrdup(json_is_string(value) ? json_string_value(value) : "");
	size_t i;
	json_t *element;
	json_array_foreach(value, i, element)
	{
		char *longer = xasprintf("%s%s%s", text, i ? " " : "", json_string_value(element));
		free(text);
		text = longer;
	}
	return text;
}

bool config_files_value(const struct config_files *files, const char *section, const struct option *option,
                        const struct option_list *trust, char **ret_value, char **ret_origin)
{
	for (size_t i = files->count; i-- > 0;) {
		const struct config_file *file = &files->items[i];
		const json_t *value = json_object_get(section_of(file, section), option->name);
		if (!value)
			continue;
		*ret_value = joined(value);
		bool refused = file->of_project && !option->of_project && !is_trusted(file, trust);
		*ret_origin = xasprintf("%s:%zu%s", file->path, line_of_option(file, section, option),
		                        refused ? " (not trusted)" : "");
		return true;
	}
	return false;
}
