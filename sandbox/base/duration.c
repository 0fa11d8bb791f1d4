#include "base/duration.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static bool read_unit(const char **at, int64_t *ret_ns)
{
	/* The longer ones first. Microseconds come with either of Unicode's two signs. */
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "ns", 1 },
		      { "us", 1000 },
		      { "\xc2\xb5s", 1000 },
		      { "\xce\xbcs", 1000 },
		      { "ms", 1000000 },
		      { "s", 1000000000 },
		      { "m", INT64_C(60) * 1000000000 },
		      { "h", INT64_C(3600) * 1000000000 } };
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (!text_starts_with(*at, units[i].name))
			continue;
		*at += strlen(units[i].name);
		*ret_ns = units[i].ns;
		return true;
	}
	return false;
}

/* One "1.5h". Digits of the fraction that a nanosecond cannot show are ignored, as Go does. */
static bool read_part(const char **at, __int128 *total)
{
	__int128 whole = 0, fraction = 0, scale = 1;
	size_t digits = 0;
	int64_t unit;
	for (; **at >= '0' && **at <= '9'; (*at)++, digits++)
		whole = whole > INT64_MAX ? whole : whole * 10 + (**at - '0');
	if (**at == '.') {
		for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++) {
			if (scale < INT64_C(1000000000000000)) {
				fraction = fraction * 10 + (**at - '0');
				scale *= 10;
			}
		}
	}
	if (!digits || !read_unit(at, &unit))
		return false;
	*total += whole * unit + fraction * unit / scale;
	return *total <= INT64_MAX;
}

bool duration_parse_go(const char *text, int64_t *ret_ns)
{
	const bool negative = *text == '-';
	const char *at = text + (*text == '-' || *text == '+');
	__int128 total = 0;
	if (!*at)
		return false;
	if (text_equal(at, "0"))
		at++;
	while (*at) {
		if (!read_part(&at, &total))
			return false;
	}
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return true;
}

bool duration_parse(const char *text, int64_t *ret_ns)
{
	const char *number = text + (*text == '-' || *text == '+');
	if (number[strspn(number, "0123456789.")])
		return duration_parse_go(text, ret_ns);
	auto_free char *seconds = xasprintf("%ss", text);
	return duration_parse_go(seconds, ret_ns);
}
