/* The page of metrics: what is counted is on it, in Prometheus' text format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metrics.h"

#include <string.h>

METRIC_COUNTER(apples, "test_apples_total", "Apples.");
METRIC_GAUGE(pears, "test_pears", "Pears.");
METRIC_HISTOGRAM(times, "test_seconds", "Times.");

static void write_page(struct buf *out)
{
	buf_init(out, (size_t)1024 * 1024);
	assert_int_equal(metrics_write(out), 0);
}

static void assert_on_page(const char *text)
{
	struct buf page;
	write_page(&page);
	if (!strstr(page.data, text))
		fail_msg("\"%s\" is not in:\n%s", text, page.data);
	buf_release(&page);
}

static void counters_and_gauges(void **state)
{
	(void)state;
	metric_add(&apples, 3);
	metric_add(&apples, 4);
	metric_set(&pears, -5);
	assert_on_page("# HELP test_apples_total Apples.\n# TYPE test_apples_total counter\ntest_apples_total 7\n");
	assert_on_page("# TYPE test_pears gauge\ntest_pears -5\n");
	assert_on_page("\nprocess_resident_memory_bytes ");
}

static void histograms_are_cumulative(void **state)
{
	(void)state;
	metric_observe(&times, 500);      /* the bound belongs to its bucket */
	metric_observe(&times, 501);
	metric_observe(&times, 60000000);
	metric_observe(&times, -1);
	assert_on_page("# TYPE test_seconds histogram\ntest_seconds_bucket{le=\"0.0005\"} 2\ntest_seconds_bucket{le=\"0.001\"} 3\n");
	assert_on_page("test_seconds_bucket{le=\"30\"} 3\ntest_seconds_bucket{le=\"+Inf\"} 4\ntest_seconds_sum 60.001001\ntest_seconds_count 4\n");
}

static void collect(void *context, struct metrics_page *page)
{
	const struct metric_label labels[] = { { "name", context }, { "code", "OK" } };
	metrics_family(page, "test_collected", METRIC_KIND_GAUGE, "Collected.");
	metrics_sample(page, labels, 2, 0.5);
}

static void collectors_write_labels(void **state)
{
	(void)state;
	char value[] = "a\"b\\c\nd";
	struct metrics_collector collector = { .collect = collect, .context = value };
	metrics_add_collector(&collector);
	assert_on_page("test_collected{name=\"a\\\"b\\\\c\\nd\",code=\"OK\"} 0.5\n");
	metrics_remove_collector(&collector);
	struct buf page;
	write_page(&page);
	assert_null(strstr(page.data, "test_collected"));
	buf_release(&page);
}

static void a_page_that_does_not_fit_is_none(void **state)
{
	(void)state;
	auto_buf struct buf page = BUF_INIT(500);
	assert_int_equal(metrics_write(&page), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_and_gauges),
		cmocka_unit_test(histograms_are_cumulative),
		cmocka_unit_test(collectors_write_labels),
		cmocka_unit_test(a_page_that_does_not_fit_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
