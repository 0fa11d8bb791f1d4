#include "init/last_words.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

void last_words_clear(struct last_words *words)
{
	*words = (struct last_words){ .dying = false };
}

/* klog: level, month and day, e.g. "F1126 18:03:11.52 …". */
static bool is_klog_fatal(const char *line)
{
	return line[0] == 'F' && strspn(line + 1, "0123456789") == 4 && line[5] == ' ';
}

static bool says_the_end(const char *line)
{
	static const char *const beginnings[] = { "panic: ", "fatal error: ", "FATAL", "PANIC" };
	/* With a time before it. */
	static const char *const parts[] = { " FATAL: ", " PANIC: ", "level=fatal ", "ERROR: AddressSanitizer" };
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (text_starts_with(line, beginnings[i]))
			return true;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(line, parts[i]))
			return true;
	return is_klog_fatal(line);
}

static void append_line(struct last_words *words)
{
	size_t used = strlen(words->text);
	(void)snprintf(words->text + used, sizeof(words->text) - used, "\n%s", words->line);
}

static void take_line(struct last_words *words, int64_t now_ms)
{
	words->line[words->line_length] = '\0';
	if (!words->line_length)
		return;
	memcpy(words->newest, words->line, words->line_length + 1);
	if (says_the_end(words->line)) {
		/* The first of several is the cause. */
		if (!words->dying || now_ms - words->dying_ms >= LAST_WORDS_DYING_MS) {
			memcpy(words->text, words->line, words->line_length + 1);
			words->dying_ms = now_ms;
			words->dying = true;
			return;
		}
	}
	if (words->dying)
		append_line(words);
}

void last_words_feed(struct last_words *words, const char *bytes, size_t length, int64_t now_ms)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n') {
			take_line(words, now_ms);
			words->line_length = 0;
		} else if (words->line_length + 1 < sizeof(words->line)) {
			words->line[words->line_length++] = bytes[i];
		}
	}
}

const char *last_words_text(const struct last_words *words, int64_t now_ms)
{
	bool died_of_it = words->dying && now_ms - words->dying_ms < LAST_WORDS_DYING_MS;
	return died_of_it ? words->text : words->newest;
}
