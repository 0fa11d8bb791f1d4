#include "base/kubernetes_names.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static bool is_alphanumeric(char c)
{
	return isalnum((unsigned char)c) != 0;
}

bool kubernetes_is_dns_label(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length > 63 || text[0] == '-' || text[length - 1] == '-')
		return false;
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Labels of dots and DNS labels, as a label key's prefix. */
static bool is_dns_subdomain(const char *text, size_t length)
{
	if (length == 0 || length > 253)
		return false;
	char before = '.';
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		bool fine = islower((unsigned char)c) || isdigit((unsigned char)c) || (c == '-' && before != '.') ||
		            (c == '.' && before != '.' && before != '-');
		if (!fine)
			return false;
		before = c;
	}
	return before != '.' && before != '-';
}

/* Up to 63 of [A-Za-z0-9_.-], alphanumeric at both ends. */
static bool is_label_name(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length > 63 || !is_alphanumeric(text[0]) || !is_alphanumeric(text[length - 1]))
		return false;
	for (const char *p = text; *p; p++) {
		if (!is_alphanumeric(*p) && !strchr("_.-", *p))
			return false;
	}
	return true;
}

bool kubernetes_is_label_key(const char *text)
{
	const char *slash = strchr(text, '/');
	if (slash && !is_dns_subdomain(text, (size_t)(slash - text)))
		return false;
	return is_label_name(slash ? slash + 1 : text);
}

bool kubernetes_is_label_value(const char *text)
{
	return !*text || is_label_name(text);
}
