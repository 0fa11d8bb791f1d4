/* From the end of an execution to what a mail server and a webhook hear of it, on a real Postgres. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../store/script_server.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "controlplane/notify/deliver.h"
#include "controlplane/notify/notifier.h"
#include "controlplane/store/notifications.h"
#include "fake_smtp.h"
#include "postgres.h"
#include "tls_peer.h"

#include "flyteidl/admin/execution.pb-c.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PHASE(phase) FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__##phase
#define PATIENCE_MS INT64_C(30000)
#define LEASE_MS INT64_C(60000)

static struct postgres *postgres;
static struct database *database;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static int64_t ids;

static struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0 ||
	    database_query(c, &arena, sql, values, count, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	return rows;
}

static int64_t count_rows(void)
{
	const struct database_rows rows = query("select count(*) from notifications", NULL, 0);
	return database_int(&rows, 0, 0);
}

static Flyteidl__Admin__Notification *notification(Flyteidl__Core__WorkflowExecution__Phase phase,
                                                   const char *recipient, const char *template)
{
	Flyteidl__Admin__Notification *n = proto_new(&arena, flyteidl__admin__notification);
	n->type_case = FLYTEIDL__ADMIN__NOTIFICATION__TYPE_EMAIL;
	n->email = proto_new(&arena, flyteidl__admin__email_notification);
	proto_append(&arena, n->n_phases, n->phases, phase);
	proto_append(&arena, n->email->n_recipients_email, n->email->recipients_email, arena_strdup(&arena, recipient));
	n->email->template_ = arena_strdup(&arena, template);
	return n;
}

/* An execution with these three: of success, of failure, and of failure with a template of its own. */
static int64_t insert_execution(void)
{
	Flyteidl__Admin__NotificationList *list = proto_new(&arena, flyteidl__admin__notification_list);
	proto_append(&arena, list->n_notifications, list->notifications,
	             notification(PHASE(SUCCEEDED), "glad@example.com", ""));
	proto_append(&arena, list->n_notifications, list->notifications,
	             notification(PHASE(FAILED), "sad@example.com", ""));
	proto_append(&arena, list->n_notifications, list->notifications,
	             notification(PHASE(FAILED), "own@example.com", "own words about {{ name }}"));
	Flyteidl__Core__ExecutionError *error = proto_new(&arena, flyteidl__core__execution_error);
	error->message = arena_strdup(&arena, "no such file");
	const struct database_value values[] = { DB_TEXT(arena_printf(&arena, "n%lld", (long long)++ids)),
		                                 DB_BYTES(proto_pack(&arena, &list->base)),
		                                 DB_BYTES(proto_pack(&arena, &error->base)) };
	const struct database_rows rows = query("insert into executions (project, domain, name, spec, notifications, "
	                                        "error) values ('p', 'd', $1, '', $2, $3) returning id",
	                                        values, ARRAY_LENGTH(values));
	return database_int(&rows, 0, 0);
}

static void end(int64_t execution, Flyteidl__Core__WorkflowExecution__Phase phase, bool mail, bool webhook)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	const struct notifications_channels channels = { .mail = mail, .webhook = webhook };
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0 ||
	    notifications_add(c, &arena, execution, phase, channels, &e) < 0)
		fail_msg("%s", err_message(&e));
}

static const struct settings *settings_with(const char *more)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	const char *text = arena_printf(&arena, "notifications: {%s}", more);
	if (settings_parse(text, strlen(text), "test", false, &settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	return settings;
}

static const char *mail_settings(const struct fake_smtp *smtp, const char *more)
{
	return arena_printf(&arena,
	                    "emailer: {emailServerConfig: {smtpServer: 127.0.0.1, smtpPort: %u%s}, "
	                    "sender: flyte@example.com, subject: 'S {{ name }} {{ phase }}', body: 'B {{ error }}'}",
	                    fake_smtp_port(smtp), more);
}

static void await_no_rows(void)
{
	const int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
	while (count_rows() > 0) {
		if (clock_monotonic_ms() > deadline_ms)
			fail_msg("%lld rows are left", (long long)count_rows());
		(void)poll(NULL, 0, 20);
	}
}

static struct notifier *start(struct settings_holder *holder)
{
	auto_err struct err e = ERR_INIT;
	struct notifier *notifier;
	if (notifier_start(database, holder, &notifier, &e) < 0)
		fail_msg("%s", err_message(&e));
	return notifier;
}

static int set_up(void **state)
{
	(void)state;
	query("delete from notifications", NULL, 0);
	return 0;
}

/* ---- Rows ---- */

static void test_rows_are_made_once(void **state)
{
	const int64_t execution = insert_execution();
	(void)state;
	end(execution, PHASE(ABORTED), true, true); /* nobody wants to hear of that */
	assert_int_equal(count_rows(), 0);
	end(execution, PHASE(FAILED), false, false);
	assert_int_equal(count_rows(), 0);
	end(execution, PHASE(FAILED), true, true);
	end(execution, PHASE(FAILED), true, true);
	assert_int_equal(count_rows(), 4);
}

static bool take(struct notification_work *ret_work)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	int64_t wait_ms;
	if (database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e) < 0)
		fail_msg("%s", err_message(&e));
	const int taken = notifications_take(c, &arena, LEASE_MS, ret_work, &wait_ms, &e);
	if (taken < 0)
		fail_msg("%s", err_message(&e));
	return taken > 0;
}

/* Whoever took a row and died: another takes it when the lease has run out, and the dead one's word counts no more. */
static void test_a_sender_that_dies(void **state)
{
	auto_err struct err e = ERR_INIT;
	struct notification_work dead, next;
	(void)state;
	end(insert_execution(), PHASE(SUCCEEDED), true, false);
	assert_true(take(&dead));
	assert_string_equal(dead.phase, "SUCCEEDED");
	assert_false(take(&next));
	query("update notifications set leased_until = now()", NULL, 0);
	assert_true(take(&next));
	assert_int_equal(next.id, dead.id);
	auto_connection struct database_connection *c = NULL;
	assert_int_equal(database_borrow(database, clock_monotonic_ms() + PATIENCE_MS, &c, &e), 0);
	assert_int_equal(notifications_done(c, &dead, &e), 0);
	assert_int_equal(notifications_done(c, &next, &e), 1);
	assert_int_equal(count_rows(), 0);
}

/* ---- Mail ---- */

static void test_mail(void **state)
{
	struct fake_smtp *smtp = fake_smtp_start(0, false);
	struct settings_holder *holder = settings_holder_new(settings_with(mail_settings(smtp, "")), "");
	struct notifier *notifier = start(holder);
	(void)state;
	end(insert_execution(), PHASE(FAILED), true, false);
	await_no_rows();
	notifier_stop(notifier);
	assert_int_equal(fake_smtp_count(smtp), 2);
	auto_free char *transcript = fake_smtp_transcript(smtp);
	assert_non_null(strstr(transcript, "MAIL FROM:<flyte@example.com>"));
	assert_non_null(strstr(transcript, "RCPT TO:<sad@example.com>"));
	assert_non_null(strstr(transcript, "RCPT TO:<own@example.com>"));
	assert_null(strstr(transcript, "glad@example.com"));
	assert_non_null(strstr(transcript, arena_printf(&arena, "Subject: S n%lld failed\r\n", (long long)ids)));
	assert_non_null(strstr(transcript,
	                       arena_printf(&arena, "Message-ID: <p.d.n%lld.FAILED.1@flyte-sandbox>", (long long)ids)));
	settings_holder_free(holder);
	fake_smtp_stop(smtp);
}

static void test_a_refused_mail_comes_again(void **state)
{
	struct fake_smtp *smtp = fake_smtp_start(1, false);
	struct settings_holder *holder = settings_holder_new(settings_with(mail_settings(smtp, "")), "");
	struct notifier *notifier = start(holder);
	(void)state;
	end(insert_execution(), PHASE(SUCCEEDED), true, false);
	await_no_rows(); /* after a second */
	notifier_stop(notifier);
	assert_int_equal(fake_smtp_count(smtp), 1);
	settings_holder_free(holder);
	fake_smtp_stop(smtp);
}

static void test_signing_in(void **state)
{
	auto_err struct err e = ERR_INIT;
	struct fake_smtp *smtp = fake_smtp_start(0, true);
	char path[] = "/tmp/test_notifier.XXXXXX";
	struct notification_work work;
	(void)state;
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "secret\n", 7, &e), 0);
	close(fd);
	end(insert_execution(), PHASE(SUCCEEDED), true, false);
	assert_true(take(&work));
	auto_settings const struct settings *without = settings_with(mail_settings(smtp, ""));
	const struct deliver_context cannot = { .settings = without, .cancel_fd = -1 };
	assert_int_equal(deliver(&cannot, &work, &e), -1);
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	err_release(&e);
	auto_settings const struct settings *with = settings_with(
	        mail_settings(smtp, arena_printf(&arena, ", smtpUsername: me, smtpPasswordFile: '%s'", path)));
	const struct deliver_context can = { .settings = with, .cancel_fd = -1 };
	if (deliver(&can, &work, &e) < 0)
		fail_msg("%s", err_message(&e));
	auto_free char *transcript = fake_smtp_transcript(smtp);
	assert_non_null(strstr(transcript, "AUTH PLAIN AG1lAHNlY3JldA==")); /* \0me\0secret */
	/* Who insists on TLS does not send without. */
	auto_settings const struct settings *secure = settings_with(mail_settings(smtp, ", smtpTLS: required"));
	const struct deliver_context insists = { .settings = secure, .cancel_fd = -1 };
	assert_int_equal(deliver(&insists, &work, &e), -1);
	assert_int_equal(fake_smtp_count(smtp), 1);
	unlink(path);
	fake_smtp_stop(smtp);
}

static void test_given_up(void **state)
{
	struct settings_holder *holder = settings_holder_new(
	        settings_with("emailer: {emailServerConfig: {smtpServer: 127.0.0.1, smtpPort: 1}}, maxAttempts: 2"),
	        "");
	struct notifier *notifier = start(holder);
	(void)state;
	end(insert_execution(), PHASE(SUCCEEDED), true, false);
	await_no_rows();
	notifier_stop(notifier);
	settings_holder_free(holder);
}

/* What was to be sent in a way that nobody wants any more is forgotten. */
static void test_switched_off(void **state)
{
	struct settings_holder *holder = settings_holder_new(settings_retain(settings_default()), "");
	struct notifier *notifier = start(holder);
	(void)state;
	end(insert_execution(), PHASE(SUCCEEDED), true, true);
	await_no_rows();
	notifier_stop(notifier);
	settings_holder_free(holder);
}

/* ---- Webhook ---- */

static void test_webhook(void **state)
{
	auto_err struct err e = ERR_INIT;
	const struct script_answer answers[] = { { .status = 503 }, { .status = 204 }, { .status = 200 } };
	struct script_server *server = script_server_start(answers, ARRAY_LENGTH(answers), 1);
	struct settings_holder *holder = settings_holder_new(
	        settings_with(arena_printf(&arena, "emailer: {subject: 'S {{ phase }}'}, webhook: {url: '%s/flyte'}",
	                                   script_server_url(server))),
	        "");
	struct notifier *notifier = start(holder);
	(void)state;
	end(insert_execution(), PHASE(FAILED), false, true);
	await_no_rows();
	notifier_stop(notifier);
	assert_int_equal(script_server_count(server), 3);
	unsigned own = 0;
	for (size_t i = 0; i < 3; i++) {
		const char *request = script_server_request(server, i);
		assert_true(text_starts_with(request, "POST /flyte "));
		assert_non_null(strstr(request, "Idempotency-Key: p.d.n"));
		const char *body = strstr(request, "\r\n\r\n");
		auto_json json_t *json = json_parse(body + 4, strlen(body + 4), "the request", &e);
		assert_non_null(json);
		assert_string_equal(json_string_at(json, "phase", ""), "FAILED");
		assert_string_equal(json_string_at(json, "subject", ""), "S failed");
		assert_string_equal(json_string_at(json, "error", ""), "no such file");
		own += text_starts_with(json_string_at(json, "text", ""), "own words about n");
	}
	assert_true(own >= 1 && own <= 2);
	settings_holder_free(holder);
	script_server_stop(server);
}

/* The process that stops has seconds, and what it leaves undone is nobody's failure: the row is as it was. */
static void test_stop_while_a_webhook_thinks(void **state)
{
	const struct script_answer answer = { .status = 200, .chunked = true, .hold = true };
	struct script_server *server = script_server_start(&answer, 1, 1);
	struct settings_holder *holder = settings_holder_new(
	        settings_with(arena_printf(&arena, "webhook: {url: '%s/flyte'}, maxAttempts: 1", script_server_url(server))),
	        "");
	struct notifier *notifier = start(holder);
	struct notification_work work;
	(void)state;
	end(insert_execution(), PHASE(SUCCEEDED), false, true);
	const int64_t began_ms = clock_monotonic_ms();
	while (script_server_count(server) == 0 && clock_monotonic_ms() < began_ms + PATIENCE_MS)
		(void)poll(NULL, 0, 20);
	notifier_stop(notifier);
	assert_int_equal(script_server_count(server), 1);
	assert_true(take(&work));
	assert_int_equal(work.attempts, 0);
	settings_holder_free(holder);
	script_server_stop(server);
}

/* ---- TLS, with peers that have certificates of an authority of their own ---- */

static const struct settings *settings_trusting(const struct tls_authority *authority, const char *more)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	const char *trusted = authority ? arena_printf(&arena, "tls: {caFile: %s}\n", tls_authority_file(authority)) : "";
	const char *text = arena_printf(&arena, "%snotifications: {%s}", trusted, more);
	if (settings_parse(text, strlen(text), "test", false, &settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	return settings;
}

/* NULL when it was sent; else why not. */
static const char *try_with(const struct tls_authority *trusted, const char *more, bool webhook)
{
	auto_err struct err e = ERR_INIT;
	auto_settings const struct settings *settings = settings_trusting(trusted, more);
	const struct deliver_context context = { .settings = settings, .cancel_fd = -1 };
	struct notification_work work;
	query("delete from notifications", NULL, 0);
	end(insert_execution(), PHASE(SUCCEEDED), !webhook, webhook);
	assert_true(take(&work));
	if (deliver(&context, &work, &e) == 0)
		return NULL;
	assert_int_equal(e.kind, ERR_UNAVAILABLE); /* tried again: somebody may mend it */
	return arena_strdup(&arena, err_message(&e));
}

static void assert_untrusted(const char *problem)
{
	assert_non_null(problem);
	if (!strstr(problem, "certificate"))
		fail_msg("no word of the certificate: %s", problem);
}

static void test_a_webhook_with_tls(void **state)
{
	(void)state;
	struct tls_authority *ours = tls_authority_new("ours"), *another = tls_authority_new("another");
	struct tls_authority *namesake = tls_authority_new("ours");
	const struct script_answer answers[] = { { .status = 200 }, { .status = 200 } };
	struct script_server *server = script_server_start(answers, ARRAY_LENGTH(answers), 1);
	const uint16_t port = (uint16_t)strtoul(strrchr(script_server_url(server), ':') + 1, NULL, 10);
	struct tls_peer *peer = tls_peer_start(ours, "127.0.0.1", port);
	struct tls_peer *elsewhere = tls_peer_start(ours, "elsewhere.example", port);
	const char *at = arena_printf(&arena, "webhook: {url: 'https://127.0.0.1:%u/'}", tls_peer_port(peer));
	const char *misnamed = arena_printf(&arena, "webhook: {url: 'https://127.0.0.1:%u/'}", tls_peer_port(elsewhere));
	assert_untrusted(try_with(NULL, at, true));
	assert_untrusted(try_with(another, at, true));
	assert_untrusted(try_with(namesake, at, true)); /* as one that was made anew */
	assert_untrusted(try_with(ours, misnamed, true));
	assert_int_equal(script_server_count(server), 0); /* nobody was told anything */
	assert_null(try_with(ours, at, true));
	assert_int_equal(script_server_count(server), 1);
	tls_peer_stop(elsewhere);
	tls_peer_stop(peer);
	script_server_stop(server);
	tls_authority_free(namesake);
	tls_authority_free(another);
	tls_authority_free(ours);
}

static const char *mail_at(uint16_t port, const char *tls, const char *more)
{
	return arena_printf(&arena,
	                    "emailer: {emailServerConfig: {smtpServer: 127.0.0.1, smtpPort: %u, smtpTLS: %s%s}}", port,
	                    tls, more);
}

static void test_mail_with_tls(void **state)
{
	(void)state;
	struct tls_authority *ours = tls_authority_new("ours"), *another = tls_authority_new("another");
	struct fake_smtp *smtp = fake_smtp_start(0, false);
	struct tls_peer *peer = tls_peer_start(ours, "127.0.0.1", fake_smtp_port(smtp));
	const char *implicit = mail_at(tls_peer_port(peer), "implicit", "");
	assert_untrusted(try_with(NULL, implicit, false));
	assert_untrusted(try_with(another, implicit, false));
	assert_int_equal(fake_smtp_count(smtp), 0);
	assert_null(try_with(ours, implicit, false));
	assert_int_equal(fake_smtp_count(smtp), 1);
	tls_peer_stop(peer);
	struct tls_server *server = tls_server_new(ours, "127.0.0.1");
	fake_smtp_offer_tls(smtp, server);
	static const char *const modes[] = { "required", "offered" };
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		const char *upgraded = mail_at(fake_smtp_port(smtp), modes[i], "");
		const size_t before = fake_smtp_count(smtp);
		assert_untrusted(try_with(NULL, upgraded, false));
		assert_untrusted(try_with(another, upgraded, false));
		assert_int_equal(fake_smtp_count(smtp), before);
		assert_null(try_with(ours, upgraded, false));
		assert_int_equal(fake_smtp_count(smtp), before + 1);
	}
	const char *blind = mail_at(fake_smtp_port(smtp), "required", ", smtpSkipTLSVerify: true");
	assert_null(try_with(another, blind, false)); /* who asks for it */
	fake_smtp_stop(smtp);
	tls_server_free(server);
	tls_authority_free(another);
	tls_authority_free(ours);
}

int main(void)
{
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "skipped: %s\n", err_message(&e));
		return POSTGRES_SKIP;
	}
	auto_free char *url = postgres_create_database(postgres, "notifications");
	database = database_new(url, 6);
	if (database_migrate(database, clock_monotonic_ms() + PATIENCE_MS, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return 1;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rows_are_made_once, set_up),
		cmocka_unit_test_setup(test_a_sender_that_dies, set_up),
		cmocka_unit_test_setup(test_mail, set_up),
		cmocka_unit_test_setup(test_a_refused_mail_comes_again, set_up),
		cmocka_unit_test_setup(test_signing_in, set_up),
		cmocka_unit_test_setup(test_given_up, set_up),
		cmocka_unit_test_setup(test_switched_off, set_up),
		cmocka_unit_test_setup(test_webhook, set_up),
		cmocka_unit_test_setup(test_stop_while_a_webhook_thinks, set_up),
		cmocka_unit_test_setup(test_a_webhook_with_tls, set_up),
		cmocka_unit_test_setup(test_mail_with_tls, set_up),
	};
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	database_free(database);
	postgres_stop(postgres);
	arena_release(&arena);
	return result;
}
