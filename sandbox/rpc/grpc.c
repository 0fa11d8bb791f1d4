#include "rpc/grpc.h"

#include "base/base64.h"
#include "proto/scalar.h"

#include <google/rpc/status.pb-c.h>
#include <string.h>

#define TRUNCATED "\xe2\x80\xa6 (truncated)"
#define REPLACEMENT "\xef\xbf\xbd"
#define ANY_PREFIX "type.googleapis.com/"

enum grpc_code grpc_code_of(enum err_kind kind)
{
	static const enum grpc_code codes[ERR_KIND_COUNT] = {
		[ERR_NONE] = GRPC_INTERNAL,
		[ERR_INTERNAL] = GRPC_INTERNAL,
		[ERR_USAGE] = GRPC_INVALID_ARGUMENT,
		[ERR_INVALID] = GRPC_INVALID_ARGUMENT,
		[ERR_NOT_FOUND] = GRPC_NOT_FOUND,
		[ERR_EXISTS] = GRPC_ALREADY_EXISTS,
		[ERR_CONFLICT] = GRPC_ABORTED,
		[ERR_PRECONDITION] = GRPC_FAILED_PRECONDITION,
		[ERR_PERMISSION] = GRPC_PERMISSION_DENIED,
		[ERR_UNAUTHENTICATED] = GRPC_UNAUTHENTICATED,
		[ERR_EXHAUSTED] = GRPC_RESOURCE_EXHAUSTED,
		[ERR_TIMEOUT] = GRPC_DEADLINE_EXCEEDED,
		[ERR_UNAVAILABLE] = GRPC_UNAVAILABLE,
		[ERR_UNSUPPORTED] = GRPC_UNIMPLEMENTED,
		[ERR_CANCELLED] = GRPC_CANCELLED,
	};
	return kind < ERR_KIND_COUNT ? codes[kind] : GRPC_INTERNAL;
}

const char *grpc_code_name(unsigned code)
{
	static const char *const names[GRPC_CODE_COUNT] = {
		[GRPC_OK] = "OK",
		[GRPC_CANCELLED] = "CANCELLED",
		[GRPC_UNKNOWN] = "UNKNOWN",
		[GRPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
		[GRPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
		[GRPC_NOT_FOUND] = "NOT_FOUND",
		[GRPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
		[GRPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
		[GRPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
		[GRPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
		[GRPC_ABORTED] = "ABORTED",
		[GRPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
		[GRPC_INTERNAL] = "INTERNAL",
		[GRPC_UNAVAILABLE] = "UNAVAILABLE",
		[GRPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
	};
	return code < GRPC_CODE_COUNT ? names[code] : NULL;
}

int grpc_http_status(enum grpc_code code)
{
	switch (code) {
	case GRPC_OK:
		return 200;
	case GRPC_CANCELLED:
		return 499;
	case GRPC_INVALID_ARGUMENT:
	case GRPC_FAILED_PRECONDITION:
		return 400;
	case GRPC_DEADLINE_EXCEEDED:
		return 504;
	case GRPC_NOT_FOUND:
		return 404;
	case GRPC_ALREADY_EXISTS:
	case GRPC_ABORTED:
		return 409;
	case GRPC_PERMISSION_DENIED:
		return 403;
	case GRPC_RESOURCE_EXHAUSTED:
		return 429;
	case GRPC_UNIMPLEMENTED:
		return 501;
	case GRPC_UNAVAILABLE:
		return 503;
	case GRPC_UNAUTHENTICATED:
		return 401;
	case GRPC_UNKNOWN:
	case GRPC_INTERNAL:
	case GRPC_CODE_COUNT:
		break;
	}
	return 500;
}

int grpc_frame_read(const void *bytes, size_t length, size_t maximum, struct grpc_frame *ret_frame, struct err *e)
{
	const uint8_t *data = bytes;
	if (length < GRPC_FRAME_HEADER_SIZE)
		return 0;
	if (data[0] > 1)
		return err_set(e, ERR_INTERNAL, "malformed-frame", "malformed gRPC frame: unknown flags 0x%02x",
		               data[0]);
	size_t payload = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
	if (payload > maximum)
		return err_set(e, ERR_EXHAUSTED, "message-too-large",
		               "received message larger than the maximum (%zu vs. %zu bytes)", payload, maximum);
	if (length - GRPC_FRAME_HEADER_SIZE < payload)
		return 0;
	*ret_frame = (struct grpc_frame){
		.compressed = data[0] == 1,
		.payload = data + GRPC_FRAME_HEADER_SIZE,
		.payload_length = payload,
		.size = GRPC_FRAME_HEADER_SIZE + payload,
	};
	return 1;
}

void grpc_frame_write_header(uint8_t header[GRPC_FRAME_HEADER_SIZE], size_t payload_length)
{
	header[0] = 0;
	header[1] = (uint8_t)(payload_length >> 24);
	header[2] = (uint8_t)(payload_length >> 16);
	header[3] = (uint8_t)(payload_length >> 8);
	header[4] = (uint8_t)payload_length;
}

bool grpc_parse_timeout(const char *text, int64_t *ret_ms)
{
	int64_t value = 0;
	size_t digits = 0;
	for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
		if (digits == 8)
			return false;
		value = value * 10 + (text[digits] - '0');
	}
	if (!digits || !text[digits] || text[digits + 1])
		return false;
	switch (text[digits]) {
	case 'H':
		value *= INT64_C(3600000);
		break;
	case 'M':
		value *= 60000;
		break;
	case 'S':
		value *= 1000;
		break;
	case 'm':
		break;
	case 'u':
		value = (value + 999) / 1000;
		break;
	case 'n':
		value = (value + 999999) / 1000000;
		break;
	default:
		return false;
	}
	*ret_ms = value;
	return true;
}

/*
 * One character of a message in its encoded form, as bytes in `encoded` (at most 12). Returns how many source bytes it
 * took.
 */
static size_t encode_character(const unsigned char *text, bool percent, char encoded[13], size_t *ret_length)
{
	size_t source = proto_utf8_sequence((const char *)text, strnlen((const char *)text, 4));
	const unsigned char *bytes = source ? text : (const unsigned char *)REPLACEMENT;
	size_t count = source ? source : sizeof(REPLACEMENT) - 1;
	size_t length = 0;
	for (size_t i = 0; i < count; i++) {
		if (!percent || (bytes[i] >= 0x20 && bytes[i] <= 0x7e && bytes[i] != '%'))
			encoded[length++] = (char)bytes[i];
		else
			length += (size_t)snprintf(encoded + length, 4, "%%%02X", bytes[i]);
	}
	*ret_length = length;
	return source ? source : 1;
}

static void encode_text(const char *message, size_t maximum, bool percent, struct buf *out)
{
	const char *mark = percent ? "%E2%80%A6 (truncated)" : TRUNCATED;
	size_t start = out->length, cut = start;
	const unsigned char *cursor = (const unsigned char *)message;
	while (*cursor) {
		char encoded[13];
		size_t length;
		size_t taken = encode_character(cursor, percent, encoded, &length);
		if (out->length - start + length > maximum || buf_add(out, encoded, length) < 0)
			break;
		cursor += taken;
		if (out->length - start + strlen(mark) <= maximum)
			cut = out->length;
	}
	if (!*cursor)
		return;
	buf_truncate(out, cut);
	if (strlen(mark) <= maximum)
		(void)buf_add_str(out, mark);
}

void grpc_encode_message(const char *message, size_t maximum, struct buf *out)
{
	encode_text(message, maximum, true, out);
}

/* `detail` may be NULL. */
static void pack_status(enum grpc_code code, const struct buf *message, const ProtobufCMessage *detail, struct buf *out)
{
	char empty[] = "";
	Google__Protobuf__Any any, *anys[] = { &any };
	Google__Rpc__Status status;
	google__rpc__status__init(&status);
	status.code = (int32_t)code;
	status.message = message->data ? message->data : empty;
	auto_free char *type = NULL;
	auto_free uint8_t *packed = NULL;
	if (detail) {
		size_t size = protobuf_c_message_get_packed_size(detail);
		type = xasprintf("%s%s", ANY_PREFIX, detail->descriptor->name);
		packed = xmalloc(size + 1);
		protobuf_c_message_pack(detail, packed);
		google__protobuf__any__init(&any);
		any.type_url = type;
		any.value = (ProtobufCBinaryData){ .data = packed, .len = size };
		status.n_details = 1;
		status.details = anys;
	}
	size_t size = google__rpc__status__get_packed_size(&status);
	char *room = buf_reserve(out, size);
	if (!room)
		return;
	google__rpc__status__pack(&status, (uint8_t *)room);
	buf_commit(out, size);
}

void grpc_pack_status(enum grpc_code code, const char *message, const ProtobufCMessage *detail, struct buf *out)
{
	size_t message_maximum = out->maximum / 4;
	auto_buf struct buf text = BUF_INIT(message_maximum);
	encode_text(message, message_maximum, false, &text);
	bool fits = detail && protobuf_c_message_get_packed_size(detail) < out->maximum / 2;
	pack_status(code, &text, fits ? detail : NULL, out);
}

void grpc_encode_details(enum grpc_code code, const char *message, const ProtobufCMessage *detail, size_t maximum,
                         struct buf *out)
{
	size_t detail_size = protobuf_c_message_get_packed_size(detail);
	size_t type_size = strlen(ANY_PREFIX) + strlen(detail->descriptor->name);
	size_t raw_maximum = maximum / 4 * 3;
	/* 64: tags, lengths and the code. */
	if (detail_size > raw_maximum || detail_size + type_size + 64 > raw_maximum)
		return;
	auto_buf struct buf text = BUF_INIT(maximum);
	auto_buf struct buf raw = BUF_INIT(raw_maximum);
	encode_text(message, raw_maximum - detail_size - type_size - 64, false, &text);
	pack_status(code, &text, detail, &raw);
	auto_free char *encoded = base64_encode(raw.data, raw.length);
	(void)buf_add(out, encoded, strcspn(encoded, "="));
}
