#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAXIMUM ((size_t)8 * 1024)

static atomic_int minimum_level = LOG_INFO;
static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_set_level(enum log_level minimum)
{
	atomic_store(&minimum_level, (int)minimum);
}

int log_level_from_text(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LENGTH(level_names); i++) {
		if (text_equal(text, level_names[i])) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

static bool is_plain(const char *value)
{
	if (!*value)
		return false;
	for (; *value; value++)
		if ((unsigned char)*value <= ' ' || *value == '"' || *value == '=' || *value == 0x7f)
			return false;
	return true;
}

/* A value that does not fit is cut: the line still ends in order. */
static void add_value(struct buf *line, const char *value)
{
	if (!value) {
		(void)buf_add_str(line, "null");
		return;
	}
	if (is_plain(value)) {
		size_t room = line->maximum - line->length;
		(void)buf_add(line, value, strnlen(value, room));
		return;
	}
	(void)buf_add_byte(line, '"');
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;
		int result;
		if (c == '"' || c == '\\')
			result = buf_add_format(line, "\\%c", c);
		else if (c == '\n')
			result = buf_add_str(line, "\\n");
		else if (c < ' ' || c == 0x7f)
			result = buf_add_format(line, "\\x%02x", c);
		else
			result = buf_add_byte(line, (char)c);
		if (result < 0)
			break;
	}
	(void)buf_add_byte(line, '"');
}

void log_line(enum log_level level, const char *message, ...)
{
	if ((int)level < atomic_load_explicit(&minimum_level, memory_order_relaxed))
		return;
	auto_buf struct buf line = BUF_INIT(LINE_MAXIMUM);
	char now[CLOCK_RFC3339_SIZE];
	clock_format_rfc3339(clock_wall_ns(), now);
	(void)buf_add_format(&line, "%s %-5s ", now, level_names[level]);
	add_value(&line, message);
	va_list arguments;
	va_start(arguments, message);
	for (const char *key; (key = va_arg(arguments, const char *));) {
		const char *value = va_arg(arguments, const char *);
		(void)buf_add_format(&line, " %s=", key);
		add_value(&line, value);
	}
	va_end(arguments);
	if (buf_add_byte(&line, '\n') < 0)
		line.data[line.length - 1] = '\n';
	(void)!write(STDERR_FILENO, line.data, line.length);
}

void log_err(enum log_level level, const char *message, const struct err *e, const char *key, const char *value)
{
	log_line(level, message, "error", err_message(e), "id", err_id(e), key, value, NULL);
}
