/* Tokens that training never met, by their word embeddings (Land and Bartolo 2024, Fishing for Magikarp): such rows
 * were moved by weight decay and the softmax alone, all by the same, and so ended up close to each other. What no text
 * can have had in it (tokenizer_token_spare) shows where. In all-MiniLM-L6-v2 half of the spare rows are within 0.19 of
 * their mean and 99 % within 0.21, half of all rows are farther than 1.18, and 2 % of the others are as near as the
 * spare ones: pieces that its tokenizer cannot make, letters of scripts that it was not trained on, and a few names of
 * one series of novels ("endelle", "lucivar"). Where rows are not apart like that, nothing is said. */
#include "base/limits.h"
#include "pipeline/pipeline_state.h"

#include <math.h>
#include <stdlib.h>

enum {
    SPARE_COUNT_MIN = 3,           /* fewer are no yardstick */
    SAMPLE_COUNT_MAX = 4096,       /* distances that a median is taken of */
    EVICT_BYTES = 8 * 1024 * 1024, /* of the table at once, so that it is never resident as a whole */
};

/* Rows that are hardly farther from the mean of the spare ones than those usually are, are of their kind; and spare
 * rows are a kind of their own only if that is less than half of what is usual. Up to twice as far, there are letters
 * that were met a few times. */
#define GLITCH_REACH 1.2f
#define GLITCH_APART 0.5f

typedef struct GlitchSearch {
    const Pipeline *pipeline;
    const Tensor *table;
    uint32_t count;   /* rows */
    uint32_t size;    /* of a row */
    double *sum;      /* [size] of the spare rows */
    float *mean;      /* [size] of them */
    float *row;       /* [size] */
    float *distances; /* [count] from the mean */
    float *sample;    /* [SAMPLE_COUNT_MAX] */
    uint32_t spare_count;
} GlitchSearch;

static void search_close(GlitchSearch *search)
{
    free(search->sum);
    free(search->mean);
    free(search->row);
    free(search->distances);
    free(search->sample);
}

static CHECKED Status search_open(GlitchSearch *search, Error *out_error)
{
    search->sum = calloc(search->size, sizeof *search->sum);
    search->mean = calloc(search->size, sizeof *search->mean);
    search->row = calloc(search->size, sizeof *search->row);
    search->distances = calloc(search->count, sizeof *search->distances);
    search->sample = calloc(SAMPLE_COUNT_MAX, sizeof *search->sample);
    if (search->sum && search->mean && search->row && search->distances && search->sample) return STATUS_OK;
    return error_set(out_error, STATUS_NO_MEMORY, "pipeline: out of memory");
}

static bool search_is_spare(const GlitchSearch *search, uint32_t id)
{
    return tokenizer_token_spare(search->pipeline->tokenizer, id);
}

static const float *search_row(GlitchSearch *search, uint32_t id)
{
    tensor_read(search->table, id * (uint64_t)search->size, search->size, search->row);
    return search->row;
}

static void search_sum_spare(GlitchSearch *search)
{
    for (uint32_t id = 0; id < search->count; id++) {
        if (!search_is_spare(search, id)) continue;
        const float *row = search_row(search, id);
        for (uint32_t i = 0; i < search->size; i++) search->sum[i] += (double)row[i];
        search->spare_count++;
    }
    for (uint32_t i = 0; i < search->size && search->spare_count; i++)
        search->mean[i] = (float)(search->sum[i] / search->spare_count);
}

/* Lanes of their own let the compiler use vectors without reordering a sum. */
static float distance(const float *a, const float *b, uint32_t size)
{
    enum { LANES = 8 };
    float sums[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= size; i += LANES) {
        for (uint32_t lane = 0; lane < LANES; lane++) {
            float difference = a[i + lane] - b[i + lane];
            sums[lane] += difference * difference;
        }
    }
    float sum = 0;
    for (; i < size; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (uint32_t lane = 0; lane < LANES; lane++) sum += sums[lane];
    return isfinite(sum) ? sqrtf(sum) : INFINITY;
}

static void search_measure(GlitchSearch *search)
{
    uint64_t element_bytes = search->table->type == TENSOR_F32 ? 4 : 2;
    uint64_t row_bytes = search->size * element_bytes;
    uint32_t step = (uint32_t)(EVICT_BYTES / row_bytes) + 1;
    for (uint32_t first = 0; first < search->count; first += step) {
        uint32_t end = search->count - first < step ? search->count : first + step;
        for (uint32_t id = first; id < end; id++)
            search->distances[id] = distance(search_row(search, id), search->mean, search->size);
        Tensor part = *search->table;
        part.data = (const char *)part.data + first * row_bytes;
        part.element_count = (uint64_t)(end - first) * search->size;
        checkpoint_evict(search->pipeline->checkpoint, &part);
    }
}

static int float_compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

/* The median distance of all rows, or of the spare ones, by evenly spaced ones of them. */
static float search_median(GlitchSearch *search, bool of_spare)
{
    uint32_t total = of_spare ? search->spare_count : search->count;
    uint32_t step = total / SAMPLE_COUNT_MAX + 1;
    uint32_t seen = 0, used = 0;
    for (uint32_t id = 0; id < search->count; id++) {
        if (of_spare && !search_is_spare(search, id)) continue;
        if (seen++ % step == 0) search->sample[used++] = search->distances[id];
    }
    qsort(search->sample, used, sizeof *search->sample, float_compare);
    return search->sample[used / 2];
}

/* Spare rows are nearer to their own mean than another of their kind: sqrt(1 - 1 / n) to sqrt(1 + 1 / n). */
static float search_widening(const GlitchSearch *search)
{
    float count = (float)search->spare_count;
    return sqrtf((count + 1) / (count - 1));
}

static CHECKED Status search_mark(const GlitchSearch *search, float reach, Pipeline *pipeline, Error *out_error)
{
    pipeline->glitches = calloc(search->count / 32 + 1, sizeof *pipeline->glitches);
    if (!pipeline->glitches) return error_set(out_error, STATUS_NO_MEMORY, "pipeline: out of memory");
    for (uint32_t id = 0; id < search->count; id++) {
        if (!(search->distances[id] <= reach) || tokenizer_token_special(pipeline->tokenizer, id)) continue;
        pipeline->glitches[id / 32] |= 1u << id % 32;
        pipeline->glitch_count++;
    }
    return STATUS_OK;
}

Status glitch_find(Pipeline *pipeline, Error *out_error)
{
    const Tensor *table = encoder_word_embeddings(pipeline->encoder);
    GlitchSearch search = {
        .pipeline = pipeline,
        .table = table,
        .count = (uint32_t)table->shape[0],
        .size = (uint32_t)table->shape[1],
    };
    Status status = search_open(&search, out_error);
    if (!status) search_sum_spare(&search);
    if (!status && search.spare_count >= SPARE_COUNT_MIN) {
        search_measure(&search);
        float reach = GLITCH_REACH * search_median(&search, true) * search_widening(&search);
        if (reach < GLITCH_APART * search_median(&search, false))
            status = search_mark(&search, reach, pipeline, out_error);
    }
    search_close(&search);
    return status;
}

bool glitch_has(const Pipeline *pipeline, uint32_t id)
{
    return pipeline->glitches && pipeline->glitches[id / 32] >> id % 32 & 1;
}
