#include "base/metrics.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_PAGE_BYTES_MIN = 4096, METRICS_SECONDS_BYTES = 32 };

static const uint64_t bounds_ns[METRICS_BOUND_COUNT] = {
    1 * NS_PER_MS,    2500 * NS_PER_US, 5 * NS_PER_MS,   10 * NS_PER_MS,  25 * NS_PER_MS,
    50 * NS_PER_MS,   100 * NS_PER_MS,  250 * NS_PER_MS, 500 * NS_PER_MS, 1 * NS_PER_S,
    2500 * NS_PER_MS, 5 * NS_PER_S,     10 * NS_PER_S,   30 * NS_PER_S,
};

void metrics_histogram_add(MetricsHistogram *histogram, uint64_t duration_ns)
{
    size_t bucket = 0;
    while (bucket < METRICS_BOUND_COUNT && duration_ns > bounds_ns[bucket]) bucket++;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
}

void metrics_page_free(MetricsPage *page)
{
    free(page->text);
    *page = (MetricsPage){0};
}

/* ---- Text ---- */

/* Room for `size` more bytes; false, and the page has failed, when there is none. */
static bool page_reserve(MetricsPage *page, size_t size)
{
    if (page->failed) return false;
    if (size <= page->capacity - page->size) return true;
    size_t capacity = page->capacity ? page->capacity : METRICS_PAGE_BYTES_MIN;
    while (capacity - page->size < size) capacity *= 2;
    char *text = realloc(page->text, capacity);
    if (!text) {
        page->failed = true;
        return false;
    }
    page->text = text;
    page->capacity = capacity;
    return true;
}

static void page_append(MetricsPage *page, const char *bytes, size_t size)
{
    if (!page_reserve(page, size)) return;
    memcpy(page->text + page->size, bytes, size);
    page->size += size;
}

static void page_append_text(MetricsPage *page, const char *text)
{
    page_append(page, text, strlen(text));
}

static void page_append_label(MetricsPage *page, const MetricsLabel *label)
{
    page_append_text(page, label->name);
    page_append_text(page, "=\"");
    for (const char *byte = label->value; *byte; byte++) {
        if (*byte == '\n') {
            page_append_text(page, "\\n");
            continue;
        }
        if (*byte == '\\' || *byte == '"') page_append_text(page, "\\");
        page_append(page, byte, 1);
    }
    page_append_text(page, "\"");
}

static void page_append_sample(MetricsPage *page, const char *name, const char *suffix, const MetricsLabel *labels,
                               size_t label_count, const char *value)
{
    page_append_text(page, name);
    page_append_text(page, suffix);
    for (size_t i = 0; i < label_count; i++) {
        page_append_text(page, i == 0 ? "{" : ",");
        page_append_label(page, &labels[i]);
    }
    page_append_text(page, label_count ? "} " : " ");
    page_append_text(page, value);
    page_append_text(page, "\n");
}

/* Exactly, without trailing zeros: "0.0025", "30". */
static const char *seconds_text(uint64_t duration_ns, char buffer[METRICS_SECONDS_BYTES])
{
    int used = snprintf(buffer, METRICS_SECONDS_BYTES, "%" PRIu64 ".%09" PRIu64,
                        (uint64_t)(duration_ns / NS_PER_S), (uint64_t)(duration_ns % NS_PER_S));
    while (buffer[used - 1] == '0') used--;
    if (buffer[used - 1] == '.') used--;
    buffer[used] = '\0';
    return buffer;
}

static const char *number_text(uint64_t number, char buffer[METRICS_SECONDS_BYTES])
{
    snprintf(buffer, METRICS_SECONDS_BYTES, "%" PRIu64, number);
    return buffer;
}

/* ---- Samples ---- */

void metrics_begin(MetricsPage *page, const char *name, MetricsType type, const char *help)
{
    static const char *const types[] = {" counter\n", " gauge\n", " histogram\n"};
    page_append_text(page, "# HELP ");
    page_append_text(page, name);
    page_append_text(page, " ");
    page_append_text(page, help);
    page_append_text(page, "\n# TYPE ");
    page_append_text(page, name);
    page_append_text(page, types[type]);
}

void metrics_add(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                 uint64_t value)
{
    char text[METRICS_SECONDS_BYTES];
    page_append_sample(page, name, "", labels, label_count, number_text(value, text));
}

void metrics_add_duration(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                          uint64_t duration_ns)
{
    char text[METRICS_SECONDS_BYTES];
    page_append_sample(page, name, "", labels, label_count, seconds_text(duration_ns, text));
}

/* Each bucket counts what those before it do; the last counts all, and says so twice. */
void metrics_add_histogram(MetricsPage *page, const char *name, const MetricsLabel *labels, size_t label_count,
                           const MetricsHistogram *histogram)
{
    assert(label_count <= METRICS_LABEL_COUNT_MAX);
    MetricsLabel all[METRICS_LABEL_COUNT_MAX + 1];
    char bound[METRICS_SECONDS_BYTES];
    char value[METRICS_SECONDS_BYTES];
    uint64_t count = 0;
    for (size_t i = 0; i < label_count; i++) all[i] = labels[i];
    for (size_t i = 0; i <= METRICS_BOUND_COUNT; i++) {
        count += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        all[label_count] =
            (MetricsLabel){"le", i < METRICS_BOUND_COUNT ? seconds_text(bounds_ns[i], bound) : "+Inf"};
        page_append_sample(page, name, "_bucket", all, label_count + 1, number_text(count, value));
    }
    uint64_t sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    page_append_sample(page, name, "_sum", labels, label_count, seconds_text(sum_ns, value));
    page_append_sample(page, name, "_count", labels, label_count, number_text(count, value));
}
