/* Completion scripts of shells, from the verbs' tables. Names of instances and services are asked from the launcher
 * itself when they are wanted, so that they are those of the moment. */
#ifndef SANDBOX_CLI_FRAMEWORK_COMPLETION_H
#define SANDBOX_CLI_FRAMEWORK_COMPLETION_H

#include <stdio.h>

void completion_print_bash(FILE *out);
void completion_print_zsh(FILE *out);
void completion_print_fish(FILE *out);

#endif
