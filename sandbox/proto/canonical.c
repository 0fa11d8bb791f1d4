#include "proto/canonical.h"

#include "proto/field.h"

#include <openssl/evp.h>
#include <string.h>

/* What qsort compares: the entry, its key's type, and where it stood, so that of equal keys the last one can be kept.
 */
struct entry {
	ProtobufCMessage *message;
	size_t index;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = proto_compare_keys(left->message, right->message);
	return order ? order : (left->index > right->index) - (left->index < right->index);
}

static void sort_map(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = proto_field_count(message, field);
	ProtobufCMessage **entries = *(ProtobufCMessage ***)proto_field_member(message, field);
	if (count < 2)
		return;
	auto_free struct entry *sorted = xcalloc(count, sizeof(*sorted));
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct entry){ .message = entries[i], .index = i };
	qsort(sorted, count, sizeof(*sorted), compare_entries);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		bool last_of_key = i + 1 == count || proto_compare_keys(sorted[i].message, sorted[i + 1].message) != 0;
		if (last_of_key)
			entries[kept++] = sorted[i].message;
	}
	*(size_t *)(void *)((char *)message + field->quantifier_offset) = kept;
}

static void canonicalize_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		if (proto_field_is_set(message, field))
			proto_canonicalize(proto_message_value(proto_field_member(message, field)));
		return;
	}
	size_t count = proto_field_count(message, field);
	for (size_t i = 0; i < count; i++)
		proto_canonicalize(proto_message_value(proto_field_element(message, field, i)));
	if (proto_is_map_field(field))
		sort_map(message, field);
}

void proto_canonicalize(ProtobufCMessage *message)
{
	for (unsigned i = 0; message && i < message->descriptor->n_fields; i++)
		if (message->descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			canonicalize_field(message, &message->descriptor->fields[i]);
}

/* protobuf-c writes into this; the bytes go straight into the digest. */
struct digest_sink {
	ProtobufCBuffer base;
	EVP_MD_CTX *context;
};

static void append_to_digest(ProtobufCBuffer *buffer, size_t length, const uint8_t *bytes)
{
	const struct digest_sink *sink = (const struct digest_sink *)(const void *)buffer;
	if (EVP_DigestUpdate(sink->context, bytes, length) != 1)
		abort();
}

void proto_digest(struct arena *arena, ProtobufCMessage *message, uint8_t ret_digest[PROTO_DIGEST_SIZE])
{
	(void)arena;
	struct digest_sink sink = { .base.append = append_to_digest, .context = EVP_MD_CTX_new() };
	if (!sink.context || EVP_DigestInit_ex(sink.context, EVP_sha256(), NULL) != 1)
		abort();
	proto_canonicalize(message);
	(void)protobuf_c_message_pack_to_buffer(message, &sink.base);
	if (EVP_DigestFinal_ex(sink.context, ret_digest, NULL) != 1)
		abort();
	EVP_MD_CTX_free(sink.context);
}
