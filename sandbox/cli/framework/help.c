#include "cli/framework/help.h"

#include "base/text.h"
#include "cli/framework/error_table.h"
#include "cli/framework/exit_codes.h"

#include <string.h>

#define LINE_COLUMNS 100
#define OPTION_COLUMNS 30

static const char tagline[] = "Flyte v1 on one machine: start it, use it with the stock clients, throw it away.";

static const char environment_notes[] = "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, DOCKER_TLS_VERIFY, "
                                        "DOCKER_CERT_PATH and DOCKER_API_VERSION choose the engine as they do "
                                        "for the docker command. KUBECONFIG names the file that the context goes into "
                                        "(its first entry). NO_COLOR turns colours off.";

static const char errors_notes[] = "An error is one line on stderr, error[ID]: MESSAGE, and usually a second one with the next step. IDs are stable. "
                                   "These are they, each with the exit codes that it ends with:";

static const char files_notes[] =
        "~/.flyte/config-sandbox.yaml\tclient configuration; FLYTECTL_CONFIG names it\n"
        "~/.flyte/sandbox/kubeconfig\taccess to the sandbox's Kubernetes\n"
        "~/.kube/config\tgets the context `flyte-sandbox`, and loses it with `sandbox delete`\n";

/* Breaks `text` at spaces; continuation lines are indented. `column` is where the cursor stands. */
static void print_wrapped(FILE *out, const char *text, size_t indent, size_t column)
{
	while (*text) {
		size_t word = strcspn(text, " \n");
		if (column > indent && column + 1 + word > LINE_COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, word, out);
		column += word;
		text += word;
		if (text[0] == '\n' && text[1] == '\n') {
			fprintf(out, "\n\n%*s", (int)indent, "");
			column = indent;
			text += 2;
		} else if (*text) {
			text++;
		}
	}
	fputc('\n', out);
}

/* "--output FORMAT" */
static char *long_form(const struct option *option)
{
	return xasprintf("--%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
}

/* The help sentence with choices, default and variable. Free with free(). */
static char *full_help(const struct option *option)
{
	struct buf text;
	buf_init(&text, 4096);
	buf_add_str(&text, option->help);
	for (const char *const *choice = option->choices; choice && *choice; choice++)
		buf_add_format(&text, "%s%s", choice == option->choices ? ": " : ", ", *choice);
	if (option->kind == OPTION_LIST)
		buf_add_str(&text, "; may be repeated");
	bool shown = option->fallback && option->kind != OPTION_FLAG;
	if (shown)
		buf_add_format(&text, " [default: %s]", option->fallback);
	if (option->environment)
		buf_add_format(&text, " [env: %s]", option->environment);
	return buf_steal(&text);
}

static void print_options(FILE *out, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		auto_free char *form = long_form(option);
		auto_free char *help = full_help(option);
		const char letter[] = { '-', option->letter, ',', '\0' };
		int used = fprintf(out, "  %-3s %s", option->letter ? letter : "", form);
		size_t column = used > 0 ? (size_t)used : 0;
		if (column + 2 > OPTION_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		fprintf(out, "%*s", (int)(OPTION_COLUMNS - column), "");
		print_wrapped(out, help, OPTION_COLUMNS, OPTION_COLUMNS);
	}
}

void help_print_overview(FILE *out)
{
	fprintf(out, "usage: sandbox [OPTIONS] VERB [ARGUMENTS]\n\n%s\n\nverbs:\n", tagline);
	for (size_t i = 0; i < verb_count; i++)
		fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\noptions of every verb:\n", out);
	print_options(out, global_options);
	fputs("\n`sandbox help VERB` tells more.\n", out);
}

/* Commands with their meanings behind `mark`. */
static void print_examples(FILE *out, const char *examples, const char *indent, const char *mark)
{
	for (const char *line = examples; line && *line;) {
		size_t length = strcspn(line, "\n");
		size_t command = strcspn(line, "\t\n");
		size_t gap = command < length;
		fprintf(out, "%s%-50.*s %s%.*s\n", indent, (int)command, line, mark, (int)(length - command - gap),
		        line + command + gap);
		line += length + (line[length] == '\n');
	}
}

void help_print_verb(FILE *out, const struct verb *verb)
{
	fprintf(out, "usage: sandbox %s [OPTIONS]%s%s\n\n", verb->name, *verb->arguments ? " " : "", verb->arguments);
	print_wrapped(out, verb->description, 0, 0);
	if (verb->options) {
		fputs("\noptions:\n", out);
		print_options(out, verb->options);
	}
	fputs("\noptions of every verb:\n", out);
	print_options(out, global_options);
	if (verb->examples) {
		fputs("\nexamples:\n", out);
		print_examples(out, verb->examples, "  ", "");
	}
}

/* ---- manual page ---- */

static void print_roff(FILE *out, const char *text)
{
	bool line_start = true;
	for (; *text; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
			line_start = true;
			continue;
		}
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
		line_start = *text == '\n';
	}
	fputc('\n', out);
}

static void print_roff_options(FILE *out, const struct option *options)
{
	for (const struct option *option = options; option && option->name; option++) {
		auto_free char *form = long_form(option);
		auto_free char *help = full_help(option);
		const char letter[] = { '-', option->letter, ',', ' ', '\0' };
		fputs(".TP\n.B ", out);
		auto_free char *head = xasprintf("%s%s", option->letter ? letter : "", form);
		print_roff(out, head);
		print_roff(out, help);
	}
}

static void print_roff_examples(FILE *out, const char *examples)
{
	for (const char *line = examples; line && *line;) {
		size_t length = strcspn(line, "\n");
		size_t command_length = strcspn(line, "\t\n");
		auto_free char *command = xstrndup(line, command_length);
		auto_free char *meaning = xstrndup(line + command_length, length - command_length);
		fputs(".PP\n", out);
		if (*meaning)
			print_roff(out, meaning + 1);
		fputs(".EX\n", out);
		print_roff(out, command);
		fputs(".EE\n", out);
		line += length + (line[length] == '\n');
	}
}

static void print_roff_verb(FILE *out, const struct verb *verb)
{
	auto_free char *usage = xasprintf("sandbox %s [OPTIONS] %s", verb->name, verb->arguments);
	fputs(".SS ", out);
	print_roff(out, usage);
	print_roff(out, verb->description);
	print_roff_options(out, verb->options);
	print_roff_examples(out, verb->examples);
}

static void print_roff_pairs(FILE *out, const char *lines)
{
	for (const char *line = lines; *line;) {
		size_t length = strcspn(line, "\n");
		size_t left = strcspn(line, "\t\n");
		auto_free char *term = xstrndup(line, left);
		auto_free char *meaning = xstrndup(line + left + 1, length - left - 1);
		fputs(".TP\n.B ", out);
		print_roff(out, term);
		print_roff(out, meaning);
		line += length + (line[length] == '\n');
	}
}

static void print_roff_exit_codes(FILE *out)
{
	fputs(".SH EXIT STATUS\n", out);
	for (const struct exit_code_row *row = exit_code_table; row->meaning; row++) {
		fprintf(out, ".TP\n.B %d\n", row->code);
		print_roff(out, row->meaning);
	}
}

static void print_roff_errors(FILE *out)
{
	for (const struct error_row *row = error_table; row->ids; row++) {
		auto_free char *head = xasprintf("%s (%s)", row->ids, row->codes);
		fputs(".TP\n.B ", out);
		print_roff(out, head);
		print_roff(out, row->when);
		if (!*row->help)
			continue;
		fputs(".br\n", out);
		print_roff(out, row->help);
	}
}

void help_print_manual(FILE *out)
{
	fprintf(out, ".TH SANDBOX 1 \"\" \"sandbox %s\" \"User Commands\"\n", SANDBOX_VERSION);
	fputs(".SH NAME\nsandbox \\- Flyte v1 on one machine\n.SH SYNOPSIS\n.B sandbox\n[OPTIONS] VERB "
	      "[ARGUMENTS]\n.SH DESCRIPTION\n",
	      out);
	print_roff(out, tagline);
	fputs(".SH OPTIONS OF EVERY VERB\n", out);
	print_roff_options(out, global_options);
	fputs(".SH VERBS\n", out);
	for (size_t i = 0; i < verb_count; i++)
		print_roff_verb(out, verbs[i]);
	print_roff_exit_codes(out);
	fputs(".SH ERRORS\n", out);
	print_roff(out, errors_notes);
	print_roff_errors(out);
	fputs(".SH ENVIRONMENT\n", out);
	print_roff(out, environment_notes);
	fputs(".SH FILES\n", out);
	print_roff_pairs(out, files_notes);
}

void help_print_verb_manual(FILE *out, const struct verb *verb)
{
	fprintf(out, ".TH SANDBOX-");
	for (const char *c = verb->name; *c; c++)
		fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
	fprintf(out, " 1 \"\" \"sandbox %s\" \"User Commands\"\n.SH NAME\nsandbox\\-%s \\- ", SANDBOX_VERSION, verb->name);
	print_roff(out, verb->summary);
	fprintf(out, ".SH SYNOPSIS\n.B sandbox %s\n[OPTIONS] ", verb->name);
	print_roff(out, verb->arguments);
	fputs(".SH DESCRIPTION\n", out);
	print_roff(out, verb->description);
	if (verb->options) {
		fputs(".SH OPTIONS\n", out);
		print_roff_options(out, verb->options);
	}
	fputs(".SH OPTIONS OF EVERY VERB\n", out);
	print_roff_options(out, global_options);
	if (verb->examples) {
		fputs(".SH EXAMPLES\n", out);
		print_roff_examples(out, verb->examples);
	}
	print_roff_exit_codes(out);
	fputs(".SH SEE ALSO\n.BR sandbox (1),\nwhich lists the errors\n", out);
}

void help_print_verb_names(FILE *out)
{
	for (size_t i = 0; i < verb_count; i++)
		fprintf(out, "%s\n", verbs[i]->name);
}

/* ---- Markdown ---- */

static void print_markdown_options(FILE *out, const struct option *options)
{
	fputs("\n| Option | Meaning |\n|---|---|\n", out);
	for (const struct option *option = options; option && option->name; option++) {
		auto_free char *form = long_form(option);
		auto_free char *help = full_help(option);
		const char letter[] = { '`', '-', option->letter, '`', ' ', '\0' };
		fprintf(out, "| %s`%s` | ", option->letter ? letter : "", form);
		for (const char *c = help; *c; c++) {
			if (*c == '|' || *c == '<')
				fputc('\\', out);
			fputc(*c, out);
		}
		fputs(" |\n", out);
	}
}

void help_print_markdown(FILE *out)
{
	fprintf(out,
	        "# The command `sandbox`\n\nMade by `sandbox help --markdown` from the option tables in "
	        "`sandbox/cli/`.\n\n%s\n",
	        tagline);
	fputs("\n## Options of every verb\n", out);
	print_markdown_options(out, global_options);
	for (size_t i = 0; i < verb_count; i++) {
		const struct verb *verb = verbs[i];
		fprintf(out, "\n## `sandbox %s%s%s`\n\n%s\n", verb->name, *verb->arguments ? " " : "", verb->arguments,
		        verb->description);
		if (verb->options)
			print_markdown_options(out, verb->options);
		if (verb->examples) {
			fputs("\n```sh\n", out);
			print_examples(out, verb->examples, "", "# ");
			fputs("```\n", out);
		}
	}
	fprintf(out, "\n## Environment\n\n%s\n\nExit codes and error ids: [errors.md](errors.md).\n",
	        environment_notes);
}

void help_print_errors(FILE *out)
{
	fputs("| Id | Exit code | When | What helps |\n|---|---|---|---|\n", out);
	for (const struct error_row *row = error_table; row->ids; row++) {
		fputs("| `", out);
		for (const char *c = row->ids; *c; c++) {
			if (*c == ' ')
				fputs("`, `", out);
			else
				fputc(*c, out);
		}
		fprintf(out, "` | %s | %s | %s%s|\n", row->codes, row->when, row->help, *row->help ? " " : "");
	}
}
