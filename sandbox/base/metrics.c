#include "base/metrics.h"

#include "base/clock.h"
#include "base/platform.h"
#include "base/text.h"

#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const int64_t metric_bounds_us[METRIC_BUCKETS] = { 500,    1000,   2500,    5000,    10000,   25000,    50000,   100000,
	                                           250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000 };
/* As Prometheus writes them, which is how queries find them. */
static const char *const bound_texts[METRIC_BUCKETS] = { "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
	                                                 "0.25",   "0.5",   "1",      "2.5",   "5",    "10",    "30" };

/* Before main there is one thread; afterwards the list does not change. */
static struct metric *metrics;
static pthread_mutex_t collectors_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metrics_collector *collectors;
static int64_t started_ns;

__attribute__((constructor)) static void remember_start(void)
{
	started_ns = clock_wall_ns();
}

void metrics_register(struct metric *metric)
{
	/* By name, so that the page does not depend on the order of linking. */
	struct metric **link = &metrics;
	while (*link && strcmp((*link)->name, metric->name) < 0)
		link = &(*link)->next;
	metric->next = *link;
	*link = metric;
}

void metric_histogram_observe(struct metric_histogram *histogram, int64_t duration_us)
{
	size_t bucket = 0;
	while (bucket < METRIC_BUCKETS && duration_us > metric_bounds_us[bucket])
		bucket++;
	atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_us, (uint64_t)(duration_us > 0 ? duration_us : 0), memory_order_relaxed);
}

uint64_t metric_histogram_count(const struct metric_histogram *histogram)
{
	uint64_t count = 0;
	for (size_t i = 0; i <= METRIC_BUCKETS; i++)
		count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
	return count;
}

static const char *kind_name(enum metric_kind kind)
{
	static const char *const names[] = { "counter", "gauge", "histogram" };
	return names[kind];
}

/* A page that does not fit is cut, which is remembered. */
__attribute__((format(printf, 2, 3))) static void put(struct metrics_page *page, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (buf_add_vformat(page->out, format, arguments) < 0)
		page->cut = true;
	va_end(arguments);
}

void metrics_family(struct metrics_page *page, const char *name, enum metric_kind kind, const char *help)
{
	page->name = name;
	put(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind_name(kind));
}

static void add_label(struct metrics_page *page, const struct metric_label *label, bool first)
{
	put(page, "%s%s=\"", first ? "" : ",", label->name);
	for (const char *c = label->value; *c; c++) {
		if (*c == '\n')
			put(page, "\\n");
		else if (*c == '"' || *c == '\\')
			put(page, "\\%c", *c);
		else
			put(page, "%c", *c);
	}
	put(page, "\"");
}

/* name, suffix, labels and, of a bucket, its bound. */
static void begin_sample(struct metrics_page *page, const char *suffix, const struct metric_label *labels, size_t label_count,
                         const char *bound)
{
	put(page, "%s%s", page->name, suffix);
	if (label_count || bound)
		put(page, "{");
	for (size_t i = 0; i < label_count; i++)
		add_label(page, &labels[i], i == 0);
	if (bound)
		add_label(page, &(struct metric_label){ "le", bound }, label_count == 0);
	if (label_count || bound)
		put(page, "}");
}

void metrics_sample(struct metrics_page *page, const struct metric_label *labels, size_t label_count, double value)
{
	begin_sample(page, "", labels, label_count, NULL);
	put(page, " %.17g\n", value);
}

void metrics_histogram(struct metrics_page *page, const struct metric_label *labels, size_t label_count,
                       const struct metric_histogram *histogram)
{
	uint64_t count = 0;
	for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
		count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
		begin_sample(page, "_bucket", labels, label_count, i < METRIC_BUCKETS ? bound_texts[i] : "+Inf");
		put(page, " %llu\n", (unsigned long long)count);
	}
	begin_sample(page, "_sum", labels, label_count, NULL);
	put(page, " %.6f\n", (double)atomic_load(&histogram->sum_us) / 1e6);
	begin_sample(page, "_count", labels, label_count, NULL);
	put(page, " %llu\n", (unsigned long long)count);
}

void metrics_add_collector(struct metrics_collector *collector)
{
	pthread_mutex_lock(&collectors_lock);
	collector->next = collectors;
	collectors = collector;
	pthread_mutex_unlock(&collectors_lock);
}

void metrics_remove_collector(struct metrics_collector *collector)
{
	pthread_mutex_lock(&collectors_lock);
	struct metrics_collector **link = &collectors;
	while (*link && *link != collector)
		link = &(*link)->next;
	if (*link)
		*link = collector->next;
	pthread_mutex_unlock(&collectors_lock);
}

/* --- the process itself, under the names that every client library uses --- */

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void collect_process(struct metrics_page *page)
{
	struct rusage usage;
	struct platform_usage now;
	getrusage(RUSAGE_SELF, &usage);
	platform_usage(&now);
	metrics_family(page, "process_cpu_seconds_total", METRIC_KIND_COUNTER, "CPU time used, user and system.");
	metrics_sample(page, NULL, 0, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	metrics_family(page, "process_resident_memory_bytes", METRIC_KIND_GAUGE, "Resident memory.");
	metrics_sample(page, NULL, 0, now.resident_bytes);
	metrics_family(page, "process_open_fds", METRIC_KIND_GAUGE, "Open file descriptors.");
	metrics_sample(page, NULL, 0, now.open_files);
	metrics_family(page, "process_threads", METRIC_KIND_GAUGE, "Threads.");
	metrics_sample(page, NULL, 0, now.threads);
	metrics_family(page, "process_start_time_seconds", METRIC_KIND_GAUGE, "Start of the process, Unix time.");
	metrics_sample(page, NULL, 0, (double)started_ns / 1e9);
}

int metrics_write(struct buf *out)
{
	struct metrics_page page = { .out = out };
	for (const struct metric *metric = metrics; metric; metric = metric->next) {
		metrics_family(&page, metric->name, metric->kind, metric->help);
		if (metric->kind == METRIC_KIND_HISTOGRAM)
			metrics_histogram(&page, NULL, 0, &metric->histogram);
		else
			metrics_sample(&page, NULL, 0, (double)atomic_load(&metric->value));
	}
	pthread_mutex_lock(&collectors_lock);
	for (const struct metrics_collector *collector = collectors; collector; collector = collector->next)
		collector->collect(collector->context, &page);
	pthread_mutex_unlock(&collectors_lock);
	collect_process(&page);
	return page.cut ? -1 : 0;
}
