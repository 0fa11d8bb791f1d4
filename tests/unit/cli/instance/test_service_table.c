/* Services and their table: lines of PID 1 in, text out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cli/instance/service_table.h"
#include "cli/instance/services.h"
#include "cli/terminal/terminal.h"

#include <string.h>

static int take(struct services *services, const char *text, struct err *e)
{
	auto_json json_t *line = json_parse(text, strlen(text), "line", NULL);
	size_t index = 0;
	assert_non_null(line);
	return services_take(services, line, &index, e);
}

static void fill(struct services *services)
{
	assert_int_equal(
	        take(services,
	             "{\"service\":\"postgres\",\"status\":\"ready\",\"namespace\":\"flyte\",\"endpoint_port\":5432}",
	             NULL),
	        1);
	assert_int_equal(take(services,
	                      "{\"service\":\"kubernetes\",\"status\":\"starting\",\"namespace\":\"kube-system\","
	                      "\"message\":\"API\\nserver\",\"endpoint_port\":6443}",
	                      NULL),
	                 1);
	assert_int_equal(take(services,
	                      "{\"service\":\"containerd\",\"status\":\"starting\",\"namespace\":\"kube-system\","
	                      "\"hidden\":true}",
	                      NULL),
	                 1);
}

static const struct ports ports = { .host_port = { 30080, 6443, 30001, 30002 },
	                            .address = "127.0.0.1",
	                            .host = "localhost" };

static void test_services(void **state)
{
	(void)state;
	auto_services struct services services = SERVICES_INIT;
	auto_err struct err e = ERR_INIT;
	fill(&services);
	assert_int_equal(services.count, 3);
	/* The same again is no change. */
	assert_int_equal(
	        take(&services,
	             "{\"service\":\"postgres\",\"status\":\"ready\",\"namespace\":\"flyte\",\"endpoint_port\":5432}",
	             NULL),
	        0);
	auto_free char *missing = services_missing(&services);
	assert_string_equal(missing, "kubernetes (starting: API), containerd (starting)");
	assert_string_equal(services_culprit(&services)->name, "containerd");
	assert_int_equal(
	        take(&services, "{\"service\":\"postgres\",\"status\":\"failed\",\"message\":\"exit 1\"}", NULL), 1);
	assert_string_equal(services_culprit(&services)->name, "postgres");
	assert_int_equal(services.items[0].failures, 1);
	assert_false(services.complete);
	assert_int_equal(take(&services, "{\"ready\":true,\"timings\":{\"postgres\":140}}", NULL), 0);
	assert_true(services.complete && services.ready);
	assert_int_equal(json_integer_at(services.timings, "postgres", 0), 140);
	assert_int_equal(take(&services, "{\"error\":{\"id\":\"x\",\"message\":\"no such thing\"}}", &e), -1);
	assert_non_null(strstr(err_message(&e), "no such thing"));
	/* Nonsense does no harm. */
	assert_int_equal(take(&services, "{\"service\":7}", NULL), 0);
	assert_int_equal(take(&services, "[1]", NULL), 0);
	for (int i = 0; i < SERVICES_MAXIMUM - 3; i++) {
		auto_free char *line = xasprintf("{\"service\":\"s%d\"}", i);
		assert_int_equal(take(&services, line, NULL), 1);
	}
	assert_int_equal(take(&services, "{\"service\":\"one more\"}", &e), -1);
}

static void test_render(void **state)
{
	(void)state;
	auto_services struct services services = SERVICES_INIT;
	auto_buf struct buf text = BUF_INIT(8192);
	fill(&services);
	service_table_render(&services, &ports, &(struct service_table_style){ .columns = 0 }, &text);
	assert_string_equal(buf_text(&text), "SERVICE      STATUS     NAMESPACE     ENDPOINT\n"
	                                     "postgres     ready      flyte         localhost:30001\n"
	                                     "kubernetes   starting   kube-system   API\n");
	for (size_t columns = 20; columns < 60; columns++) {
		buf_clear(&text);
		service_table_render(&services, &ports, &(struct service_table_style){ .columns = columns, .colors = columns % 2 },
		             &text);
		for (const char *line = buf_text(&text); *line;) {
			size_t length = strcspn(line, "\n");
			auto_free char *one = xstrndup(line, length);
			assert_true(terminal_width(one) <= columns);
			line += length + 1;
		}
		assert_int_equal(terminal_rows(buf_text(&text), columns), 3);
	}
	/* A hidden service that failed is shown. */
	buf_clear(&text);
	assert_int_equal(take(&services,
	                      "{\"service\":\"containerd\",\"status\":\"failed\",\"namespace\":\"kube-system\","
	                      "\"message\":\"exit 1\",\"hidden\":true}",
	                      NULL),
	                 1);
	service_table_render(&services, &ports, &(struct service_table_style){ .columns = 0 }, &text);
	assert_non_null(strstr(buf_text(&text), "containerd   failed"));
}

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(terminal_rows("", 10), 0);
	assert_int_equal(terminal_rows("\n", 10), 1);
	assert_int_equal(terminal_rows("0123456789\n", 10), 1);
	assert_int_equal(terminal_rows("0123456789a\n", 10), 2);
	assert_int_equal(terminal_rows("a\nb\nc\n", 10), 3);
	assert_int_equal(terminal_rows("\033[31m0123456789\033[0m\n", 10), 1);
	assert_int_equal(terminal_rows("\xc3\xa4\xc3\xa4\xc3\xa4\n", 3), 1);
}

static void test_terminal(void **state)
{
	(void)state;
	assert_int_equal(terminal_cut("abc", 2), 2);
	assert_int_equal(terminal_cut("abc", 9), 3);
	assert_int_equal(terminal_cut("\xc3\xa4\xc3\xb6", 1), 2);
	assert_int_equal(terminal_cut("\033[1mab", 1), 5);
	assert_int_equal(terminal_width("\033[1mab\033[0m"), 2);
	assert_int_equal(terminal_width("\033[1"), 0);
	assert_int_equal(terminal_width("\033x"), 2);
}

static void test_lines(void **state)
{
	(void)state;
	auto_services struct services services = SERVICES_INIT;
	char *shown = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&shown, &size);
	struct service_table_view view = { .out = out };
	fill(&services);
	for (size_t i = 0; i < 3; i++)
		service_table_view_update(&view, &services, i, &ports);
	service_table_view_release(&view);
	fclose(out);
	assert_string_equal(shown, "SERVICE          STATUS       NAMESPACE      ENDPOINT\n"
	                           "postgres         ready        flyte          localhost:30001\n"
	                           "kubernetes       starting     kube-system    API\n");
	free(shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_services), cmocka_unit_test(test_render),
		                            cmocka_unit_test(test_rows), cmocka_unit_test(test_terminal),
		                            cmocka_unit_test(test_lines) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
