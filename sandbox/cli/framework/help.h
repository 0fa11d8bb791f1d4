/* Help from the verbs' tables, in three shapes: for the terminal, as a manual page, as the guide's page in Markdown. */
#ifndef SANDBOX_CLI_FRAMEWORK_HELP_H
#define SANDBOX_CLI_FRAMEWORK_HELP_H

#include "cli/framework/verb.h"

#include <stdio.h>

void help_print_overview(FILE *out);
void help_print_verb(FILE *out, const struct verb *verb);
/* roff, section 1: sandbox(1) with all verbs, and sandbox-VERB(1). */
void help_print_manual(FILE *out);
void help_print_verb_manual(FILE *out, const struct verb *verb);
/* One a line, for what is made of each verb. */
void help_print_verb_names(FILE *out);
void help_print_markdown(FILE *out);
/* The table of errors in docs/guide/errors.md. */
void help_print_errors(FILE *out);

#endif
