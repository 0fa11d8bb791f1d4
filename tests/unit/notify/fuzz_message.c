/* Templates and names of whatever content: a message never has more in it than it may, and a mail never has a header
 * that was not meant. */
#include "base/mail.h"
#include "controlplane/notify/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One of the texts, which zero bytes separate. */
static const char *text_at(const char *bytes, size_t size, unsigned number)
{
	const char *at = bytes, *end = bytes + size;
	for (; number && at < end; number--)
		at += strlen(at) + 1;
	return at < end ? at : "";
}

static size_t count_lines(const char *text, const char *begin)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, begin)); at++)
		count += at == text || at[-1] == '\n';
	return count;
}

static void compose(const char *subject, const char *html, const char *from, const char *to)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(MAIL_MAXIMUM);
	const struct mail mail = {
		.from = from, .to = &to, .to_count = 1, .subject = subject, .html = html, .id = "i@h", .date_ns = 1
	};
	if (mail_compose(&mail, &out, &e) < 0)
		return;
	const char *head_end = strstr(buf_text(&out), "\r\n\r\n");
	if (!head_end || strlen(buf_text(&out)) != out.length)
		abort();
	auto_free char *head = xstrndup(buf_text(&out), (size_t)(head_end - buf_text(&out)));
	if (count_lines(head, "Subject:") != 1 || count_lines(head, "To:") != 1 || count_lines(head, "From:") != 1 ||
	    count_lines(head, "Content-Type:") != 1)
		abort();
	for (const char *at = buf_text(&out); *at; at++) {
		if ((unsigned char)*at >= 0x7f || (*at == '\n' && (at == buf_text(&out) || at[-1] != '\r')))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_free char *bytes = xstrndup("", 0);
	free(bytes);
	bytes = xmalloc(size + 1);
	memcpy(bytes, data, size);
	bytes[size] = '\0';
	const char *name = text_at(bytes, size, 1);
	const struct message_facts facts = {
		.project = name,
		.domain = "d",
		.name = name,
		.phase = "FAILED",
		.error = text_at(bytes, size, 2),
		.workflow_project = "",
		.workflow_domain = "",
		.workflow_name = name,
		.workflow_version = "",
		.launch_plan_project = "",
		.launch_plan_domain = "",
		.launch_plan_name = "",
		.launch_plan_version = "",
	};
	const char *plain = message_render(&arena, bytes, &facts, false);
	const char *html = message_render(&arena, bytes, &facts, true);
	if (strlen(plain) > MESSAGE_MAXIMUM || strlen(html) > MESSAGE_MAXIMUM)
		abort();
	compose(plain, html, text_at(bytes, size, 3), text_at(bytes, size, 4));
	compose(plain, html, "a@b", "c@d");
	return 0;
}
