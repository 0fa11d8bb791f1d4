/*
 * Log lines of the long-running programs, one line each on stderr: time, level, message, then key=value pairs. Values with spaces
 * are quoted, control characters escaped. Thread-safe: one write(2) per line. Only programs and their top-level loops log; libraries
 * return errors (base/err.h).
 *
 *	log_info("execution created", "project", project, "name", name, NULL);
 */
#ifndef SANDBOX_BASE_LOG_H
#define SANDBOX_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level minimum);
/* "debug", "info", "warn", "error"; returns -1 for anything else. */
int log_level_from_text(const char *text, enum log_level *ret_level);

/* `message`, then pairs of const char * key and const char * value (NULL value prints as null), ended by a NULL key. */
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
/* Logs `message` with error=<message> id=<id> and, when given, one more pair. */
void log_err(enum log_level level, const char *message, const struct err *e, const char *key, const char *value);

#endif
