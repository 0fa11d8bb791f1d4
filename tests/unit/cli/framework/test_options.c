/* The option parser over a table of its own, and the verbs' tables as they are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "cli/framework/help.h"
#include "cli/framework/options.h"
#include "cli/framework/verb.h"

#include <string.h>
#include <unistd.h>

static int set_defaults(const struct option_set *set, struct err *e)
{
	return options_set_fallbacks(set, e) < 0 ? -1 : options_set_environment(set, e);
}

struct values {
	bool flag;
	bool other;
	const char *text;
	const char *choice;
	int64_t number;
	int64_t milliseconds;
	struct option_list list;
};

static const char *const choices[] = { "red", "green", NULL };
static const struct option table[] = {
	{ .name = "flag",
	  .letter = 'f',
	  .kind = OPTION_FLAG,
	  .offset = offsetof(struct values, flag),
	  .environment = "TEST_FLAG" },
	{ .name = "interactive", .letter = 'i', .kind = OPTION_FLAG, .offset = offsetof(struct values, other) },
	{ .name = "text",
	  .letter = 't',
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct values, text),
	  .value = "T",
	  .environment = "TEST_TEXT",
	  .fallback = "none" },
	{ .name = "colour",
	  .kind = OPTION_CHOICE,
	  .offset = offsetof(struct values, choice),
	  .value = "C",
	  .choices = choices },
	{ .name = "number",
	  .kind = OPTION_NUMBER,
	  .offset = offsetof(struct values, number),
	  .value = "N",
	  .minimum = 1,
	  .maximum = 9 },
	{ .name = "wait",
	  .kind = OPTION_SECONDS,
	  .offset = offsetof(struct values, milliseconds),
	  .value = "TIME",
	  .fallback = "5m" },
	{ .name = "list", .letter = 'l', .kind = OPTION_LIST, .offset = offsetof(struct values, list), .value = "X" },
	{ .name = NULL },
};

struct outcome {
	struct values values;
	size_t arguments;
	char *words[16];
	char *owned[16];
	size_t count;
	struct err e;
	int result;
};

/* `line` is split at spaces. */
static void parse(struct outcome *o, const char *line, bool command_follows)
{
	*o = (struct outcome){ .e = ERR_INIT };
	while (*line) {
		size_t length = strcspn(line, " ");
		o->owned[o->count] = o->words[o->count] = xstrndup(line, length);
		o->count++;
		line += length + (line[length] == ' ');
	}
	const struct option_set set = { table, &o->values };
	const struct parse parse = { .sets = &set, .set_count = 1, .command_follows = command_follows };
	o->result = set_defaults(&set, &o->e);
	if (o->result == 0)
		o->result = options_parse(&parse, o->words, o->count, &o->arguments, &o->e);
}

static void release(struct outcome *o)
{
	const struct option_set set = { table, &o->values };
	options_release(&set);
	for (size_t i = 0; i < o->count; i++)
		free(o->owned[i]);
	err_release(&o->e);
}

static void test_forms(void **state)
{
	(void)state;
	struct outcome o;
	parse(&o, "a --flag --text=x b -l 1 -l2 --list 3 --colour green --number 7 --wait 90s c", false);
	assert_int_equal(o.result, 0);
	assert_true(o.values.flag);
	assert_string_equal(o.values.text, "x");
	assert_string_equal(o.values.choice, "green");
	assert_int_equal(o.values.number, 7);
	assert_int_equal(o.values.milliseconds, 90000);
	assert_int_equal(o.values.list.count, 3);
	assert_string_equal(o.values.list.items[1], "2");
	assert_int_equal(o.arguments, 3);
	assert_string_equal(o.words[2], "c");
	release(&o);
	parse(&o, "-fi -tx --no-flag --flag=yes --no-flag -- --text -f", false);
	assert_int_equal(o.result, 0);
	assert_false(o.values.flag);
	assert_true(o.values.other);
	assert_string_equal(o.values.text, "x");
	assert_int_equal(o.arguments, 2);
	assert_string_equal(o.words[0], "--text");
	release(&o);
	parse(&o, "-fit y", false);
	assert_string_equal(o.values.text, "y");
	release(&o);
	parse(&o, "-f ls -i --text", true);
	assert_int_equal(o.result, 0);
	assert_false(o.values.other);
	assert_int_equal(o.arguments, 3);
	release(&o);
	parse(&o, "-", false);
	assert_int_equal(o.arguments, 1);
	release(&o);
}

static void test_defaults_and_environment(void **state)
{
	(void)state;
	struct outcome o;
	parse(&o, "", false);
	assert_string_equal(o.values.text, "none");
	assert_null(o.values.choice);
	assert_int_equal(o.values.milliseconds, 300000);
	release(&o);
	setenv("TEST_TEXT", "from environment", 1);
	setenv("TEST_FLAG", "1", 1);
	parse(&o, "", false);
	assert_string_equal(o.values.text, "from environment");
	assert_true(o.values.flag);
	release(&o);
	parse(&o, "--text line --no-flag", false);
	assert_string_equal(o.values.text, "line");
	assert_false(o.values.flag);
	release(&o);
	setenv("TEST_FLAG", "perhaps", 1);
	parse(&o, "", false);
	assert_int_equal(o.result, -1);
	assert_non_null(strstr(err_message(&o.e), "TEST_FLAG"));
	release(&o);
	unsetenv("TEST_TEXT");
	unsetenv("TEST_FLAG");
}

static void test_mistakes(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *id;
		const char *hint; /* part of it, or NULL */
	} cases[] = {
		{ "--flg", "unknown-option", "--flag" },
		{ "--flag=maybe", "bad-value", NULL },
		{ "-x", "unknown-option", NULL },
		{ "-fx", "unknown-option", NULL },
		{ "--text", "missing-value", NULL },
		{ "-t", "missing-value", NULL },
		{ "--colour gren", "bad-value", "green" },
		{ "--number 0", "bad-value", NULL },
		{ "--number 10", "bad-value", NULL },
		{ "--number x", "bad-value", NULL },
		{ "--wait soon", "bad-value", NULL },
		{ "--no-text", "unknown-option", "--text" },
		{ "--wait 99999h", "bad-value", NULL },
		{ "--number=", "bad-value", NULL },
		{ "--zzzzzzzzzzzz", "unknown-option", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o;
		parse(&o, cases[i].line, false);
		if (o.result == 0)
			fail_msg("'%s' was accepted", cases[i].line);
		assert_int_equal(o.e.kind, ERR_USAGE);
		assert_string_equal(err_id(&o.e), cases[i].id);
		if (cases[i].hint)
			assert_non_null(o.e.hint ? strstr(o.e.hint, cases[i].hint) : NULL);
		else
			assert_null(o.e.hint);
		release(&o);
	}
}

/* flytectl's name of a project; the instance's stands before the verb there. */
static bool means_project(const char *verb, const struct option *option)
{
	return text_equal(option->name, "name") && (text_equal(verb, "create") || text_equal(verb, "update"));
}

/* What every table must hold to, because parser and help rely on it. */
static void check_table(const char *verb, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		if (!option->help || !*option->help || option->help[strlen(option->help) - 1] == '.')
			fail_msg("%s --%s: help is missing or ends with a period", verb, option->name);
		if ((option->kind == OPTION_FLAG) != (option->value == NULL))
			fail_msg("%s --%s: a placeholder where none belongs, or none where one does", verb,
			         option->name);
		if (option->kind == OPTION_CHOICE && !option->choices)
			fail_msg("%s --%s: no choices", verb, option->name);
		for (const struct option *other = option + 1; other->name; other++) {
			if (text_equal(option->name, other->name) ||
			    (option->letter && option->letter == other->letter))
				fail_msg("%s: --%s and --%s collide", verb, option->name, other->name);
		}
		for (const struct option *global = global_options; options != global_options && global->name;
		     global++) {
			if ((text_equal(option->name, global->name) && !means_project(verb, option)) ||
			    (option->letter && option->letter == global->letter))
				fail_msg("%s: --%s hides the global --%s", verb, option->name, global->name);
		}
	}
}

static void test_tables(void **state)
{
	(void)state;
	check_table("(all)", global_options);
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = verbs[i];
		check_table(verb->name, verb->options);
		assert_ptr_equal(verb_find(verb->name), verb);
		assert_non_null(verb->summary);
		assert_non_null(verb->description);
		auto_free void *values = xcalloc(1, verb->values_size);
		const struct option_set set = { verb->options, values };
		assert_int_equal(set_defaults(&set, NULL), 0);
		options_release(&set);
	}
}

static char *print(void (*function)(FILE *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	function(out);
	fclose(out);
	return text;
}

static void test_help_names_everything(void **state)
{
	(void)state;
	auto_free char *manual = print(help_print_manual);
	auto_free char *markdown = print(help_print_markdown);
	auto_free char *overview = print(help_print_overview);
	for (size_t i = 0; i < verb_count; i++) {
		auto_free char *heading = xasprintf("\n## `sandbox %s", verbs[i]->name);
		assert_non_null(strstr(markdown, heading));
		assert_non_null(strstr(overview, verbs[i]->summary));
		for (const struct option *option = verbs[i]->options; option && option->name; option++) {
			auto_free char *name = xasprintf("`--%s", option->name);
			assert_non_null(strstr(markdown, name));
		}
	}
	assert_non_null(strstr(manual, ".SH EXIT STATUS"));
	/* Every line of the overview fits a usual terminal. */
	for (const char *line = overview; *line;) {
		size_t length = strcspn(line, "\n");
		assert_true(length <= 100);
		line += length + (line[length] == '\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_defaults_and_environment),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_help_names_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
