/* What is sent: templates, mails and the webhook's JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mail.h"
#include "base/text.h"
#include "controlplane/notify/message.h"

#include <string.h>

static struct arena arena = ARENA_INIT((size_t)64 << 20);
static const struct message_facts facts = {
	.project = "flytesnacks",
	.domain = "development",
	.name = "f<1>",
	.phase = "FAILED",
	.error = "no such \"file\"",
	.workflow_project = "wp",
	.workflow_domain = "wd",
	.workflow_name = "wn",
	.workflow_version = "wv",
	.launch_plan_project = "lp",
	.launch_plan_domain = "ld",
	.launch_plan_name = "ln",
	.launch_plan_version = "lv",
};

static void renders(const char *template, const char *expected)
{
	assert_string_equal(message_render(&arena, template, &facts, false), expected);
}

static void test_templates(void **state)
{
	(void)state;
	renders("{{ project }}/{{domain}}/{{ name }} has {{ phase }}.{{ error }}",
	        "flytesnacks/development/f<1> has failed. The execution failed with error: [no such \"file\"].");
	renders("{{ workflow.project }} {{ workflow.domain }} {{ workflow.name }} {{workflow.version}}", "wp wd wn wv");
	renders("{{ launch_plan.project }} {{launch_plan.domain}} {{ launch_plan.name }} {{ launch_plan.version }}",
	        "lp ld ln lv");
	/* Upstream takes no other form. */
	renders("{{  name }} {{ name}} {{name }} {{ Name }} {{ names }} {{ }} {{}} {{", "{{  name }} {{ name}} {{name }} {{ Name }} "
	                                                                              "{{ names }} {{ }} {{}} {{");
	renders("{{{ name }}}", "{f<1>}");
	renders("", "");
	assert_string_equal(message_render(&arena, "<b>{{ name }}</b>{{ error }}", &facts, true),
	                    "<b>f&lt;1&gt;</b> The execution failed with error: [no such &quot;file&quot;].");
	struct message_facts fine = facts;
	fine.error = "";
	assert_string_equal(message_render(&arena, "x{{ error }}y", &fine, false), "xy");
	/* A value is not a template. */
	fine.name = "{{ project }}";
	assert_string_equal(message_render(&arena, "{{ name }}", &fine, false), "{{ project }}");
}

static void test_sizes(void **state)
{
	struct message_facts long_one = facts;
	(void)state;
	char *error = arena_alloc(&arena, 100001);
	memset(error, 'e', 100000);
	memcpy(error + MESSAGE_ERROR_MAXIMUM - 1, "\xc3\xa4", 2); /* must not be cut in two */
	long_one.error = error;
	const char *rendered = message_render(&arena, "{{ error }}", &long_one, false);
	assert_true(strlen(rendered) < MESSAGE_ERROR_MAXIMUM + 100);
	assert_null(strchr(rendered, '\xc3'));
	char *template = arena_alloc(&arena, 2 * MESSAGE_MAXIMUM + 1);
	memset(template, 't', 2 * MESSAGE_MAXIMUM);
	assert_int_equal(strlen(message_render(&arena, template, &facts, false)), MESSAGE_MAXIMUM);
	/* The room ends within a character, which JSON could not hold. */
	for (size_t i = 1; i + 1 < 2 * MESSAGE_MAXIMUM; i += 2)
		memcpy(template + i, "\xc3\xa4", 2);
	auto_json json_t *text = json_string(message_render(&arena, template, &facts, false));
	assert_int_equal(json_string_length(text), MESSAGE_MAXIMUM - 1);
}

static char *compose(const struct mail *mail)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(MAIL_MAXIMUM);
	if (mail_compose(mail, &out, &e) < 0)
		fail_msg("%s", err_message(&e));
	return arena_strdup(&arena, buf_text(&out));
}

static void test_mails(void **state)
{
	static const char *const to[] = { "a@example.com", "b@example.com" };
	struct mail mail = { .from = "flyte@example.com",
		             .to = to,
		             .to_count = 2,
		             .subject = "Execution f1 has failed",
		             .html = "<b>Grüße</b>",
		             .id = "x.y@flyte-sandbox",
		             .date_ns = INT64_C(1767225600) * 1000000000 };
	(void)state;
	assert_string_equal(compose(&mail), "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
	                                    "Message-ID: <x.y@flyte-sandbox>\r\n"
	                                    "From: flyte@example.com\r\n"
	                                    "To: a@example.com,\r\n b@example.com\r\n"
	                                    "Subject: Execution f1 has failed\r\n"
	                                    "MIME-Version: 1.0\r\n"
	                                    "Content-Type: text/html; charset=UTF-8\r\n"
	                                    "Content-Transfer-Encoding: base64\r\n"
	                                    "Auto-Submitted: auto-generated\r\n\r\n"
	                                    "PGI+R3LDvMOfZTwvYj4=\r\n");
	/* A subject cannot end the header. */
	mail.subject = "all well\r\nBcc: everybody@example.com";
	assert_null(strstr(compose(&mail), "Bcc"));
	mail.subject = "ä";
	assert_non_null(strstr(compose(&mail), "Subject: =?UTF-8?B?w6Q=?=\r\n"));
	/* Long ones are folded between characters. */
	char *subject = arena_alloc(&arena, 401);
	for (size_t i = 0; i < 200; i++)
		memcpy(subject + 2 * i, "\xc3\xa4", 2);
	mail.subject = subject;
	const char *text = compose(&mail);
	size_t bytes = 0;
	for (const char *at = text; (at = strstr(at, "=?UTF-8?B?")); at++) {
		auto_buf struct buf word = BUF_INIT(1000);
		const char *begin = at + strlen("=?UTF-8?B?");
		assert_int_equal(base64_decode(begin, strcspn(begin, "?"), &word), 0);
		assert_int_equal(word.length % 2, 0);
		bytes += word.length;
	}
	assert_int_equal(bytes, 400);
}

static void refused(const char *from, const char *to, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(MAIL_MAXIMUM);
	const struct mail mail = { .from = from, .to = &to, .to_count = count, .subject = "", .html = "", .id = "a@b" };
	assert_int_equal(mail_compose(&mail, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void test_addresses(void **state)
{
	(void)state;
	assert_true(mail_is_address("a.b+c@example.com"));
	static const char *const bad[] = { "",      "a",         "@b",      "a@",          "a@b@c",  "a b@c",
		                           "a@b\r", "a@b\nRCPT", "<a@b>",   "a@b,c",       "\"a\"@b", "a@b\xc3\xa4" };
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_false(mail_is_address(bad[i]));
	refused("a", "b@c", 1);
	refused("a@b", "c", 1);
	refused("a@b", "b@c", 0);
	refused("a@b", "b@c", 1000);
}

static void test_json(void **state)
{
	char recipient[] = "a@example.com";
	char *recipients[] = { recipient };
	const struct message_target target = { .kind = "slack", .count = 1, .recipients = recipients, .template = "" };
	(void)state;
	auto_json json_t *message = message_json(&facts, &target, "id.1", "the subject", "the text");
	auto_free char *text = json_to_text(message);
	assert_string_equal(json_string_at(message, "execution/name", ""), "f<1>");
	assert_string_equal(json_string_at(message, "workflow/version", ""), "wv");
	assert_string_equal(json_string_at(message, "launch_plan/name", ""), "ln");
	assert_string_equal(json_string_at(message, "phase", ""), "FAILED");
	assert_string_equal(json_string_at(message, "error", ""), "no such \"file\"");
	assert_string_equal(json_string_at(message, "type", ""), "slack");
	assert_string_equal(json_string_at(message, "text", ""), "the text");
	assert_string_equal(json_string_value(json_array_get(json_object_get(message, "recipients"), 0)),
	                    "a@example.com");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates), cmocka_unit_test(test_sizes), cmocka_unit_test(test_mails),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_json),
	};
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return result;
}
