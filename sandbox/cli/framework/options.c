#include "cli/framework/options.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* A month: nobody waits longer, or wants a sandbox for longer and then not at all. */
#define SECONDS_MAXIMUM INT64_C(2678400)
#define NAMES_MAXIMUM 64

void option_origins_release(struct option_origins *origins)
{
	for (size_t i = 0; i < OPTIONS_MAXIMUM; i++)
		free(origins->of[i]);
	*origins = (struct option_origins){ .of = { NULL } };
}

void option_note_origin(const struct option_set *set, const struct option *option, const char *origin)
{
	size_t i = (size_t)(option - set->options);
	if (!set->origins || i >= OPTIONS_MAXIMUM)
		return;
	free(set->origins->of[i]);
	set->origins->of[i] = xstrdup(origin);
}

const char *option_origin(const struct option_set *set, const char *name)
{
	for (size_t i = 0; set->origins && set->options && set->options[i].name && i < OPTIONS_MAXIMUM; i++) {
		if (text_equal(set->options[i].name, name))
			return set->origins->of[i];
	}
	return NULL;
}

/* A value that somebody has said. */
static int give(const struct option_set *set, const struct option *option, const char *origin, const char *value,
                struct err *e)
{
	option_note_origin(set, option, origin);
	return option_set_value(option, set->values, origin, value, e);
}

void option_list_release(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){ .items = NULL };
}

bool option_parse_seconds(const char *text, int64_t *ret_ms)
{
	size_t length = strlen(text);
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	int64_t unit = 1;
	for (size_t i = 0; length && i < ARRAY_LENGTH(units); i++) {
		if (text[length - 1] != units[i].letter)
			continue;
		unit = units[i].seconds;
		length--;
		break;
	}
	auto_free char *digits = xstrndup(text, length);
	int64_t number;
	if (!text_to_int64(digits, 0, SECONDS_MAXIMUM, &number) || number * unit > SECONDS_MAXIMUM)
		return false;
	*ret_ms = number * unit * 1000;
	return true;
}

static int bad_value(const char *where, const char *value, const char *expected, struct err *e)
{
	return err_set(e, ERR_USAGE, "bad-value", "%s: '%s' is not %s", where, value, expected);
}

static int set_choice(const struct option *option, const char **field, const char *where, const char *value,
                      struct err *e)
{
	size_t count = 0;
	auto_free char *list = xstrdup("");
	for (const char *const *choice = option->choices; *choice; choice++, count++) {
		if (strcasecmp(*choice, value) == 0) {
			*field = *choice;
			return 0;
		}
		char *longer = xasprintf("%s%s%s", list, *list ? ", " : "", *choice);
		free(list);
		list = longer;
	}
	auto_free char *expected = xasprintf("one of %s", list);
	bad_value(where, value, expected, e);
	const char *near = text_suggest(value, option->choices, count);
	return near ? err_hint(e, "did you mean '%s'?", near) : -1;
}

int option_set_value(const struct option *option, void *values, const char *where, const char *value, struct err *e)
{
	char *field = (char *)values + option->offset;
	switch (option->kind) {
	case OPTION_FLAG: {
		bool off = text_equal(value, "0") || text_equal(value, "false") || text_equal(value, "no");
		if (!off && !text_equal(value, "1") && !text_equal(value, "true") && !text_equal(value, "yes"))
			return bad_value(where, value, "true or false", e);
		*(bool *)(void *)field = !off;
		return 0;
	}
	case OPTION_TEXT:
		*(const char **)(void *)field = value;
		return 0;
	case OPTION_CHOICE:
		return set_choice(option, (const char **)(void *)field, where, value, e);
	case OPTION_NUMBER:
		if (!text_to_int64(value, option->minimum, option->maximum, (int64_t *)(void *)field)) {
			auto_free char *expected = xasprintf("a number from %lld to %lld", (long long)option->minimum,
			                                     (long long)option->maximum);
			return bad_value(where, value, expected, e);
		}
		return 0;
	case OPTION_SECONDS:
		if (!option_parse_seconds(value, (int64_t *)(void *)field))
			return bad_value(where, value, "a duration such as 90, 90s, 5m, 2h or 3d", e);
		return 0;
	case OPTION_LIST: {
		struct option_list *list = (struct option_list *)(void *)field;
		list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
		list->items[list->count++] = value;
		return 0;
	}
	}
	return err_set(e, ERR_INTERNAL, NULL, "option of unknown kind");
}

int options_set_fallbacks(const struct option_set *set, struct err *e)
{
	for (const struct option *option = set->options; option && option->name; option++) {
		if (option->fallback && option_set_value(option, set->values, option->name, option->fallback, e) < 0)
			return -1;
	}
	return 0;
}

int options_set_environment(const struct option_set *set, struct err *e)
{
	for (const struct option *option = set->options; option && option->name; option++) {
		const char *value = option->environment ? getenv(option->environment) : NULL;
		if (!text_is_empty(value) && give(set, option, option->environment, value, e) < 0)
			return -1;
	}
	return 0;
}

void options_release(const struct option_set *set)
{
	for (const struct option *option = set->options; option && option->name; option++) {
		if (option->kind == OPTION_LIST)
			option_list_release((struct option_list *)(void *)((char *)set->values + option->offset));
	}
}

struct match {
	const struct option *option;
	const struct option_set *set;
};

static bool find_name(const struct parse *parse, const char *name, size_t length, struct match *ret_match)
{
	for (size_t i = 0; i < parse->set_count; i++) {
		for (const struct option *option = parse->sets[i].options; option && option->name; option++) {
			if (strlen(option->name) == length && memcmp(option->name, name, length) == 0) {
				*ret_match = (struct match){ option, &parse->sets[i] };
				return true;
			}
		}
	}
	return false;
}

static bool find_letter(const struct parse *parse, char letter, struct match *ret_match)
{
	for (size_t i = 0; i < parse->set_count; i++) {
		for (const struct option *option = parse->sets[i].options; option && option->name; option++) {
			if (option->letter == letter) {
				*ret_match = (struct match){ option, &parse->sets[i] };
				return true;
			}
		}
	}
	return false;
}

static int unknown_option(const struct parse *parse, const char *word, struct err *e)
{
	const char *names[NAMES_MAXIMUM];
	size_t count = 0;
	for (size_t i = 0; i < parse->set_count; i++) {
		for (const struct option *option = parse->sets[i].options;
		     option && option->name && count < NAMES_MAXIMUM; option++)
			names[count++] = option->name;
	}
	auto_free char *name = word[1] == '-' ? xstrndup(word + 2, strcspn(word + 2, "=")) : xstrdup("");
	const char *near = *name ? text_suggest(name, names, count) : NULL;
	err_set(e, ERR_USAGE, "unknown-option", "unknown option '%s'", word);
	return near ? err_hint(e, "did you mean '--%s'?", near) : -1;
}

struct words {
	char **at;
	size_t count;
	size_t next;
};

static int parse_long(const struct parse *parse, struct words *words, const char *word, struct err *e)
{
	struct match match;
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const char *value = name[length] == '=' ? name + length + 1 : NULL;
	auto_free char *where = xasprintf("--%.*s", (int)length, name);
	if (!find_name(parse, name, length, &match)) {
		bool negated = text_starts_with(name, "no-") && !value &&
		               find_name(parse, name + 3, length - 3, &match) && match.option->kind == OPTION_FLAG;
		return negated ? give(match.set, match.option, where, "false", e) : unknown_option(parse, word, e);
	}
	if (match.option->kind == OPTION_FLAG && !value)
		value = "true";
	if (!value && words->next == words->count)
		return err_set(e, ERR_USAGE, "missing-value", "%s needs a value: %s", where, match.option->value);
	if (!value)
		value = words->at[words->next++];
	return give(match.set, match.option, where, value, e);
}

/* "-it", "-o json", "-ojson" */
static int parse_letters(const struct parse *parse, struct words *words, const char *word, struct err *e)
{
	for (const char *letter = word + 1; *letter; letter++) {
		struct match match;
		const char where[] = { '-', *letter, '\0' };
		if (!find_letter(parse, *letter, &match))
			return unknown_option(parse, word[2] ? where : word, e);
		if (match.option->kind == OPTION_FLAG) {
			if (give(match.set, match.option, where, "true", e) < 0)
				return -1;
			continue;
		}
		const char *value = letter[1] ? letter + 1 + (letter[1] == '=') : NULL;
		if (!value && words->next == words->count)
			return err_set(e, ERR_USAGE, "missing-value", "%s needs a value: %s", where,
			               match.option->value);
		if (!value)
			value = words->at[words->next++];
		return give(match.set, match.option, where, value, e);
	}
	return 0;
}

int options_parse(const struct parse *parse, char **words, size_t count, size_t *ret_arguments, struct err *e)
{
	struct words left = { .at = words, .count = count };
	size_t arguments = 0;
	bool options_over = false;
	while (left.next < left.count) {
		char *word = left.at[left.next++];
		int outcome = 0;
		if (!options_over && text_equal(word, "--")) {
			options_over = true;
		} else if (!options_over && text_starts_with(word, "--")) {
			outcome = parse_long(parse, &left, word, e);
		} else if (!options_over && word[0] == '-' && word[1]) {
			outcome = parse_letters(parse, &left, word, e);
		} else {
			words[arguments++] = word;
			options_over = options_over || parse->command_follows;
		}
		if (outcome < 0)
			return -1;
	}
	*ret_arguments = arguments;
	return 0;
}
