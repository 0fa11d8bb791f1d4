#include "base/mail.h"

#include "base/base64.h"
#include "base/text.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define CONNECT_TIMEOUT_MS 10000L
/* Characters of an address; RFC 5321 has 254. */
#define ADDRESS_MAXIMUM 254
/* Bytes of text in one encoded word: 45 make 60 characters, and a word may have 75 in all. */
#define WORD_BYTES ((size_t)45)
/* Bytes of the body in one line: 57 make 76 characters. */
#define LINE_BYTES ((size_t)57)
/* What is called by name in EHLO when the machine's own is of no meaning to anybody. */
#define OWN_NAME "flyte-sandbox"

#if LIBCURL_VERSION_NUM >= 0x080200 /* the older name is misspelt */
#define SOME_MAY_BE_REFUSED CURLOPT_MAIL_RCPT_ALLOWFAILS
#else
#define SOME_MAY_BE_REFUSED CURLOPT_MAIL_RCPT_ALLLOWFAILS
#endif

bool mail_is_address(const char *text)
{
	const char *at = strchr(text, '@');
	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) > ADDRESS_MAXIMUM)
		return false;
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c >= 0x7f || strchr("<>()[]\\,;:\"", c))
			return false;
	}
	return true;
}

/* ---- Composing ---- */

static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
			return false;
	}
	return true;
}

/* So that no encoded word ends inside of a character. */
static size_t word_length(const char *text, size_t length)
{
	size_t end = length < WORD_BYTES ? length : WORD_BYTES;
	while (end < length && end > 1 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	return end;
}

static int add_encoded(struct buf *out, const char *text)
{
	size_t left = strlen(text);
	for (bool first = true; left; first = false) {
		const size_t length = word_length(text, left);
		auto_free char *word = base64_encode(text, length);
		if (buf_add_format(out, "%s=?UTF-8?B?%s?=", first ? "" : "\r\n ", word) < 0)
			return -1;
		text += length;
		left -= length;
	}
	return 0;
}

static int add_subject(struct buf *out, const char *subject)
{
	if (buf_add_format(out, "Subject: ") < 0)
		return -1;
	const int added = is_plain(subject) && strlen(subject) <= 70 ? buf_add_format(out, "%s", subject)
	                                                            : add_encoded(out, subject);
	return added < 0 ? -1 : buf_add_format(out, "\r\n");
}

static int add_body(struct buf *out, const char *html)
{
	for (size_t left = strlen(html); left;) {
		const size_t length = left < LINE_BYTES ? left : LINE_BYTES;
		auto_free char *line = base64_encode(html, length);
		if (buf_add_format(out, "%s\r\n", line) < 0)
			return -1;
		html += length;
		left -= length;
	}
	return 0;
}

static int add_date(struct buf *out, int64_t date_ns)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const time_t seconds = (time_t)(date_ns / NS_PER_SECOND);
	struct tm t;
	gmtime_r(&seconds, &t);
	return buf_add_format(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday,
	                      months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static int add_all(const struct mail *mail, struct buf *out)
{
	if (add_date(out, mail->date_ns) < 0 ||
	    buf_add_format(out, "Message-ID: <%s>\r\nFrom: %s\r\nTo: ", mail->id, mail->from) < 0)
		return -1;
	for (size_t i = 0; i < mail->to_count; i++) {
		if (buf_add_format(out, "%s%s", i ? ",\r\n " : "", mail->to[i]) < 0)
			return -1;
	}
	if (buf_add_format(out, "\r\n") < 0 || add_subject(out, mail->subject) < 0)
		return -1;
	if (buf_add_format(out, "MIME-Version: 1.0\r\nContent-Type: text/html; charset=UTF-8\r\n"
	                        "Content-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n") < 0)
		return -1;
	return add_body(out, mail->html);
}

static int check(const struct mail *mail, struct err *e)
{
	if (!mail_is_address(mail->from))
		return err_set(e, ERR_INVALID, "bad-address", "the sender \"%s\" is no mail address", mail->from);
	if (!mail_is_address(mail->id))
		return err_set(e, ERR_INVALID, "bad-address", "\"%s\" cannot be the id of a mail", mail->id);
	if (mail->to_count == 0 || mail->to_count > MAIL_RECIPIENTS_MAXIMUM)
		return err_set(e, ERR_INVALID, "bad-address", "a mail has 1 to %d recipients, not %zu",
		               MAIL_RECIPIENTS_MAXIMUM, mail->to_count);
	for (size_t i = 0; i < mail->to_count; i++) {
		if (!mail_is_address(mail->to[i]))
			return err_set(e, ERR_INVALID, "bad-address", "the recipient \"%s\" is no mail address",
			               mail->to[i]);
	}
	return 0;
}

int mail_compose(const struct mail *mail, struct buf *out, struct err *e)
{
	if (check(mail, e) < 0)
		return -1;
	if (add_all(mail, out) < 0)
		return err_set(e, ERR_EXHAUSTED, "mail-too-large", "the mail is larger than %zu bytes", out->maximum);
	return 0;
}

/* ---- Sending ---- */

struct sending {
	const struct buf *text;
	size_t sent;
	int cancel_fd;
};

static size_t give_text(char *room, size_t size, size_t count, void *context)
{
	struct sending *sending = context;
	const size_t left = sending->text->length - sending->sent, space = size * count;
	const size_t length = left < space ? left : space;
	memcpy(room, sending->text->data + sending->sent, length);
	sending->sent += length;
	return length;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct sending *sending = context;
	struct pollfd cancel = { .fd = sending->cancel_fd, .events = POLLIN };
	(void)a, (void)b, (void)c, (void)d;
	return poll(&cancel, 1, 0) > 0;
}

static struct curl_slist *add_recipient(struct curl_slist *list, const char *address)
{
	auto_free char *path = xasprintf("<%s>", address);
	struct curl_slist *longer = curl_slist_append(list, path);
	if (!longer)
		memory_exhausted();
	return longer;
}

static void set_up(CURL *easy, const struct mail_server *server, const char *url, const char *from,
                   struct curl_slist *recipients, struct sending *sending, int64_t timeout_ms)
{
	static const long levels[] = { [MAIL_TLS_IF_OFFERED] = CURLUSESSL_TRY,
		                       [MAIL_TLS_REQUIRED] = CURLUSESSL_ALL,
		                       [MAIL_TLS_IMPLICIT] = CURLUSESSL_ALL,
		                       [MAIL_TLS_NEVER] = CURLUSESSL_NONE };
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_USE_SSL, levels[server->tls]);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, server->trust_any ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, server->trust_any ? 0L : 2L);
	if (server->ca_file) { /* and nobody else, as in http_curl.c */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
	}
	if (!text_is_empty(server->username)) {
		curl_easy_setopt(easy, CURLOPT_USERNAME, server->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, server->password ? server->password : "");
		curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients);
	curl_easy_setopt(easy, SOME_MAY_BE_REFUSED, 1L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_text);
	curl_easy_setopt(easy, CURLOPT_READDATA, sending);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, sending);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
}

static int translate(CURL *easy, CURLcode result, const char *detail, const struct mail_server *server, struct err *e)
{
	long code = 0;
	const char *reason = *detail ? detail : curl_easy_strerror(result);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
	switch (result) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(e, ERR_TIMEOUT, "mail-timeout", "the mail server %s:%u: %s", server->host, server->port,
		               reason);
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(e, ERR_CANCELLED, "cancelled", "interrupted");
	case CURLE_SSL_CONNECT_ERROR:
		return err_set(e, ERR_UNAVAILABLE, "mail-failed",
		               "the mail server %s:%u: no TLS with it, its certificate cannot be checked or the two speak "
		               "nothing in common: %s",
		               server->host, server->port, reason);
	default:
		if (code >= 400)
			return err_set(e, ERR_UNAVAILABLE, "mail-refused", "the mail server %s:%u answered %ld: %s",
			               server->host, server->port, code, reason);
		return err_set(e, ERR_UNAVAILABLE, "mail-failed", "the mail server %s:%u: %s", server->host,
		               server->port, reason);
	}
}

int mail_send(const struct mail_server *server, const struct mail *mail, int64_t timeout_ms, int cancel_fd,
              struct err *e)
{
	auto_buf struct buf text = BUF_INIT(MAIL_MAXIMUM);
	char detail[CURL_ERROR_SIZE] = "";
	if (mail_compose(mail, &text, e) < 0)
		return -1;
	struct sending sending = { .text = &text, .cancel_fd = cancel_fd };
	auto_free char *url = xasprintf("%s://%s:%u/%s", server->tls == MAIL_TLS_IMPLICIT ? "smtps" : "smtp",
	                                server->host, server->port, OWN_NAME);
	auto_free char *from = xasprintf("<%s>", mail->from);
	struct curl_slist *recipients = NULL;
	for (size_t i = 0; i < mail->to_count; i++)
		recipients = add_recipient(recipients, mail->to[i]);
	CURL *easy = curl_easy_init();
	if (!easy)
		memory_exhausted();
	set_up(easy, server, url, from, recipients, &sending, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
	const int outcome = translate(easy, curl_easy_perform(easy), detail, server, e);
	curl_easy_cleanup(easy);
	curl_slist_free_all(recipients);
	return outcome;
}
