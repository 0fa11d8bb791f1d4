#include "base/text.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/scalar.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/struct.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <string.h>

struct printer {
	struct buf *out;
	unsigned flags;
	struct err *e;
};

static int print_message(struct printer *p, const ProtobufCMessage *message);

static int full(struct printer *p)
{
	return err_set(p->e, ERR_EXHAUSTED, "message-too-large", "the JSON text is larger than the maximum (%zu bytes)",
	               p->out->maximum);
}

static int print_text(struct printer *p, const char *text)
{
	return buf_add_str(p->out, text) < 0 ? full(p) : 0;
}

int proto_json_add_string(struct buf *out, const char *text, size_t length)
{
	if (buf_add_byte(out, '"') < 0)
		return -1;
	for (size_t i = 0; i < length;) {
		/* Whole runs of plain characters at once. */
		size_t run = 0;
		while (i + run < length && text[i + run] >= 0x20 && text[i + run] != '"' && text[i + run] != '\\' &&
		       text[i + run] != 0x7f)
			run++;
		if (run && buf_add(out, text + i, run) < 0)
			return -1;
		i += run;
		if (i == length)
			break;
		char c = text[i];
		size_t sequence = proto_utf8_sequence(text + i, length - i);
		int status = sequence > 1 ? buf_add(out, text + i, sequence)
		             : c == '"'   ? buf_add_str(out, "\\\"")
		             : c == '\\'  ? buf_add_str(out, "\\\\")
		             : c == '\n'  ? buf_add_str(out, "\\n")
		             : c == '\r'  ? buf_add_str(out, "\\r")
		             : c == '\t'  ? buf_add_str(out, "\\t")
		             : sequence   ? buf_add_format(out, "\\u%04x", (unsigned char)c)
		                          : buf_add_str(out, "\xef\xbf\xbd");
		if (status < 0)
			return -1;
		i += sequence ? sequence : 1;
	}
	return buf_add_byte(out, '"');
}

static int print_string(struct printer *p, const char *text)
{
	return proto_json_add_string(p->out, text ? text : "", text ? strlen(text) : 0) < 0 ? full(p) : 0;
}

static int print_bytes(struct printer *p, const ProtobufCBinaryData *bytes)
{
	if (buf_add_byte(p->out, '"') < 0 || proto_base64_encode(bytes->data, bytes->len, p->out) < 0 ||
	    buf_add_byte(p->out, '"') < 0)
		return full(p);
	return 0;
}

static int print_enum(struct printer *p, const ProtobufCFieldDescriptor *field, const void *value)
{
	const ProtobufCEnumDescriptor *descriptor = field->descriptor;
	if (text_equal(descriptor->name, "google.protobuf.NullValue"))
		return print_text(p, "null");
	const char *name = p->flags & PROTO_JSON_ENUM_NUMBERS ? NULL : proto_enum_name(field, value);
	return (name ? buf_add_format(p->out, "\"%s\"", name) : buf_add_format(p->out, "%d", *(const int *)value)) < 0
	               ? full(p)
	               : 0;
}

static int print_number(struct printer *p, const ProtobufCFieldDescriptor *field, const void *value)
{
	char text[PROTO_NUMBER_SIZE];
	bool quoted = false;
	(void)proto_scalar_to_text(field, value, text);
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		quoted = true;
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		quoted = !isfinite(*(const float *)value);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		quoted = !isfinite(*(const double *)value);
		break;
	default:
		break;
	}
	return buf_add_format(p->out, quoted ? "\"%s\"" : "%s", text) < 0 ? full(p) : 0;
}

static int print_value(struct printer *p, const ProtobufCFieldDescriptor *field, const void *value)
{
	const ProtobufCMessage *message;
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return print_string(p, *(const char *const *)value);
	case PROTOBUF_C_TYPE_BYTES:
		return print_bytes(p, value);
	case PROTOBUF_C_TYPE_ENUM:
		return print_enum(p, field, value);
	case PROTOBUF_C_TYPE_MESSAGE:
		message = proto_message_value(value);
		return message ? print_message(p, message) : print_text(p, "null");
	default:
		return print_number(p, field, value);
	}
}

static int print_list(struct printer *p, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = proto_field_count(message, field);
	if (print_text(p, "[") < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if ((i && print_text(p, ",") < 0) || print_value(p, field, proto_field_element(message, field, i)) < 0)
			return -1;
	return print_text(p, "]");
}

/* An entry's value that was left out means the type's default; for a message that is the empty message. */
static int print_entry_value(struct printer *p, const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *field = &entry->descriptor->fields[1];
	const void *value = proto_field_value(entry, field);
	if (field->type != PROTOBUF_C_TYPE_MESSAGE || proto_message_value(value))
		return print_value(p, field, value);
	char room[2048] = { 0 };
	const ProtobufCMessageDescriptor *descriptor = field->descriptor;
	if (descriptor->sizeof_message > sizeof(room))
		return print_text(p, "{}");
	ProtobufCMessage *empty = (ProtobufCMessage *)(void *)room;
	protobuf_c_message_init(descriptor, empty);
	return print_message(p, empty);
}

static int print_map(struct printer *p, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t count = proto_field_count(message, field);
	if (print_text(p, "{") < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const ProtobufCMessage *entry = proto_message_value(proto_field_element(message, field, i));
		const ProtobufCFieldDescriptor *key = &entry->descriptor->fields[0];
		const void *value = proto_field_value(entry, key);
		char text[PROTO_NUMBER_SIZE];
		const char *name = proto_scalar_to_text(key, value, text) ? text : *(const char *const *)value;
		if ((i && print_text(p, ",") < 0) || print_string(p, name) < 0 || print_text(p, ":") < 0 ||
		    print_entry_value(p, entry) < 0)
			return -1;
	}
	return print_text(p, "}");
}

static int print_name(struct printer *p, const ProtobufCFieldDescriptor *field)
{
	char camel[128];
	if (p->flags & PROTO_JSON_CAMEL_CASE)
		proto_camel_case(field->name, camel, sizeof(camel));
	return buf_add_format(p->out, "\"%s\":", p->flags & PROTO_JSON_CAMEL_CASE ? camel : field->name) < 0 ? full(p)
	                                                                                                     : 0;
}

static int print_fields(struct printer *p, const ProtobufCMessage *message)
{
	bool first = true;
	if (print_text(p, "{") < 0)
		return -1;
	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		bool set = proto_field_is_set(message, field);
		if (!set && (proto_field_is_oneof(field) || p->flags & PROTO_JSON_OMIT_DEFAULTS))
			continue;
		if ((!first && print_text(p, ",") < 0) || print_name(p, field) < 0)
			return -1;
		first = false;
		int status = proto_is_map_field(field) ? print_map(p, message, field)
		             : field->label == PROTOBUF_C_LABEL_REPEATED
		                     ? print_list(p, message, field)
		                     : print_value(p, field, proto_field_value(message, field));
		if (status < 0)
			return -1;
	}
	return print_text(p, "}");
}

static int print_struct_value(struct printer *p, const Google__Protobuf__Value *value)
{
	char text[PROTO_NUMBER_SIZE];
	switch (value->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		if (!isfinite(value->number_value))
			return err_set(p->e, ERR_INVALID, NULL, "a number in a google.protobuf.Value is not finite");
		proto_double_to_text(value->number_value, text);
		return print_text(p, text);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return print_string(p, value->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return print_text(p, value->bool_value ? "true" : "false");
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return value->struct_value ? print_message(p, &value->struct_value->base) : print_text(p, "{}");
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return value->list_value ? print_message(p, &value->list_value->base) : print_text(p, "[]");
	default:
		return print_text(p, "null");
	}
}

static int print_time(struct printer *p, int status, const char *text, const char *type)
{
	if (status < 0)
		return err_set(p->e, ERR_INVALID, NULL, "a %s is out of range", type);
	return buf_add_format(p->out, "\"%s\"", text) < 0 ? full(p) : 0;
}

static int print_any(struct printer *p, const Google__Protobuf__Any *any)
{
	if (print_text(p, "{\"@type\":") < 0 || print_string(p, any->type_url) < 0 ||
	    print_text(p, ",\"value\":") < 0 || print_bytes(p, &any->value) < 0)
		return -1;
	return print_text(p, "}");
}

static int print_well_known(struct printer *p, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	char text[PROTO_NUMBER_SIZE];
	if (type == &google__protobuf__timestamp__descriptor) {
		const Google__Protobuf__Timestamp *time = (const Google__Protobuf__Timestamp *)message;
		return print_time(p, proto_timestamp_to_text(time->seconds, time->nanos, text), text, "Timestamp");
	}
	if (type == &google__protobuf__duration__descriptor) {
		const Google__Protobuf__Duration *duration = (const Google__Protobuf__Duration *)message;
		return print_time(p, proto_duration_to_text(duration->seconds, duration->nanos, text), text,
		                  "Duration");
	}
	if (type == &google__protobuf__struct__descriptor)
		return print_map(p, message, &type->fields[0]);
	if (type == &google__protobuf__list_value__descriptor)
		return print_list(p, message, &type->fields[0]);
	if (type == &google__protobuf__value__descriptor)
		return print_struct_value(p, (const Google__Protobuf__Value *)message);
	if (type == &google__protobuf__any__descriptor)
		return print_any(p, (const Google__Protobuf__Any *)message);
	if (proto_is_wrapper(type))
		return print_value(p, &type->fields[0], proto_field_value(message, &type->fields[0]));
	return print_fields(p, message);
}

static int print_message(struct printer *p, const ProtobufCMessage *message)
{
	bool google = strncmp(message->descriptor->name, "google.protobuf.", 16) == 0;
	return google ? print_well_known(p, message) : print_fields(p, message);
}

int proto_json_print(const ProtobufCMessage *message, unsigned flags, struct buf *out, struct err *e)
{
	struct printer p = { .out = out, .flags = flags, .e = e };
	return print_message(&p, message);
}
