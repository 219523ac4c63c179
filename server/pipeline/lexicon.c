/* Rows of several items go through the vocabulary together, because its weights are packed anew for every pass. A
 * column's logits are used while they are there: no row of the vocabulary's size is kept. */
#include "pipeline/lexicon.h"

#include "encoder/head_run.h"
#include "encoder/pooling.h"

#include <math.h>
#include <stdlib.h>

enum { CACHE_LINE_BYTES = 64 };

/* What becomes of one gathered row. */
typedef struct LexiconRow {
    PipelineItem *item;
    FillScore *fills; /* FILL: [item->fill_count], a heap whose first is the least, its scores logits */
    uint32_t fill_count;
    bool last;      /* EMBED: the item's last row */
    double maximum; /* of the logits so far */
    double sum;     /* of exp(logit - maximum) */
} LexiconRow;

struct LexiconRun {
    const Pipeline *pipeline;
    float *scratch; /* head_run_scratch_size */
    float *rows;    /* [HEAD_ROWS_MAX][hidden] */
    LexiconRow targets[HEAD_ROWS_MAX];
    uint32_t count;
};

static size_t rows_bytes(const Pipeline *pipeline)
{
    size_t bytes = (size_t)HEAD_ROWS_MAX * pipeline_row_size(pipeline) * sizeof(float);
    return (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
}

uint64_t lexicon_bytes(const Pipeline *pipeline)
{
    if (encoder_head(pipeline->encoder) != HEAD_FILL) return 0;
    return sizeof(LexiconRun) + rows_bytes(pipeline);
}

Status lexicon_open(const Pipeline *pipeline, float *scratch, LexiconRun **out_run, Error *out_error)
{
    *out_run = NULL;
    if (encoder_head(pipeline->encoder) != HEAD_FILL) return STATUS_OK;
    LexiconRun *run = calloc(1, sizeof *run);
    if (run) run->rows = aligned_alloc(CACHE_LINE_BYTES, rows_bytes(pipeline));
    if (!run || !run->rows) {
        lexicon_close(run);
        return error_set(out_error, STATUS_NO_MEMORY, "workspace: out of memory");
    }
    run->pipeline = pipeline;
    run->scratch = scratch;
    *out_run = run;
    return STATUS_OK;
}

void lexicon_close(LexiconRun *run)
{
    if (!run) return;
    free(run->rows);
    free(run);
}

static bool fill_before(const FillScore *a, const FillScore *b)
{
    return a->score != b->score ? a->score > b->score : a->token_id < b->token_id;
}

static void heap_sink(FillScore *fills, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (fill_before(&fills[least], &fills[child])) least = child;
        }
        if (least == at) return;
        FillScore fill = fills[at];
        fills[at] = fills[least];
        fills[least] = fill;
        at = least;
    }
}

/* log(1 + max(logit, 0)), or the log of 1 and that. */
static float sparse_weight(float logit, bool twice)
{
    float weight = logit > 0 ? log1pf(logit) : 0;
    return twice ? log1pf(weight) : weight;
}

static void row_offer(LexiconRow *row, FillScore fill)
{
    uint32_t capacity = row->item->fill_count;
    if (row->fill_count == capacity) {
        if (!fill_before(&fill, &row->fills[0])) return;
        row->fills[0] = fill;
        heap_sink(row->fills, capacity, 0);
        return;
    }
    row->fills[row->fill_count++] = fill;
    if (row->fill_count < capacity) return;
    for (uint32_t i = capacity / 2; i-- > 0;) heap_sink(row->fills, capacity, i);
}

/* A token's part in a sparse vector. The logarithms of a maximum are taken at the end: they keep the order. */
static void row_add(const LexiconRun *run, const LexiconRow *row, uint32_t first, uint32_t count,
                    const float *logits)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(run->pipeline->checkpoint);
    float *vector = row->item->output + first;
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(logits[i])) row->item->status = STATUS_INTERNAL;
        if (sentence->sparse_sums) {
            vector[i] += sparse_weight(logits[i], sentence->sparse_logs_twice);
        } else if (logits[i] > vector[i]) {
            vector[i] = logits[i];
        }
    }
}

/* A logit that is not a number ends up in the sum, where row_finish finds it. */
static void row_visit(LexiconRow *row, uint32_t first, uint32_t count, const float *logits)
{
    double maximum = row->maximum;
    for (uint32_t i = 0; i < count; i++) maximum = fmax(maximum, (double)logits[i]);
    row->sum *= exp(row->maximum - maximum);
    row->maximum = maximum;
    for (uint32_t i = 0; i < count; i++) {
        row->sum += exp((double)logits[i] - maximum);
        row_offer(row, (FillScore){.token_id = first + i, .score = logits[i]});
    }
}

static void lexicon_visit(void *context, uint32_t first, uint32_t count, const float *logits)
{
    LexiconRun *run = context;
    for (uint32_t i = 0; i < run->count; i++) {
        LexiconRow *row = &run->targets[i];
        const float *own = logits + (size_t)i * HEAD_COLUMNS_MAX;
        if (row->fills) {
            row_visit(row, first, count, own);
        } else {
            row_add(run, row, first, count, own);
        }
    }
}

static int fill_compare(const void *a, const void *b)
{
    return fill_before(a, b) ? -1 : fill_before(b, a);
}

static void row_finish(LexiconRow *row)
{
    if (!isfinite(row->sum)) { /* and what is not a number has no place in an order */
        row->item->status = STATUS_INTERNAL;
        return;
    }
    qsort(row->fills, row->fill_count, sizeof *row->fills, fill_compare);
    for (uint32_t i = 0; i < row->fill_count; i++) {
        row->fills[i].score = (float)(exp((double)row->fills[i].score - row->maximum) / row->sum);
    }
}

/* The item's vector is complete. */
static void sparse_finish(const LexiconRun *run, PipelineItem *item)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(run->pipeline->checkpoint);
    uint32_t size = pipeline_vector_size(run->pipeline);
    for (uint32_t i = 0; !sentence->sparse_sums && i < size; i++) {
        item->output[i] = sparse_weight(item->output[i], sentence->sparse_logs_twice);
    }
    if (embed_normalizes(run->pipeline, item->embed)) pooling_normalize(item->output, size);
}

void lexicon_finish(LexiconRun *run)
{
    if (run->count == 0) return;
    head_run_vocabulary(run->pipeline->encoder, run->scratch, run->rows, run->count, lexicon_visit, run);
    for (uint32_t i = 0; i < run->count; i++) {
        LexiconRow *row = &run->targets[i];
        if (row->fills) row_finish(row);
        if (row->last) sparse_finish(run, row->item);
    }
    run->count = 0;
}

static void lexicon_add_row(LexiconRun *run, const float *row, LexiconRow target)
{
    size_t size = pipeline_row_size(run->pipeline);
    if (run->count == HEAD_ROWS_MAX) lexicon_finish(run);
    memcpy(run->rows + run->count * size, row, size * sizeof *row);
    run->targets[run->count++] = target;
}

void lexicon_add(LexiconRun *run, const float *rows, PipelineItem *item)
{
    const Encoding *encoding = &item->prepared->encoding;
    size_t size = pipeline_row_size(run->pipeline);
    FillScore *fills = item->fills;
    if (item->task == TASK_EMBED) memset(item->output, 0, pipeline_vector_size(run->pipeline) * sizeof(float));
    for (uint32_t i = 0; i < encoding->count; i++) {
        if (item->task == TASK_EMBED) {
            lexicon_add_row(run, rows + i * size, (LexiconRow){.item = item, .last = i + 1 == encoding->count});
        } else if (task_is_mask(run->pipeline, encoding, i)) {
            lexicon_add_row(run, rows + i * size,
                            (LexiconRow){.item = item, .fills = fills, .maximum = -INFINITY});
            fills += item->fill_count;
        }
    }
}
