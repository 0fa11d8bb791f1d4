#include "base/duration.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* Digits with an optional fraction at *cursor. */
static bool read_decimal(const char **cursor, double *ret_value)
{
	const char *p = *cursor;
	size_t whole = strspn(p, "0123456789");
	size_t fraction = p[whole] == '.' ? strspn(p + whole + 1, "0123456789") : 0;
	if (whole + fraction == 0 || whole + fraction > 30)
		return false;
	*ret_value = strtod(p, NULL);
	*cursor = p + whole + (p[whole] == '.' ? 1 + fraction : 0);
	return true;
}

/* Nanoseconds of the unit at *cursor, 0 for none. */
static double read_unit(const char **cursor)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		/* longer names before their prefixes */
		{ "ns", 1 }, { "us", 1e3 }, { "µs", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (text_starts_with(*cursor, units[i].name)) {
			*cursor += strlen(units[i].name);
			return units[i].ns;
		}
	}
	return 0;
}

bool duration_parse(const char *text, int64_t *ret_ns)
{
	const char *p = text;
	bool negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	double total = 0, value;
	bool first = true;
	do {
		if (!read_decimal(&p, &value))
			return false;
		/* A number alone is seconds. */
		double unit = first && !*p ? 1e9 : read_unit(&p);
		if (unit == 0)
			return false;
		total += value * unit;
		first = false;
	} while (*p);
	if (total > 9.2e18)
		return false;
	total += 0.5;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return true;
}
