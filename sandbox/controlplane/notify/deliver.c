#include "controlplane/notify/deliver.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/host.h"
#include "base/http.h"
#include "base/mail.h"
#include "base/text.h"
#include "controlplane/notify/message.h"

#include "flyteidl/admin/execution.pb-c.h"

#include <inttypes.h>
#include <string.h>

#define ARENA_MAXIMUM ((size_t)16 << 20)
#define SECRET_MAXIMUM ((size_t)4096)
#define ANSWER_MAXIMUM ((size_t)64 * 1024)

/* A secret's file, without the newline that editors put at its end. */
static int read_secret(const char *path, struct arena *arena, const char **ret_secret, struct err *e)
{
	auto_buf struct buf bytes = BUF_INIT(SECRET_MAXIMUM);
	*ret_secret = "";
	if (text_is_empty(path))
		return 0;
	if (file_read(path, &bytes, e) < 0) {
		if (e)
			e->kind = ERR_UNAVAILABLE; /* it may be put there */
		return -1;
	}
	*ret_secret = arena_strndup(arena, buf_text(&bytes), strcspn(buf_text(&bytes), "\r\n"));
	return 0;
}

/* ---- Mail ---- */

static enum mail_tls tls_of(const struct settings *settings)
{
	if (text_equal(settings->smtp_tls, "required"))
		return MAIL_TLS_REQUIRED;
	if (text_equal(settings->smtp_tls, "implicit"))
		return MAIL_TLS_IMPLICIT;
	return text_equal(settings->smtp_tls, "never") ? MAIL_TLS_NEVER : MAIL_TLS_IF_OFFERED;
}

static int send_mail(const struct deliver_context *context, struct arena *arena, const struct notification_work *work,
                     const struct message_facts *facts, const struct message_target *target, const char *id,
                     struct err *e)
{
	const struct settings *s = context->settings;
	auto_free char *host = host_reachable(s->smtp_server);
	struct mail_server server = { .host = host,
		                      .port = (uint16_t)s->smtp_port,
		                      .tls = tls_of(s),
		                      .trust_any = s->smtp_trust_any,
		                      .ca_file = text_is_empty(s->ca_file) ? NULL : s->ca_file,
		                      .username = s->smtp_username };
	if (read_secret(s->smtp_password_file, arena, &server.password, e) < 0)
		return err_wrap(e, "notifications.emailer.emailServerConfig.smtpPasswordFile");
	const struct mail mail = {
		.from = s->mail_sender,
		.to = (const char *const *)target->recipients,
		.to_count = target->count,
		.subject = message_render(arena, s->mail_subject, facts, false),
		.html = message_render(arena, *target->template ? target->template : s->mail_body, facts, true),
		.id = arena_printf(arena, "%s@flyte-sandbox", id),
		.date_ns = work->ended_at_ns ? work->ended_at_ns : clock_wall_ns(),
	};
	return mail_send(&server, &mail, DELIVER_TIMEOUT_MS, context->cancel_fd, e);
}

/* ---- Webhook ---- */

static int post(const struct deliver_context *context, const char *token, const char *id, const char *body,
                struct err *e)
{
	auto_http_response struct http_response response = HTTP_RESPONSE_INIT;
	auto_free char *url = host_reachable(context->settings->webhook_url);
	struct http_client *client = http_client_new(&(struct http_client_options){
	        .cancel_fd = context->cancel_fd,
	        .bearer_token = text_is_empty(token) ? NULL : token,
	        .ca_file = text_is_empty(context->settings->ca_file) ? NULL : context->settings->ca_file });
	const struct http_header headers[] = { { "Content-Type", "application/json" }, { "Idempotency-Key", id } };
	const struct http_request request = { .method = "POST",
		                              .url = url,
		                              .headers = headers,
		                              .header_count = ARRAY_LENGTH(headers),
		                              .body = body,
		                              .body_length = strlen(body),
		                              .response_maximum = ANSWER_MAXIMUM,
		                              .timeout_ms = DELIVER_TIMEOUT_MS };
	const int outcome = http_perform(client, &request, &response, e);
	http_client_free(client);
	if (outcome < 0)
		return -1;
	if (response.status >= 200 && response.status < 300)
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "webhook-refused", "the webhook answered with HTTP status %ld",
	               response.status);
}

static int send_to_webhook(const struct deliver_context *context, struct arena *arena,
                           const struct message_facts *facts, const struct message_target *target, const char *id,
                           struct err *e)
{
	const struct settings *s = context->settings;
	const char *token;
	if (read_secret(s->webhook_token_file, arena, &token, e) < 0)
		return err_wrap(e, "notifications.webhook.tokenFile");
	const char *subject = message_render(arena, s->mail_subject, facts, false);
	const char *text = message_render(arena, *target->template ? target->template : s->mail_body, facts, false);
	auto_json json_t *message = message_json(facts, target, id, subject, text);
	auto_free char *body = json_to_text(message);
	return post(context, token, id, body, e);
}

/* ---- Both ---- */

static int read_error(struct arena *arena, const struct notification_work *work, const char **ret_text, struct err *e)
{
	*ret_text = "";
	if (!work->error.data)
		return 0;
	const Flyteidl__Core__ExecutionError *error = proto_unpack(arena, flyteidl__core__execution_error,
	                                                           work->error.data, work->error.length, e);
	if (!error)
		return err_wrap(e, "the stored error of execution \"%s\"", work->name);
	*ret_text = error->message;
	return 0;
}

static const Flyteidl__Admin__Notification *find(struct arena *arena, const struct notification_work *work,
                                                 struct err *e)
{
	const Flyteidl__Admin__NotificationList *list = proto_unpack(arena, flyteidl__admin__notification_list,
	                                                             work->list.data, work->list.length, e);
	if (!list)
		return NULL;
	if (work->position < 0 || (size_t)work->position >= list->n_notifications) {
		err_set(e, ERR_INVALID, NULL, "execution \"%s\" has no such notification", work->name);
		return NULL;
	}
	return list->notifications[work->position];
}

int deliver(const struct deliver_context *context, const struct notification_work *work, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	const struct settings *s = context->settings;
	if (text_is_empty(work->webhook ? s->webhook_url : s->smtp_server))
		return 0;
	struct message_facts facts = {
		.project = work->project,
		.domain = work->domain,
		.name = work->name,
		.phase = work->phase,
		.workflow_project = work->workflow_project,
		.workflow_domain = work->workflow_domain,
		.workflow_name = work->workflow_name,
		.workflow_version = work->workflow_version,
		.launch_plan_project = work->launch_plan_project,
		.launch_plan_domain = work->launch_plan_domain,
		.launch_plan_name = work->launch_plan_name,
		.launch_plan_version = work->launch_plan_version,
	};
	const Flyteidl__Admin__Notification *notification = find(&arena, work, e);
	if (!notification || read_error(&arena, work, &facts.error, e) < 0)
		return -1;
	const struct message_target target = message_target_of(notification);
	const char *id = arena_printf(&arena, "%s.%s.%s.%s.%" PRId64, work->project, work->domain, work->name,
	                              work->phase, work->position);
	if (work->webhook)
		return send_to_webhook(context, &arena, &facts, &target, id, e);
	return send_mail(context, &arena, work, &facts, &target, id, e);
}
