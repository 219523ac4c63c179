/* A batch through the encoder, and each item's results out of its rows. */
#include "pipeline/lexicon.h"

#include "encoder/head_run.h"
#include "encoder/vector_steps.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { CACHE_LINE_BYTES = 64 };

struct PipelineWorkspace {
    EncoderWorkspace *encoder;
    EncoderSequence *sequences; /* [item_capacity] */
    float *pooled;              /* [2][width of the vector's steps] */
    float *head;                /* the head's scratch; NULL: there is no head */
    LexiconRun *lexicon;        /* NULL: the head fills no masks */
    uint32_t token_capacity;
    uint32_t item_capacity;
};

static size_t head_scratch_bytes(const Pipeline *pipeline)
{
    size_t bytes = (size_t)head_run_scratch_size(pipeline->encoder) * sizeof(float);
    return (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
}

static CHECKED Status workspace_allocate(const Pipeline *pipeline, PipelineWorkspace *workspace, Error *out_error)
{
    size_t head_bytes = head_scratch_bytes(pipeline);
    size_t width = vector_steps_width(pipeline->encoder);
    workspace->sequences = calloc(workspace->item_capacity, sizeof *workspace->sequences);
    if (width) workspace->pooled = calloc(2 * width, sizeof *workspace->pooled);
    if (head_bytes) workspace->head = aligned_alloc(CACHE_LINE_BYTES, head_bytes);
    if (!workspace->sequences || (width && !workspace->pooled) || (head_bytes && !workspace->head)) {
        return error_set(out_error, STATUS_NO_MEMORY, "workspace: out of memory");
    }
    Status status = lexicon_open(pipeline, workspace->head, &workspace->lexicon, out_error);
    if (status) return status;
    return encoder_workspace_open(pipeline->encoder, workspace->token_capacity, &workspace->encoder, out_error);
}

Status pipeline_workspace_open(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity,
                               PipelineWorkspace **out_workspace, Error *out_error)
{
    PipelineWorkspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) return error_set(out_error, STATUS_NO_MEMORY, "workspace: out of memory");
    workspace->token_capacity = token_capacity;
    workspace->item_capacity = item_capacity;
    Status status = workspace_allocate(pipeline, workspace, out_error);
    if (status) {
        pipeline_workspace_close(workspace);
        return status;
    }
    *out_workspace = workspace;
    return STATUS_OK;
}

uint32_t pipeline_workspace_items(const PipelineWorkspace *workspace)
{
    return workspace->item_capacity;
}

void pipeline_workspace_set_helpers(PipelineWorkspace *workspace, EncoderHelper *const *helpers)
{
    encoder_workspace_set_helpers(workspace->encoder, helpers);
}

void pipeline_workspace_close(PipelineWorkspace *workspace)
{
    if (!workspace) return;
    encoder_workspace_close(workspace->encoder);
    lexicon_close(workspace->lexicon);
    free(workspace->sequences);
    free(workspace->pooled);
    free(workspace->head);
    free(workspace);
}

uint64_t pipeline_workspace_bytes(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity)
{
    return encoder_workspace_bytes(pipeline->encoder, token_capacity) + sizeof(PipelineWorkspace) +
           item_capacity * (uint64_t)sizeof(EncoderSequence) +
           vector_steps_width(pipeline->encoder) * (uint64_t)(2 * sizeof(float)) + head_scratch_bytes(pipeline) +
           lexicon_bytes(pipeline);
}

EncoderWorkspace *run_encoder_workspace(PipelineWorkspace *workspace)
{
    return workspace->encoder;
}

bool run_values_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return false;
    }
    return true;
}

/* `rows` [token count][row size] are the item's; a FILL's are only gathered here. */
static void item_finish(const Pipeline *pipeline, PipelineWorkspace *workspace, const float *rows,
                        PipelineItem *item)
{
    item->status = STATUS_OK;
    switch (item->task) {
    case TASK_EMBED:
        embed_finish(pipeline, workspace->lexicon, workspace->pooled, rows, item);
        return;
    case TASK_FILL:
        lexicon_add(workspace->lexicon, rows, item);
        return;
    default:
        head_run(pipeline->encoder, workspace->head, rows, item->prepared->encoding.count, item->output);
        if (!run_values_finite(item->output, pipeline_output_size(pipeline, item->task, item->prepared, 0))) {
            item->status = STATUS_INTERNAL;
        }
        return;
    }
}

void pipeline_run(const Pipeline *pipeline, PipelineWorkspace *workspace, const Crew *crew,
                  PipelineItem *const *items, uint32_t count)
{
    assert(count >= 1 && count <= workspace->item_capacity);
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const Encoding *encoding = &items[i]->prepared->encoding;
        assert(items[i]->prepared->prompt_token_count < encoding->count);
        assert(pipeline_has_task(pipeline, items[i]->task));
        workspace->sequences[i] = (EncoderSequence){
            .ids = encoding->ids,
            .type_ids = encoding->type_ids,
            .token_count = encoding->count,
            .global_positions = items[i]->prepared->global_positions,
            .global_count = items[i]->prepared->global_count,
            .probe = items[i]->probe,
        };
        token_count += encoding->count;
    }
    assert(token_count <= workspace->token_capacity);
    const float *rows = encoder_forward(pipeline->encoder, workspace->encoder, crew, workspace->sequences, count);
    for (uint32_t i = 0; i < count; i++) {
        item_finish(pipeline, workspace, rows, items[i]);
        rows += (size_t)items[i]->prepared->encoding.count * pipeline_row_size(pipeline);
    }
    if (workspace->lexicon) lexicon_finish(workspace->lexicon);
}
