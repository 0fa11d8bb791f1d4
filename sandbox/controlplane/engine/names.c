#include "controlplane/engine/names.h"

#include "base/buf.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define NODE_ID_MAXIMUM 20
#define GENERATED_NAME_MAXIMUM 50
#define CHILD_NAME_MAXIMUM 20
/* Names come from validated identifiers; this is far above what they can add up to. */
#define JOINED_MAXIMUM ((size_t)64 * 1024)
#define SHARD_COUNT (36 * 36)

uint32_t names_hash(const char *text)
{
	uint32_t hash = UINT32_C(2166136261);
	for (; *text; text++)
		hash = (uint32_t)((hash ^ (unsigned char)*text) * UINT64_C(16777619));
	return hash;
}

static uint64_t hash_wide(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

/* Five bits a character from the top, the last ones filled up with zeros. `out` gets a NUL. */
static void encode(uint64_t value, unsigned bits, char *out)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz123456";
	for (unsigned done = 0; done < bits; done += 5) {
		unsigned left = bits - done;
		uint64_t digit = left >= 5 ? value >> (left - 5) : value << (5 - left);
		*out++ = alphabet[digit & 31];
	}
	*out = '\0';
}

static char *join(struct arena *arena, const char *const *parts, size_t count)
{
	auto_buf struct buf out = BUF_INIT(JOINED_MAXIMUM);
	for (size_t i = 0; i < count; i++) {
		if (out.length)
			buf_add_byte(&out, '-');
		buf_add_str(&out, parts[i]);
	}
	return arena_strdup(arena, buf_text(&out));
}

char *names_join(struct arena *arena, size_t maximum, const char *const *parts, size_t count)
{
	char *joined = join(arena, parts, count);
	if (strlen(joined) <= maximum)
		return joined;
	char hash[8];
	encode(names_hash(joined), 32, hash);
	return arena_printf(arena, "f%s", hash);
}

char *names_join_wide(struct arena *arena, size_t maximum, const char *const *parts, size_t count)
{
	char *joined = join(arena, parts, count);
	if (strlen(joined) <= maximum)
		return joined;
	char hash[14];
	encode(hash_wide(joined), 64, hash);
	return arena_printf(arena, "f%s", hash);
}

char *names_node_execution(struct arena *arena, const char *parent_id, uint32_t parent_attempt, const char *node_id)
{
	if (!parent_id)
		return names_join(arena, NODE_ID_MAXIMUM, &node_id, 1);
	const char *parts[] = { parent_id, arena_printf(arena, "%u", parent_attempt), node_id };
	return names_join(arena, NODE_ID_MAXIMUM, parts, ARRAY_LENGTH(parts));
}

char *names_generated(struct arena *arena, const char *execution_name, const char *node_unique_id, uint32_t attempt)
{
	const char *parts[] = { execution_name, node_unique_id, arena_printf(arena, "%u", attempt) };
	return names_join(arena, GENERATED_NAME_MAXIMUM, parts, ARRAY_LENGTH(parts));
}

char *names_child_execution(struct arena *arena, const char *execution_name, const char *node_unique_id,
                            uint32_t attempt)
{
	const char *parts[] = { execution_name, node_unique_id, arena_printf(arena, "%u", attempt) };
	return names_join_wide(arena, CHILD_NAME_MAXIMUM, parts, ARRAY_LENGTH(parts));
}

static bool is_dns_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* RFC 1123 label, as Kubernetes wants container names. */
static bool is_dns_label(const char *name)
{
	size_t length = strlen(name);
	if (!length || length > 63 || name[0] == '-' || name[length - 1] == '-')
		return false;
	for (const char *at = name; *at; at++) {
		if (!is_dns_character(*at))
			return false;
	}
	return true;
}

/*
 * Node ids may have capitals and underscores, pods may not. Two node ids can become the same readable form ("foo_bar"
 * and "foo-bar"), so the hash of what was there goes behind it.
 */
static char *to_dns_label(struct arena *arena, const char *name)
{
	char readable[GENERATED_NAME_MAXIMUM + 1];
	size_t length = 0;
	for (const char *at = name; *at && length < GENERATED_NAME_MAXIMUM; at++) {
		char c = (char)tolower((unsigned char)*at);
		if (!is_dns_character(c))
			c = '-';
		if (c != '-' || (length && readable[length - 1] != '-'))
			readable[length++] = c;
	}
	while (length && readable[length - 1] == '-')
		length--;
	readable[length] = '\0';
	char hash[8];
	encode(names_hash(name), 32, hash);
	return length ? arena_printf(arena, "%s-%s", readable, hash) : arena_printf(arena, "f%s", hash);
}

char *names_pod(struct arena *arena, const char *execution_name, const char *node_unique_id, uint32_t attempt)
{
	char *name = names_generated(arena, execution_name, node_unique_id, attempt);
	return is_dns_label(name) ? name : to_dns_label(arena, name);
}

void names_shard(const char *unique_id, char ret_shard[3])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint32_t index = names_hash(unique_id) % SHARD_COUNT;
	ret_shard[0] = alphabet[index / 36];
	ret_shard[1] = alphabet[index % 36];
	ret_shard[2] = '\0';
}

char *names_per_retry_unique_key(struct arena *arena, const char *generated_name)
{
	const char *at = generated_name;
	while (*at && !isalpha((unsigned char)*at) && *at != '_')
		at++;
	char *key = arena_printf(arena, "%s%s", at == generated_name ? "" : "a", at);
	char *out = key;
	bool in_run = false;
	for (const char *in = key; *in; in++) {
		bool allowed = isalnum((unsigned char)*in) || *in == '_';
		/* A whole run of other characters becomes one '_'. */
		if (allowed || !in_run)
			*out++ = allowed ? *in : '_';
		in_run = !allowed;
	}
	*out = '\0';
	return key;
}
