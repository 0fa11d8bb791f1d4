/* Help from the verbs' tables, in three shapes: for the terminal, as a manual page, as the guide's page in Markdown. */
#ifndef SANDBOX_CLI_HELP_H
#define SANDBOX_CLI_HELP_H

#include "cli/verb.h"

#include <stdio.h>

void help_print_overview(FILE *out);
void help_print_verb(FILE *out, const struct verb *verb);
/* roff, section 1, all verbs. */
void help_print_manual(FILE *out);
void help_print_markdown(FILE *out);

#endif
