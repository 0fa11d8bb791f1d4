#include "cli/terminal/spinner.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/terminal/terminal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What is over sooner is not shown: it would only flicker. */
#define FIRST_MS 150
#define TURN_MS 100
#define TELL_TIME_MS 3000
#define MARK_ROOM 2

struct spinner {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	char *text;
	bool ends;
	bool drawn;
	bool utf8;
	int64_t began_ms;
};

/* The first of these that is set decides, as for every program. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		const char *value = getenv(names[i]);
		if (!text_is_empty(value))
			return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
	}
	return false;
}

static void draw(struct spinner *spinner, size_t turn)
{
	static const char *const dots[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
	static const char *const lines[] = { "|", "/", "-", "\\" };
	const char *mark = spinner->utf8 ? dots[turn % ARRAY_LENGTH(dots)] : lines[turn % ARRAY_LENGTH(lines)];
	int64_t waited = clock_monotonic_ms() - spinner->began_ms;
	auto_free char *line = waited < TELL_TIME_MS
	                               ? xstrdup(spinner->text)
	                               : xasprintf("%s (%lld s)", spinner->text, (long long)(waited / 1000));
	line[terminal_cut(line, terminal_columns(STDERR_FILENO) - MARK_ROOM - 1)] = '\0';
	fprintf(stderr, "\r\033[K%s %s", mark, line);
	fflush(stderr);
	spinner->drawn = true;
}

static struct timespec in(int64_t milliseconds)
{
	struct timespec at;
	clock_gettime(CLOCK_REALTIME, &at);
	int64_t ns = (int64_t)at.tv_nsec + milliseconds * INT64_C(1000000);
	at.tv_sec += (time_t)(ns / INT64_C(1000000000));
	at.tv_nsec = (long)(ns % INT64_C(1000000000));
	return at;
}

static void *turn(void *context)
{
	struct spinner *spinner = context;
	size_t turns = 0;
	pthread_mutex_lock(&spinner->mutex);
	while (!spinner->ends) {
		if (turns)
			draw(spinner, turns);
		const struct timespec next = in(turns++ ? TURN_MS : FIRST_MS);
		(void)pthread_cond_timedwait(&spinner->wake, &spinner->mutex, &next);
	}
	pthread_mutex_unlock(&spinner->mutex);
	return NULL;
}

struct spinner *spinner_start(const char *text)
{
	if (!terminal_is_smart(STDERR_FILENO))
		return NULL;
	struct spinner *spinner = xcalloc(1, sizeof(*spinner));
	spinner->text = xstrdup(text);
	spinner->utf8 = locale_is_utf8();
	spinner->began_ms = clock_monotonic_ms();
	pthread_mutex_init(&spinner->mutex, NULL);
	pthread_cond_init(&spinner->wake, NULL);
	if (pthread_create(&spinner->thread, NULL, turn, spinner) == 0)
		return spinner;
	pthread_cond_destroy(&spinner->wake);
	pthread_mutex_destroy(&spinner->mutex);
	free(spinner->text);
	free(spinner);
	return NULL;
}

void spinner_say(struct spinner *spinner, const char *text)
{
	pthread_mutex_lock(&spinner->mutex);
	free(spinner->text);
	spinner->text = xstrdup(text);
	pthread_mutex_unlock(&spinner->mutex);
}

struct spinner *spinner_stop(struct spinner *spinner)
{
	if (!spinner)
		return NULL;
	pthread_mutex_lock(&spinner->mutex);
	spinner->ends = true;
	pthread_cond_signal(&spinner->wake);
	pthread_mutex_unlock(&spinner->mutex);
	pthread_join(spinner->thread, NULL);
	if (spinner->drawn)
		fputs("\r\033[K", stderr);
	pthread_cond_destroy(&spinner->wake);
	pthread_mutex_destroy(&spinner->mutex);
	free(spinner->text);
	free(spinner);
	return NULL;
}
