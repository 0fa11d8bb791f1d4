#include "cli/framework/completion.h"

#include "base/text.h"
#include "cli/framework/verb.h"

#include <string.h>

#define INSTANCES_COMMAND "sandbox list -o name 2>/dev/null"
#define SERVICES_COMMAND "sandbox status -o name 2>/dev/null"

/* What a value is, by its placeholder. */
enum value_kind { VALUE_ANY, VALUE_CHOICE, VALUE_INSTANCE, VALUE_FILE, VALUE_DIRECTORY };

static enum value_kind kind_of(const struct option *option)
{
	if (option->choices)
		return VALUE_CHOICE;
	if (option->environment && text_equal(option->environment, "SANDBOX_NAME"))
		return VALUE_INSTANCE;
	if (text_equal(option->value, "FILE"))
		return VALUE_FILE;
	return text_equal(option->value, "DIR") ? VALUE_DIRECTORY : VALUE_ANY;
}

static bool takes_services(const struct verb *verb)
{
	return text_equal(verb->arguments, "[SERVICE]");
}

static bool takes_files(const struct verb *verb)
{
	return strstr(verb->arguments, "FILE") || strstr(verb->arguments, "DIR");
}

/* `text` within single quotes of the shell; brackets and colons escaped too for zsh's descriptions. */
static void print_quoted(FILE *out, const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else if (*escaped && strchr(escaped, *text))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void print_words(FILE *out, const char *const *words)
{
	for (const char *const *word = words; *word; word++)
		fprintf(out, "%s%s", word == words ? "" : " ", *word);
}

static void print_verb_names(FILE *out)
{
	for (size_t i = 0; i < verb_count; i++)
		fprintf(out, "%s%s", i ? " " : "", verbs[i]->name);
}

static bool has_words(const struct verb *verb)
{
	return verb->words || text_equal(verb->name, "help");
}

static void print_verb_words(FILE *out, const struct verb *verb)
{
	if (verb->words)
		print_words(out, verb->words);
	else
		print_verb_names(out);
}

/* ---- bash ---- */

static void print_bash_names(FILE *out, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		fprintf(out, " --%s", option->name);
		if (option->letter)
			fprintf(out, " -%c", option->letter);
	}
}

/* The arm of a case that completes the option's value. */
static void print_bash_value(FILE *out, const char *verb, const struct option *option)
{
	if (option->kind == OPTION_FLAG)
		return;
	fprintf(out, "\t%s:--%s", verb, option->name);
	if (option->letter)
		fprintf(out, "|%s:-%c", verb, option->letter);
	fputs(") ", out);
	switch (kind_of(option)) {
	case VALUE_CHOICE:
		fputs("COMPREPLY=($(compgen -W '", out);
		print_words(out, option->choices);
		fputs("' -- \"$current\"))", out);
		break;
	case VALUE_INSTANCE:
		fputs("COMPREPLY=($(compgen -W \"$(" INSTANCES_COMMAND ")\" -- \"$current\"))", out);
		break;
	case VALUE_FILE:
		fputs("COMPREPLY=($(compgen -f -- \"$current\"))", out);
		break;
	case VALUE_DIRECTORY:
		fputs("COMPREPLY=($(compgen -d -- \"$current\"))", out);
		break;
	case VALUE_ANY:
		fputs(":", out);
		break;
	}
	fputs("; return ;;\n", out);
}

/* The words that take a value, so that the value is not taken for the verb. */
static void print_bash_valued(FILE *out, const struct option *options)
{
	for (const struct option *option = options; option->name; option++) {
		if (option->kind == OPTION_FLAG)
			continue;
		fprintf(out, "|--%s", option->name);
		if (option->letter)
			fprintf(out, "|-%c", option->letter);
	}
}

static void print_bash_arguments(FILE *out)
{
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = verbs[i];
		if (takes_services(verb)) {
			fprintf(out, "\t%s) words=$(" SERVICES_COMMAND ") ;;\n", verb->name);
		} else if (has_words(verb)) {
			fprintf(out, "\t%s) if ((COMP_CWORD == i + 1)); then words='", verb->name);
			print_verb_words(out, verb);
			fprintf(out, "'%s; fi ;;\n",
			        takes_files(verb) ? "; else words=$(compgen -f -- \"$current\")" : "");
		} else if (takes_files(verb)) {
			fprintf(out, "\t%s) words=$(compgen -f -- \"$current\") ;;\n", verb->name);
		}
	}
}

void completion_print_bash(FILE *out)
{
	fputs("# bash completion of sandbox, made by `sandbox completion bash`\n"
	      "_sandbox() {\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb= i\n"
	      "\tCOMPREPLY=()\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t''",
	      out);
	print_bash_valued(out, global_options);
	fputs(") i=$((i + 1)) ;;\n\t\t-*) ;;\n\t\t*) verb=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n", out);
	fputs("\tcase :$previous in\n", out);
	for (const struct option *option = global_options; option->name; option++)
		print_bash_value(out, "", option);
	fputs("\tesac\n\tcase $verb:$previous in\n", out);
	for (size_t i = 0; i < verb_count; i++) {
		for (const struct option *option = verbs[i]->options; option && option->name; option++)
			print_bash_value(out, verbs[i]->name, option);
	}
	fputs("\tesac\n\tlocal words=\n\tcase $verb in\n\t'') words='", out);
	print_verb_names(out);
	fputs("' ;;\n", out);
	print_bash_arguments(out);
	fputs("\tesac\n\tif [[ $current == -* ]]; then\n\t\twords='", out);
	print_bash_names(out, global_options);
	fputs("'\n\t\tcase $verb in\n", out);
	for (size_t i = 0; i < verb_count; i++) {
		if (!verbs[i]->options)
			continue;
		fprintf(out, "\t\t%s) words+='", verbs[i]->name);
		print_bash_names(out, verbs[i]->options);
		fputs("' ;;\n", out);
	}
	fputs("\t\tesac\n\tfi\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
	      "}\n"
	      "complete -F _sandbox sandbox\n",
	      out);
}

/* ---- zsh ---- */

static void print_zsh_action(FILE *out, const struct option *option)
{
	switch (kind_of(option)) {
	case VALUE_CHOICE:
		fputs(":(", out);
		print_words(out, option->choices);
		fputs(")", out);
		break;
	case VALUE_INSTANCE:
		fputs(":_sandbox_instances", out);
		break;
	case VALUE_FILE:
		fputs(":_files", out);
		break;
	case VALUE_DIRECTORY:
		fputs(":_files -/", out);
		break;
	case VALUE_ANY:
		fputs(": ", out);
		break;
	}
}

static void print_zsh_options(FILE *out, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		bool flag = option->kind == OPTION_FLAG;
		const char *repeated = option->kind == OPTION_LIST ? "*" : "";
		const char letter[] = { '-', option->letter, '\0' };
		for (int form = option->letter ? 0 : 1; form < 2; form++) {
			fprintf(out, " \\\n\t\t'%s%s%s%s[", repeated, form ? "--" : "", form ? option->name : letter,
			        flag   ? ""
			        : form ? "="
			               : "+");
			print_quoted(out, option->help, "[]:");
			fputc(']', out);
			if (!flag) {
				fprintf(out, ":%s", option->value);
				print_zsh_action(out, option);
			}
			fputc('\'', out);
		}
	}
}

void completion_print_zsh(FILE *out)
{
	fputs("#compdef sandbox\n"
	      "# zsh completion of sandbox, made by `sandbox completion zsh`\n"
	      "_sandbox_instances() { compadd -- ${(f)\"$(" INSTANCES_COMMAND ")\"} }\n"
	      "_sandbox_services() { compadd -- ${(f)\"$(" SERVICES_COMMAND ")\"} }\n"
	      "_sandbox() {\n\tlocal state line\n\tlocal -a verbs globals\n\tverbs=(",
	      out);
	for (size_t i = 0; i < verb_count; i++) {
		fprintf(out, "\n\t\t'%s:", verbs[i]->name);
		print_quoted(out, verbs[i]->summary, ":");
		fputc('\'', out);
	}
	fputs("\n\t)\n\tglobals=(", out);
	print_zsh_options(out, global_options);
	fputs("\n\t)\n\t_arguments -C -S $globals '1: :->verb' '*:: :->rest'\n"
	      "\tcase $state in\n\tverb) _describe verb verbs ;;\n\trest)\n\t\tcase $words[1] in\n",
	      out);
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = verbs[i];
		fprintf(out, "\t\t%s) _arguments -S $globals", verb->name);
		print_zsh_options(out, verb->options);
		if (has_words(verb)) {
			fputs(" '1: :(", out);
			print_verb_words(out, verb);
			fputs(")'", out);
		}
		if (takes_services(verb))
			fputs(" '*: :_sandbox_services'", out);
		else if (takes_files(verb))
			fputs(" '*: :_files'", out);
		fputs(" ;;\n", out);
	}
	fputs("\t\tesac ;;\n\tesac\n}\n"
	      "if [[ $funcstack[1] == _sandbox ]]; then _sandbox \"$@\"; else compdef _sandbox sandbox; fi\n",
	      out);
}

/* ---- fish ---- */

/* fish's own functions for this take the value of an option in front of the verb for the verb. */
static void print_fish_functions(FILE *out)
{
	fputs("function __sandbox_words\n"
	      "\tset -l value 0\n"
	      "\tfor word in (commandline -opc)[2..-1]\n"
	      "\t\tif test $value = 1\n"
	      "\t\t\tset value 0\n"
	      "\t\t\tcontinue\n"
	      "\t\tend\n"
	      "\t\tswitch $word\n"
	      "\t\t\tcase",
	      out);
	for (const struct option *option = global_options; option->name; option++) {
		if (option->kind == OPTION_FLAG)
			continue;
		fprintf(out, " --%s", option->name);
		if (option->letter)
			fprintf(out, " -%c", option->letter);
	}
	fputs("\n\t\t\t\tset value 1\n"
	      "\t\t\tcase '-*'\n"
	      "\t\t\tcase '*'\n"
	      "\t\t\t\techo $word\n"
	      "\t\tend\n"
	      "\tend\n"
	      "end\n"
	      "function __sandbox_no_verb\n"
	      "\tset -l words (__sandbox_words)\n"
	      "\ttest -z \"$words\"\n"
	      "end\n"
	      "function __sandbox_verb\n"
	      "\tset -l words (__sandbox_words)\n"
	      "\ttest \"$words[1]\" = $argv[1]\n"
	      "end\n"
	      "function __sandbox_first\n"
	      "\tset -l words (__sandbox_words)\n"
	      "\ttest \"$words\" = $argv[1]\n"
	      "end\n",
	      out);
}

static void print_fish_value(FILE *out, const struct option *option)
{
	enum value_kind kind = kind_of(option);
	fputs(kind == VALUE_FILE || kind == VALUE_DIRECTORY ? " -rF" : " -x", out);
	if (kind == VALUE_CHOICE) {
		fputs(" -a '", out);
		print_words(out, option->choices);
		fputs("'", out);
	} else if (kind == VALUE_INSTANCE) {
		fputs(" -a '(" INSTANCES_COMMAND ")'", out);
	}
}

static void print_fish_options(FILE *out, const struct option *options, const char *verb)
{
	for (const struct option *option = options; option && option->name; option++) {
		fputs("complete -c sandbox", out);
		if (verb)
			fprintf(out, " -n '__sandbox_verb %s'", verb);
		fprintf(out, " -l %s", option->name);
		if (option->letter)
			fprintf(out, " -s %c", option->letter);
		if (option->kind != OPTION_FLAG)
			print_fish_value(out, option);
		fputs(" -d '", out);
		print_quoted(out, option->help, "\\");
		fputs("'\n", out);
	}
}

static void print_fish_arguments(FILE *out, const struct verb *verb)
{
	if (has_words(verb)) {
		fprintf(out, "complete -c sandbox -n '__sandbox_first %s' -a '", verb->name);
		print_verb_words(out, verb);
		fputs("'\n", out);
	}
	if (takes_services(verb))
		fprintf(out, "complete -c sandbox -n '__sandbox_verb %s' -a '(" SERVICES_COMMAND ")'\n", verb->name);
	else if (takes_files(verb))
		fprintf(out, "complete -c sandbox -n '__sandbox_verb %s%s%s' -F\n", verb->name,
		        has_words(verb) ? "; and not __sandbox_first " : "", has_words(verb) ? verb->name : "");
}

void completion_print_fish(FILE *out)
{
	fputs("# fish completion of sandbox, made by `sandbox completion fish`\n", out);
	print_fish_functions(out);
	fputs("complete -c sandbox -f\n", out);
	print_fish_options(out, global_options, NULL);
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = verbs[i];
		fprintf(out, "complete -c sandbox -n __sandbox_no_verb -a %s -d '", verb->name);
		print_quoted(out, verb->summary, "\\");
		fputs("'\n", out);
		print_fish_options(out, verb->options, verb->name);
		print_fish_arguments(out, verb);
	}
}
