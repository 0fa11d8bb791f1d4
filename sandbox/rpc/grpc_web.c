#include "rpc/grpc_web.h"

#include "base/base64.h"
#include "rpc/exchange.h"

#include <string.h>
#include <strings.h>

#define TRAILERS_FLAG 0x80
/* "grpc-status: 16\r\n" and the names of the other two around what GRPC_STATUS_MAXIMUM bounds. */
#define TRAILERS_OVERHEAD 128

enum grpc_web_form grpc_web_form_of(const char *content_type, const char **ret_subtype)
{
	static const char binary[] = "application/grpc-web", text[] = "application/grpc-web-text";
	enum grpc_web_form form = GRPC_WEB_NONE;
	size_t length = 0;
	if (content_type && strncasecmp(content_type, text, sizeof(text) - 1) == 0) {
		form = GRPC_WEB_TEXT;
		length = sizeof(text) - 1;
	} else if (content_type && strncasecmp(content_type, binary, sizeof(binary) - 1) == 0) {
		form = GRPC_WEB_BINARY;
		length = sizeof(binary) - 1;
	}
	if (!form || !strchr("+; ", content_type[length]))
		return GRPC_WEB_NONE;
	*ret_subtype = content_type + length;
	return form;
}

int grpc_web_decode_text(const char *text, size_t length, struct buf *out, struct err *e)
{
	for (size_t at = 0; at < length;) {
		/* One piece: up to and with its padding. */
		const char *padding = memchr(text + at, '=', length - at);
		size_t end = padding ? (size_t)(padding - text) : length;
		while (end < length && text[end] == '=')
			end++;
		if (out->maximum - out->length < (end - at) / 4 * 3)
			return err_set(e, ERR_EXHAUSTED, "request-too-large", "the request is larger than the maximum");
		if (base64_decode(text + at, end - at, out) < 0)
			return err_set(e, ERR_INVALID, "malformed-base64", "the body of a grpc-web-text request is not Base64");
		at = end;
	}
	return 0;
}

static void add_trailer(struct buf *trailers, const char *name, const struct buf *value)
{
	if (value->length)
		(void)buf_add_format(trailers, "%s: %s\r\n", name, value->data);
}

static void add_trailers(const struct rpc_response *response, struct buf *body)
{
	auto_buf struct buf trailers = BUF_INIT(GRPC_STATUS_MAXIMUM + TRAILERS_OVERHEAD);
	uint8_t header[GRPC_FRAME_HEADER_SIZE];
	(void)buf_add_format(&trailers, "grpc-status: %d\r\n", (int)response->code);
	add_trailer(&trailers, "grpc-message", &response->grpc_message);
	add_trailer(&trailers, "grpc-status-details-bin", &response->details);
	grpc_frame_write_header(header, trailers.length);
	header[0] = TRAILERS_FLAG;
	body->maximum = body->length + sizeof(header) + trailers.length;
	(void)buf_add(body, header, sizeof(header));
	(void)buf_add(body, trailers.data, trailers.length);
}

void grpc_web_finish(struct rpc_response *response, enum grpc_web_form form)
{
	bool text = form == GRPC_WEB_TEXT;
	add_trailers(response, &response->body);
	if (text) {
		char *encoded = base64_encode(response->body.data, response->body.length);
		buf_release(&response->body);
		size_t length = strlen(encoded);
		response->body = (struct buf){ .data = encoded, .length = length, .capacity = length, .maximum = length };
	}
	response->grpc = false;
	response->http_status = 200;
	response->content_type = text ? "application/grpc-web-text+proto" : "application/grpc-web+proto";
}
