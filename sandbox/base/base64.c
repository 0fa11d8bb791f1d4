#include "base/base64.h"

#include <stdint.h>
#include <string.h>

char *base64_encode(const void *bytes, size_t length)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;
	char *text = xmalloc(length / 3 * 4 + 5);
	char *out = text;
	for (size_t i = 0; i < length; i += 3) {
		size_t have = length - i;
		uint32_t group = (uint32_t)in[i] << 16;
		group |= have > 1 ? (uint32_t)in[i + 1] << 8 : 0;
		group |= have > 2 ? in[i + 2] : 0;
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = have > 1 ? alphabet[group >> 6 & 63] : '=';
		*out++ = have > 2 ? alphabet[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int base64_decode(const char *text, size_t length, struct buf *ret_bytes)
{
	uint32_t group = 0;
	unsigned digits = 0, padding = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\r' || text[i] == '\n')
			continue;
		if (text[i] == '=') {
			padding++;
			continue;
		}
		int value = digit(text[i]);
		if (value < 0 || padding)
			return -1;
		group = group << 6 | (uint32_t)value;
		if (++digits == 4) {
			char three[] = { (char)(group >> 16), (char)(group >> 8), (char)group };
			if (buf_add(ret_bytes, three, sizeof(three)) < 0)
				return -1;
			group = 0;
			digits = 0;
		}
	}
	/* A group cut short has two or three digits; its unused bits must be zero and its padding, if any, complete. */
	unsigned rest = digits * 6 % 8;
	if (digits == 1 || (padding && padding != 4 - digits) || (padding && !digits) || (group & ((1u << rest) - 1)))
		return -1;
	if (!digits)
		return 0;
	group >>= rest;
	char two[] = { (char)(digits == 3 ? group >> 8 : group), (char)group };
	return buf_add(ret_bytes, two, digits - 1);
}
