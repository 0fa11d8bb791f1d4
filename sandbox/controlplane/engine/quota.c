#include "controlplane/engine/quota.h"

#include "base/memory.h"
#include "base/quantity.h"

#include <stdio.h>
#include <string.h>

#define AMOUNT_MAXIMUM 64

/* "name=amount" at the start of a list; `end` is the list's. */
struct entry {
	const char *name;
	size_t name_length;
	char amount[AMOUNT_MAXIMUM];
};

/* Behind the label, up to the ", " before the next one; NULL when it is not there. */
static const char *find_list(const char *message, const char *label, const char **ret_end)
{
	const char *list = strstr(message, label);
	if (!list)
		return NULL;
	list += strlen(label);
	const char *end = strstr(list, ", ");
	*ret_end = end ? end : list + strlen(list);
	return list;
}

/* Where the next entry begins, NULL when there is none left. */
static const char *read_entry(const char *at, const char *end, struct entry *ret_entry)
{
	if (at >= end)
		return NULL;
	const char *comma = memchr(at, ',', (size_t)(end - at));
	const char *stop = comma ? comma : end;
	const char *equals = memchr(at, '=', (size_t)(stop - at));
	*ret_entry = (struct entry){ .name = at, .name_length = equals ? (size_t)(equals - at) : 0 };
	if (equals)
		(void)snprintf(ret_entry->amount, sizeof(ret_entry->amount), "%.*s", (int)(stop - equals - 1),
		               equals + 1);
	return comma ? comma + 1 : end;
}

static bool is_named(const struct entry *entry, const char *name)
{
	return entry->name_length == strlen(name) && memcmp(entry->name, name, entry->name_length) == 0;
}

/* Not "pods", "count/…" and their like: who sets these to 0 has stopped everything, for a while. */
static bool is_compute(const struct entry *entry)
{
	static const char *const names[] = { "cpu", "memory", "ephemeral-storage" };
	static const char *const prefixes[] = { "limits.", "requests." };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (is_named(entry, names[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(prefixes); i++) {
		const size_t length = strlen(prefixes[i]);
		if (entry->name_length > length && memcmp(entry->name, prefixes[i], length) == 0)
			return true;
	}
	return false;
}

static bool exceeds(const struct entry *requested, const char *limited, const char *end)
{
	struct entry limit;
	struct quantity wanted, most;
	while ((limited = read_entry(limited, end, &limit))) {
		if (limit.name_length == requested->name_length &&
		    memcmp(limit.name, requested->name, limit.name_length) == 0)
			return quantity_parse(requested->amount, &wanted) && quantity_parse(limit.amount, &most) &&
			       quantity_compare(&wanted, &most) > 0;
	}
	return false;
}

bool quota_can_never_fit(const char *message)
{
	const char *quota = strstr(message, "exceeded quota: "), *requested_end, *limited_end;
	const char *requested = quota ? find_list(quota, "requested: ", &requested_end) : NULL;
	const char *limited = requested ? find_list(requested, "limited: ", &limited_end) : NULL;
	struct entry entry;
	while (limited && (requested = read_entry(requested, requested_end, &entry))) {
		if (is_compute(&entry) && exceeds(&entry, limited, limited_end))
			return true;
	}
	return false;
}
