/* PID 1 without processes: the services file, notifications, control requests, log files, copying trees. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/text.h"
#include "init/control.h"
#include "init/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse(const char *text, struct init_config *config, struct err *e)
{
	return config_parse(text, strlen(text), config, e);
}

static void reads_a_service(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct init_config config;
	int result = parse("{\"prepare\":{\"directories\":[{\"path\":\"/"
	                   "a\",\"mode\":\"0700\",\"user\":\"postgres\"}],\"remove\":[\"/p\"]},"
	                   "\"services\":[{\"name\":\"db\",\"command\":[\"/bin/"
	                   "db\",\"-x\"],\"user\":\"postgres\",\"environment\":{\"A\":\"1\"},"
	                   "\"stop_signal\":\"INT\",\"stop_seconds\":3,\"namespace\":\"flyte\",\"endpoint_port\":5432},"
	                   "{\"name\":\"web\",\"command\":[\"w\"],\"requires\":[\"db\"],\"ready\":{\"type\":\"http\","
	                   "\"address\":\"127.0.0.1:9\","
	                   "\"path\":\"/"
	                   "h\",\"timeout_seconds\":5}},{\"name\":\"once\",\"command\":[\"o\"],\"restart\":\"never\","
	                   "\"autostart\":false}]}",
	                   &config, &e);
	assert_string_equal(err_message(&e), "");
	assert_int_equal(result, 0);
	assert_int_equal(config.service_count, 3);
	assert_string_equal(config.services[0].command[1], "-x");
	assert_string_equal(config.services[0].environment[0], "A=1");
	assert_int_equal(config.services[0].stop_signal, SIGINT);
	assert_int_equal(config.services[0].stop_ms, 3000);
	assert_int_equal(config.services[0].ready, READY_NOTIFY);
	assert_int_equal(config.services[1].ready, READY_HTTP);
	assert_int_equal(config.services[1].ready_timeout_ms, 5000);
	assert_int_equal(config.services[1].requires[0], 0);
	assert_int_equal(config.services[2].ready, READY_EXIT);
	assert_false(config.services[2].autostart);
	assert_int_equal(config.directories[0].mode, 0700);
	assert_string_equal(config.removals[0], "/p");
	config_release(&config);
}

static void refuses_bad_files(void **state)
{
	(void)state;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "{", "not valid JSON" },
		{ "[]", "must be an object" },
		{ "{\"services\":[]}", "1 to 64 entries" },
		{ "{\"servces\":[]}", "unknown key 'servces'" },
		{ "{\"services\":[{\"name\":\"a\"}]}", "array of strings" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[]}]}", "'command' is empty" },
		{ "{\"services\":[{\"command\":[\"x\"]}]}", "'name' must be" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"colour\":1}]}", "unknown key 'colour'" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"requires\":[\"b\"]}]}",
		  "requires 'b', which does not exist" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"requires\":[\"a\"]}]}", "requires itself" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"requires\":[\"b\"]},{\"name\":\"b\","
		  "\"command\":[\"x\"],\"requires\":[\"a\"]}]}",
		  "requires itself" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"]},{\"name\":\"a\",\"command\":[\"x\"]}]}",
		  "two services are called 'a'" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"ready\":{\"type\":\"magic\"}}]}",
		  "unknown readiness type 'magic'" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"ready\":{\"type\":\"tcp\"}}]}",
		  "'address' must be" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"stop_signal\":\"HUH\"}]}",
		  "unknown stop signal 'HUH'" },
		{ "{\"services\":[{\"name\":\"a\",\"command\":[\"x\"],\"restart\":\"maybe\"}]}", "'restart' must be" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_err struct err e = ERR_INIT;
		struct init_config config;
		assert_int_equal(parse(cases[i].text, &config, &e), -1);
		if (!strstr(err_message(&e), cases[i].message))
			fail_msg("case %zu: '%s' does not contain '%s'", i, err_message(&e), cases[i].message);
		config_release(&config);
	}
}

static void reads_notifications(void **state)
{
	(void)state;
	struct notification n = probe_parse_notification("STATUS=almost\nREADY=1\n", 22);
	assert_true(n.ready);
	assert_string_equal(n.status, "almost");
	n = probe_parse_notification("READY=10", 8);
	assert_false(n.ready);
	n = probe_parse_notification("XREADY=1\nSTOPPING=1", 19);
	assert_false(n.ready);
	assert_true(n.stopping);
	assert_false(n.failing || n.has_status);
	/* An explanation of several lines, between others. */
	static const char multiline[] = "ERRNO=1\nSTATUS=failed: the API server says\n[-]etcd failed\n\n a=b\nSTOPPING=1\nlost\n";
	n = probe_parse_notification(multiline, sizeof(multiline) - 1);
	assert_true(n.failing && n.stopping && n.has_status);
	assert_string_equal(n.status, "failed: the API server says\n[-]etcd failed\n a=b");
	n = probe_parse_notification("STATUS=", 7);
	assert_true(n.has_status);
	assert_string_equal(n.status, "");
	char longer[PROBE_STATUS_SIZE + 100];
	memset(longer, 'x', sizeof(longer));
	memcpy(longer, "STATUS=", 7);
	n = probe_parse_notification(longer, sizeof(longer));
	assert_int_equal(strlen(n.status), sizeof(n.status) - 1);
}

static const char *words_of(struct last_words *words, const char *output, int64_t now_ms)
{
	last_words_clear(words);
	last_words_feed(words, output, strlen(output), 1000);
	return last_words_text(words, now_ms);
}

static void keeps_last_words(void **state)
{
	(void)state;
	static const struct {
		const char *output, *reason;
	} cases[] = {
		{ "", "" },
		{ "one\ntwo\n\nunfinished", "two" },
		{ "start\npanic: no disk\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: no disk\ngoroutine 1 [running]:\nmain.main()" },
		{ "I1126 x\nF1126 18:03:11 main.go:7] no root\nstack\n", "F1126 18:03:11 main.go:7] no root\nstack" },
		{ "Fabulous\n2026-11-26 18:00:00 UTC [7] FATAL:  no memory\n2026-11-26 18:00:00 UTC [7] HINT:  buy\n",
		  "2026-11-26 18:00:00 UTC [7] FATAL:  no memory\n2026-11-26 18:00:00 UTC [7] HINT:  buy" },
		{ "panic: first\nfatal error: second\n", "panic: first\nfatal error: second" },
	};
	struct last_words words;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(words_of(&words, cases[i].output, 1001), cases[i].reason);
	/* Who goes on living did not die of it, and may die of the next. */
	words_of(&words, "FATAL: a log-in failed\nlater\n", 0);
	int64_t later = 1000 + LAST_WORDS_DYING_MS;
	assert_string_equal(last_words_text(&words, later), "later");
	last_words_feed(&words, "panic: now\n", 11, later);
	assert_string_equal(last_words_text(&words, later), "panic: now");
	/* Bounded, whatever is written and in whatever pieces. */
	last_words_clear(&words);
	last_words_feed(&words, "panic: ", 7, 0);
	for (int i = 0; i < 4 * LAST_WORDS_SIZE; i++)
		last_words_feed(&words, i % 100 ? "x" : "\n", 1, 0);
	assert_int_equal(strlen(last_words_text(&words, 0)), LAST_WORDS_SIZE - 1);
	last_words_clear(&words);
	assert_string_equal(last_words_text(&words, 0), "");
}

static void reads_requests(void **state)
{
	(void)state;
	struct control_request request;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(control_parse("{\"command\":\"status\",\"follow\":true}", 34, &request, &e), 0);
	assert_true(request.follow);
	assert_int_equal(control_parse("{\"command\":\"restart\"}", 21, &request, &e), -1);
	assert_string_equal(err_id(&e), "unknown-service");
	assert_int_equal(control_parse("{\"command\":\"explode\"}", 21, &request, &e), -1);
	assert_string_equal(err_id(&e), "unknown-command");
}

static void service_lines_survive_any_output(void **state)
{
	(void)state;
	struct service_config config = { .name = (char *)(uintptr_t) "db",
		                         .namespace = (char *)(uintptr_t) "flyte",
		                         .endpoint_port = 5432 };
	struct service service = {
		.config = &config, .state = SERVICE_FAILED, .message = "bad \xff\xfe bytes", .changed_ms = 10
	};
	auto_free char *line = control_service_line(&service, 15);
	assert_string_equal(
	        line, "{\"service\":\"db\",\"status\":\"failed\",\"namespace\":\"flyte\",\"message\":\"bad ?? bytes\","
	              "\"endpoint_port\":5432,\"since_ms\":5,\"hidden\":false}\n");
}

static char *make_directory(void)
{
	char template[] = "/tmp/sandbox-test-XXXXXX";
	assert_non_null(mkdtemp(template));
	return xstrdup(template);
}

static void log_files_rotate(void **state)
{
	(void)state;
	auto_free char *directory = make_directory();
	auto_free char *path = file_join(directory, "db.log");
	auto_free char *older = file_join(directory, "db.log.1");
	auto_err struct err e = ERR_INIT;
	struct logfile log;
	assert_int_equal(logfile_open(&log, path, &e), 0);
	auto_free char *chunk = xmalloc(1024 * 1024);
	memset(chunk, 'a', 1024 * 1024);
	for (int i = 0; i < 9; i++)
		logfile_write(&log, chunk, 1024 * 1024);
	logfile_write(&log, "\nfirst\nsecond\nunfinished", 24);
	struct stat info;
	assert_int_equal(stat(older, &info), 0);
	assert_int_equal(info.st_size, 8 * 1024 * 1024);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_size, 1024 * 1024 + 24);
	logfile_close(&log);
	unlink(path);
	unlink(older);
	rmdir(directory);
}

static void log_files_rotate_after_a_failed_attempt(void **state)
{
	(void)state;
	auto_free char *directory = make_directory();
	auto_free char *path = file_join(directory, "db.log");
	auto_free char *older = file_join(directory, "db.log.1");
	auto_err struct err e = ERR_INIT;
	struct logfile log;
	assert_int_equal(logfile_open(&log, path, &e), 0);
	auto_free char *chunk = xmalloc(LOGFILE_SIZE_MAXIMUM);
	memset(chunk, 'a', LOGFILE_SIZE_MAXIMUM);
	logfile_write(&log, chunk, LOGFILE_SIZE_MAXIMUM);
	/* No descriptor is free: the file is renamed, and the new one can't be opened. */
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	const struct rlimit none = { .rlim_cur = (rlim_t)log.fd + 1, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	logfile_write(&log, "lost\n", 5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(file_exists(path));
	struct stat info;
	assert_int_equal(stat(older, &info), 0);
	assert_int_equal(info.st_size, LOGFILE_SIZE_MAXIMUM); /* the cap holds meanwhile */
	logfile_write(&log, "kept\n", 5);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_size, 5);
	logfile_close(&log);
	unlink(path);
	unlink(older);
	rmdir(directory);
}

static void overrides_belong_to_one_image(void **state)
{
	(void)state;
	auto_free char *directory = make_directory();
	auto_free char *content = file_join(directory, "content");
	auto_free char *last = file_join(directory, "last");
	auto_free char *overrides = file_join(directory, "override");
	auto_free char *program = file_join(overrides, "server");
	auto_err struct err e = ERR_INIT;
	bool dropped = true;
	assert_int_equal(file_write_atomic(content, "image 1\n", 8, 0644, &e), 0);
	assert_int_equal(service_forget_overrides(content, last, overrides, &dropped, &e), 0);
	assert_false(dropped);
	assert_int_equal(file_make_directories(overrides, 0755, &e), 0);
	assert_int_equal(file_write_atomic(program, "x", 1, 0755, &e), 0);
	assert_int_equal(service_forget_overrides(content, last, overrides, &dropped, &e), 0);
	assert_false(dropped);
	assert_true(file_exists(program));
	assert_int_equal(file_write_atomic(content, "image 2\n", 8, 0644, &e), 0);
	assert_int_equal(service_forget_overrides(content, last, overrides, &dropped, &e), 0);
	assert_true(dropped);
	assert_false(file_exists(overrides));
	assert_int_equal(service_forget_overrides(content, last, overrides, &dropped, &e), 0);
	assert_false(dropped);
	filesystem_remove_tree(directory, NULL);
}

static void background_services_are_not_waited_for(void **state)
{
	(void)state;
	struct service_config front = { .name = (char *)(uintptr_t) "a", .namespace = (char *)(uintptr_t) "" };
	struct service_config back = { .name = (char *)(uintptr_t) "b",
		                       .namespace = (char *)(uintptr_t) "",
		                       .background = true };
	struct service services[] = { { .config = &front, .wanted = true, .state = SERVICE_READY, .overridden = true },
		                      { .config = &back, .wanted = true, .state = SERVICE_STARTING } };
	assert_true(control_all_ready(services, 2));
	services[0].state = SERVICE_STARTING;
	assert_false(control_all_ready(services, 2));
	auto_free char *line = control_service_line(&services[0], 0);
	assert_non_null(strstr(line, "sandbox reload"));
}

/* A message names what is waited for now, and whoever follows is told when that has changed. */
static void waiting_names_all_that_is_missing(void **state)
{
	(void)state;
	struct service_config first = { .name = (char *)(uintptr_t) "postgres" };
	struct service_config second = { .name = (char *)(uintptr_t) "kubernetes" };
	struct service_config third = { .name = (char *)(uintptr_t) "controlplane", .requires = { 0, 1 }, .require_count = 2 };
	struct service services[] = { { .config = &first, .state = SERVICE_STARTING },
		                      { .config = &second, .state = SERVICE_STARTING },
		                      { .config = &third, .message = "exited with code 1" } };
	struct service *waiting = &services[2];
	bool told = true;
	assert_true(service_waits(waiting, services, &told));
	assert_false(told);
	assert_string_equal(waiting->message, "waits for postgres, kubernetes");
	assert_true(service_waits(waiting, services, &told));
	assert_true(told);
	services[0].state = SERVICE_READY;
	assert_true(service_waits(waiting, services, &told));
	assert_false(told);
	assert_string_equal(waiting->message, "waits for kubernetes");
	services[1].state = SERVICE_READY;
	assert_false(service_waits(waiting, services, &told));
	assert_true(told);
}

static void removals_take_files_and_trees(void **state)
{
	(void)state;
	auto_free char *directory = make_directory();
	auto_free char *inner = file_join(directory, "tree/inner");
	auto_free char *tree = file_join(directory, "tree");
	auto_free char *file = file_join(directory, "stale.pid");
	auto_free char *absent = file_join(directory, "absent");
	auto_err struct err e = ERR_INIT;
	assert_int_equal(file_make_directories(inner, 0755, &e), 0);
	assert_int_equal(file_write_atomic(file, "1", 1, 0600, &e), 0);
	char *removals[] = { tree, file, absent, NULL };
	struct init_config config = { .removals = removals, .removal_count = 3 };
	assert_int_equal(filesystem_prepare_state(&config, &e), 0);
	assert_false(file_exists(tree));
	assert_false(file_exists(file));
	assert_int_equal(filesystem_prepare_state(&config, &e), 0);
	rmdir(directory);
}

static void copies_a_tree_once(void **state)
{
	(void)state;
	auto_free char *directory = make_directory();
	auto_free char *from = file_join(directory, "from");
	auto_free char *inner = file_join(from, "inner");
	auto_free char *file = file_join(inner, "file");
	auto_free char *link = file_join(from, "link");
	auto_free char *to = file_join(directory, "to");
	auto_free char *copied_file = file_join(to, "inner/file");
	auto_free char *copied_link = file_join(to, "link");
	auto_err struct err e = ERR_INIT;
	assert_int_equal(file_make_directories(inner, 0755, &e), 0);
	assert_int_equal(file_write_atomic(file, "data", 4, 0640, &e), 0);
	assert_int_equal(symlink("inner/file", link), 0);
	assert_int_equal(filesystem_copy_tree(from, to, &e), 0);
	struct stat info;
	assert_int_equal(stat(copied_file, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);
	assert_int_equal(info.st_size, 4);
	assert_int_equal(lstat(copied_link, &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	/* What is there stays: state must survive the next start. */
	assert_int_equal(file_write_atomic(copied_file, "changed", 7, 0640, &e), 0);
	assert_int_equal(filesystem_copy_tree(from, to, &e), 0);
	assert_int_equal(stat(copied_file, &info), 0);
	assert_int_equal(info.st_size, 7);
	assert_int_equal(filesystem_copy_tree("/nonexistent", "/tmp/sandbox-test-none", &e), -1);
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	auto_free char *inner_copy = file_join(to, "inner");
	unlink(copied_file);
	rmdir(inner_copy);
	unlink(copied_link);
	rmdir(to);
	unlink(file);
	unlink(link);
	rmdir(inner);
	rmdir(from);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_service),
		cmocka_unit_test(refuses_bad_files),
		cmocka_unit_test(reads_notifications),
		cmocka_unit_test(keeps_last_words),
		cmocka_unit_test(reads_requests),
		cmocka_unit_test(service_lines_survive_any_output),
		cmocka_unit_test(log_files_rotate),
		cmocka_unit_test(log_files_rotate_after_a_failed_attempt),
		cmocka_unit_test(overrides_belong_to_one_image),
		cmocka_unit_test(background_services_are_not_waited_for),
		cmocka_unit_test(waiting_names_all_that_is_missing),
		cmocka_unit_test(removals_take_files_and_trees),
		cmocka_unit_test(copies_a_tree_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
