/*
 * Functions whose safe use depends on something the call site does not show are compile errors here. The header is
 * force-included into every file of ours by CMake (sandbox::options). Each has a bounded or checked replacement in base/.
 */
#ifndef SANDBOX_BASE_BANNED_H
#define SANDBOX_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Macros on macOS. */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime tmpnam tempnam mktemp system popen usleep
/* Not poisoned, because a generated field of Flyte's messages has that name. Clang takes the attribute only on a first declaration. */
#ifndef __clang__
unsigned int sleep(unsigned int seconds) __attribute__((error("wait for an event with a deadline instead")));
#endif

#endif
