#include "base/quantity.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>

#define NANO INT64_C(1000000000)
#define DIGITS_MAXIMUM 64
/* Kubernetes caps binary quantities at int64; decimal ones may be larger, here up to what __int128 holds with room to
 * multiply by ten. */
#define BINARY_MAXIMUM ((__int128)INT64_MAX * NANO)
#define DECIMAL_MAXIMUM ((__int128)NANO * NANO * NANO * NANO)

struct suffix {
	const char *text;
	__int128 nano; /* value of one unit */
	enum quantity_format format;
};

static const struct suffix suffixes[] = {
	{ "n", 1, QUANTITY_DECIMAL },
	{ "u", 1000, QUANTITY_DECIMAL },
	{ "m", 1000000, QUANTITY_DECIMAL },
	{ "", NANO, QUANTITY_DECIMAL },
	{ "k", (__int128)NANO * 1000, QUANTITY_DECIMAL },
	{ "M", (__int128)NANO * 1000000, QUANTITY_DECIMAL },
	{ "G", (__int128)NANO *NANO, QUANTITY_DECIMAL },
	{ "T", (__int128)NANO *NANO * 1000, QUANTITY_DECIMAL },
	{ "P", (__int128)NANO *NANO * 1000000, QUANTITY_DECIMAL },
	{ "E", (__int128)NANO *NANO *NANO, QUANTITY_DECIMAL },
	{ "Ki", (__int128)NANO << 10, QUANTITY_BINARY },
	{ "Mi", (__int128)NANO << 20, QUANTITY_BINARY },
	{ "Gi", (__int128)NANO << 30, QUANTITY_BINARY },
	{ "Ti", (__int128)NANO << 40, QUANTITY_BINARY },
	{ "Pi", (__int128)NANO << 50, QUANTITY_BINARY },
	{ "Ei", (__int128)NANO << 60, QUANTITY_BINARY },
};

static bool find_suffix(const char *text, struct suffix *ret_suffix)
{
	int64_t exponent;
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
		if (text_equal(text, suffixes[i].text)) {
			*ret_suffix = suffixes[i];
			return true;
		}
	}
	if ((*text != 'e' && *text != 'E') ||
	    !text_to_int64(text + 1 + (text[1] == '+'), text[1] == '+' ? 0 : -100, 100, &exponent))
		return false;
	/* Beyond these the value is below a nano or above the cap whatever the digits say, up to DIGITS_MAXIMUM. */
	*ret_suffix = (struct suffix){ .nano = 1, .format = QUANTITY_DECIMAL_EXPONENT };
	if (exponent < -9 || exponent > 18)
		return false;
	for (int64_t i = -9; i < exponent; i++)
		ret_suffix->nano *= 10;
	return true;
}

/* digits × unit with the last `fraction` digits behind the point: exact, then rounded up to a nano, capped. */
static __int128 scale(const char *digits, size_t count, size_t fraction, __int128 unit, __int128 maximum)
{
	__int128 whole = 0, part = 0;
	bool lost = false;
	for (size_t i = 0; i < count - fraction; i++) {
		whole = whole * 10 + (digits[i] - '0') * unit;
		if (whole > maximum)
			return maximum;
	}
	/* From the last digit: floor((n + floor(x)) / 10) is floor((n + x) / 10), so only what falls off has to be
	 * remembered. */
	for (size_t i = count; i > count - fraction; i--) {
		part += (digits[i - 1] - '0') * unit;
		lost |= part % 10 != 0;
		part /= 10;
	}
	whole += part + lost;
	return whole > maximum ? maximum : whole;
}

bool quantity_parse(const char *text, struct quantity *ret_quantity)
{
	char digits[DIGITS_MAXIMUM];
	size_t count = 0, fraction = 0;
	bool negative = *text == '-', point = false;
	text += *text == '-' || *text == '+';
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (count == DIGITS_MAXIMUM)
			return false;
		digits[count++] = *text;
		fraction += point;
	}
	struct suffix suffix;
	if (!count || !find_suffix(text, &suffix))
		return false;
	__int128 maximum = suffix.format == QUANTITY_BINARY ? BINARY_MAXIMUM : DECIMAL_MAXIMUM;
	__int128 nano = scale(digits, count, fraction, suffix.nano, maximum);
	*ret_quantity = (struct quantity){ .nano = negative ? -nano : nano, .format = suffix.format };
	return true;
}

int quantity_compare(const struct quantity *a, const struct quantity *b)
{
	return (a->nano > b->nano) - (a->nano < b->nano);
}

static void print_integer(__int128 value, const char *suffix, char text[QUANTITY_TEXT_SIZE])
{
	char digits[48];
	size_t at = sizeof(digits);
	bool negative = value < 0;
	if (negative)
		value = -value;
	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + (int)(value % 10));
		value /= 10;
	} while (value);
	snprintf(text, QUANTITY_TEXT_SIZE, "%s%s%s", negative ? "-" : "", digits + at, suffix);
}

static void print_binary(__int128 value, char text[QUANTITY_TEXT_SIZE])
{
	static const char *const names[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	size_t step = 0;
	while (step + 1 < ARRAY_LENGTH(names) && value % 1024 == 0 && value) {
		value /= 1024;
		step++;
	}
	print_integer(value, names[step], text);
}

void quantity_print(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE])
{
	static const char *const names[] = { "n", "u", "m", "", "k", "M", "G", "T", "P", "E" };
	static const char *const exponents[] = { "e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18" };
	__int128 nano = quantity->nano;
	__int128 magnitude = nano < 0 ? -nano : nano;
	if (!nano) {
		snprintf(text, QUANTITY_TEXT_SIZE, "0");
		return;
	}
	/* Kubernetes prints binary quantities that are small or no whole number as decimal ones. */
	if (quantity->format == QUANTITY_BINARY && magnitude >= (__int128)1024 * NANO && nano % NANO == 0) {
		print_binary(nano / NANO, text);
		return;
	}
	size_t step = 0;
	while (step + 1 < ARRAY_LENGTH(names) && nano % 1000 == 0) {
		nano /= 1000;
		step++;
	}
	print_integer(nano, quantity->format == QUANTITY_DECIMAL_EXPONENT ? exponents[step] : names[step], text);
}
