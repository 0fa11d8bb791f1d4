/*
 * Numbers about the running process, in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * A number is a static object beside the code that counts it, so that counting is one relaxed atomic addition and nothing is looked
 * up; it is part of the page because it is part of the program. What has labels, or is known only when asked, is written by a collector.
 * Labels come from closed sets (methods, codes, protocols): nothing that a client chooses becomes one.
 *
 *	METRIC_COUNTER(pods_created, "sandbox_pods_created_total", "Pods created for attempts of tasks.");
 *	metric_add(&pods_created, 1);
 */
#ifndef SANDBOX_BASE_METRICS_H
#define SANDBOX_BASE_METRICS_H

#include "base/buf.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

enum metric_kind { METRIC_KIND_COUNTER, METRIC_KIND_GAUGE, METRIC_KIND_HISTOGRAM };

/* Upper bounds of the buckets of every histogram, in microseconds: from half a millisecond to half a minute. */
#define METRIC_BUCKETS 15
extern const int64_t metric_bounds_us[METRIC_BUCKETS];

/* Durations. The last bucket is what was longer than every bound. */
struct metric_histogram {
	atomic_uint_fast64_t buckets[METRIC_BUCKETS + 1];
	atomic_uint_fast64_t sum_us;
};

struct metric {
	enum metric_kind kind;
	const char *name, *help;
	atomic_int_fast64_t value;         /* counters and gauges */
	struct metric_histogram histogram; /* histograms */
	struct metric *next;
};

/* Puts a static metric on the page; what the macros below do before main. */
void metrics_register(struct metric *metric);

#define METRIC_DEFINE(variable, metric_kind_, metric_name, metric_help)                                                \
	static struct metric variable = { .kind = metric_kind_, .name = metric_name, .help = metric_help };            \
	__attribute__((constructor)) static void variable##_register(void)                                             \
	{                                                                                                              \
		metrics_register(&variable);                                                                           \
	}                                                                                                              \
	static_assert(sizeof(metric_name) > 1, "a metric has a name")
#define METRIC_COUNTER(variable, name, help) METRIC_DEFINE(variable, METRIC_KIND_COUNTER, name, help)
#define METRIC_GAUGE(variable, name, help) METRIC_DEFINE(variable, METRIC_KIND_GAUGE, name, help)
#define METRIC_HISTOGRAM(variable, name, help) METRIC_DEFINE(variable, METRIC_KIND_HISTOGRAM, name, help)

static inline void metric_add(struct metric *metric, int64_t amount)
{
	atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

static inline void metric_set(struct metric *metric, int64_t value)
{
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_histogram_observe(struct metric_histogram *histogram, int64_t duration_us);
uint64_t metric_histogram_count(const struct metric_histogram *histogram);
static inline void metric_observe(struct metric *metric, int64_t duration_us)
{
	metric_histogram_observe(&metric->histogram, duration_us);
}

/* The page being written, for collectors. */
struct metrics_page {
	struct buf *out;
	const char *name; /* of the family under way */
	bool cut;         /* it did not fit */
};

struct metric_label {
	const char *name;  /* [a-z_]+ */
	const char *value; /* any text: escaped */
};

/* Begins a family; its samples follow, and nothing else until the next family. */
void metrics_family(struct metrics_page *page, const char *name, enum metric_kind kind, const char *help);
void metrics_sample(struct metrics_page *page, const struct metric_label *labels, size_t label_count, double value);
void metrics_histogram(struct metrics_page *page, const struct metric_label *labels, size_t label_count,
                       const struct metric_histogram *histogram);

/* Called for every page, from the thread that asks for it. Borrowed until removed. */
struct metrics_collector {
	void (*collect)(void *context, struct metrics_page *page);
	void *context;
	struct metrics_collector *next;
};
void metrics_add_collector(struct metrics_collector *collector);
/* When it returns, the collector is not being called any more. */
void metrics_remove_collector(struct metrics_collector *collector);

/* The whole page: all metrics, all collectors, and the process itself. -1 when it does not fit. */
int metrics_write(struct buf *out);
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
