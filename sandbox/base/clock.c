#include "base/clock.h"

#include <limits.h>
#include <stdio.h>

#define NS_PER_SECOND INT64_C(1000000000)

static int64_t clock_ns(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

int64_t clock_monotonic_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_monotonic_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int clock_poll_timeout(int64_t deadline_ms)
{
	if (deadline_ms == CLOCK_NEVER)
		return -1;
	int64_t left = deadline_ms - clock_monotonic_ms();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void clock_format_rfc3339(int64_t wall_ns, char text[CLOCK_RFC3339_SIZE])
{
	int64_t seconds = wall_ns / NS_PER_SECOND;
	int64_t rest = wall_ns % NS_PER_SECOND;
	if (rest < 0) {
		rest += NS_PER_SECOND;
		seconds--;
	}
	time_t when = (time_t)seconds;
	struct tm parts;
	gmtime_r(&when, &parts);
	char date[CLOCK_RFC3339_SIZE / 2 + 4];
	size_t length = strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(text, CLOCK_RFC3339_SIZE, "%.*s.%06dZ", (int)length, date, (int)(rest / 1000));
}

static bool read_digits(const char **cursor, int count, int *ret_value)
{
	int value = 0;
	for (int i = 0; i < count; i++) {
		char c = (*cursor)[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*cursor += count;
	*ret_value = value;
	return true;
}

static bool read_char(const char **cursor, const char *any_of)
{
	for (; *any_of; any_of++) {
		if (**cursor == *any_of) {
			(*cursor)++;
			return true;
		}
	}
	return false;
}

bool clock_parse_rfc3339(const char *text, int64_t *ret_wall_ns)
{
	int year, month, day, hour, minute, second;
	if (!read_digits(&text, 4, &year) || !read_char(&text, "-") || !read_digits(&text, 2, &month) ||
	    !read_char(&text, "-") || !read_digits(&text, 2, &day) || !read_char(&text, "Tt ") ||
	    !read_digits(&text, 2, &hour) || !read_char(&text, ":") || !read_digits(&text, 2, &minute) ||
	    !read_char(&text, ":") || !read_digits(&text, 2, &second))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
		return false;
	int64_t nanoseconds = 0;
	if (read_char(&text, ".")) {
		int64_t unit = NS_PER_SECOND / 10;
		if (*text < '0' || *text > '9')
			return false;
		for (; *text >= '0' && *text <= '9'; text++, unit /= 10)
			nanoseconds += (*text - '0') * unit;
	}
	int64_t offset_seconds = 0;
	if (!read_char(&text, "Zz")) {
		int offset_hour, offset_minute;
		int sign = *text == '-' ? -1 : 1;
		if (!read_char(&text, "+-") || !read_digits(&text, 2, &offset_hour) || !read_char(&text, ":") ||
		    !read_digits(&text, 2, &offset_minute) || offset_hour > 23 || offset_minute > 59)
			return false;
		offset_seconds = (int64_t)sign * (offset_hour * 3600 + offset_minute * 60);
	}
	if (*text)
		return false;
	struct tm parts = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day,
			    .tm_hour = hour, .tm_min = minute, .tm_sec = second };
	int64_t seconds = (int64_t)timegm(&parts) - offset_seconds;
	if (seconds >= INT64_MAX / NS_PER_SECOND || seconds < INT64_MIN / NS_PER_SECOND)
		return false;
	*ret_wall_ns = seconds * NS_PER_SECOND + nanoseconds;
	return true;
}
