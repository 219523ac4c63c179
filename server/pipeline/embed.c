/* A batch through the encoder, and each item's vector out of its rows. */
#include "encoder/pooling.h"
#include "pipeline/pipeline_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct PipelineWorkspace {
    EncoderWorkspace *encoder;
    EncoderSequence *sequences; /* [item_capacity] */
    float *pooled;              /* [vector size]: before it is cut to the dimensions asked for */
    uint32_t token_capacity;
    uint32_t item_capacity;
};

static void item_finish(const Pipeline *pipeline, float *pooled, const float *rows, PipelineItem *item);

Status pipeline_check_embed(const Pipeline *pipeline, const EmbedOptions *options, Error *out_error)
{
    uint32_t size = pipeline_vector_size(pipeline);
    if (options->dimensions <= size) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u dimensions asked for, the model's vectors have %u",
                     options->dimensions, size);
}

Status pipeline_workspace_open(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity,
                               PipelineWorkspace **out_workspace, Error *out_error)
{
    PipelineWorkspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) return error_set(out_error, STATUS_NO_MEMORY, "workspace: out of memory");
    workspace->token_capacity = token_capacity;
    workspace->item_capacity = item_capacity;
    workspace->sequences = calloc(item_capacity, sizeof *workspace->sequences);
    workspace->pooled = calloc(pipeline_vector_size(pipeline), sizeof *workspace->pooled);
    Status status = STATUS_OK;
    if (!workspace->sequences || !workspace->pooled) {
        status = error_set(out_error, STATUS_NO_MEMORY, "workspace: out of memory");
    } else {
        status = encoder_workspace_open(pipeline->encoder, token_capacity, &workspace->encoder, out_error);
    }
    if (status) {
        pipeline_workspace_close(workspace);
        return status;
    }
    *out_workspace = workspace;
    return STATUS_OK;
}

void pipeline_workspace_close(PipelineWorkspace *workspace)
{
    if (!workspace) return;
    encoder_workspace_close(workspace->encoder);
    free(workspace->sequences);
    free(workspace->pooled);
    free(workspace);
}

uint64_t pipeline_workspace_bytes(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity)
{
    return encoder_workspace_bytes(pipeline->encoder, token_capacity) + sizeof(PipelineWorkspace) +
           item_capacity * (uint64_t)sizeof(EncoderSequence) +
           pipeline_vector_size(pipeline) * (uint64_t)sizeof(float);
}

void pipeline_run(const Pipeline *pipeline, PipelineWorkspace *workspace, PipelineItem *const *items,
                  uint32_t count)
{
    assert(count >= 1 && count <= workspace->item_capacity);
    uint32_t token_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const Encoding *encoding = &items[i]->prepared->encoding;
        assert(items[i]->prepared->prompt_token_count < encoding->count);
        workspace->sequences[i] = (EncoderSequence){encoding->ids, encoding->type_ids, encoding->count};
        token_count += encoding->count;
    }
    assert(token_count <= workspace->token_capacity);
    const float *rows = encoder_forward(pipeline->encoder, workspace->encoder, workspace->sequences, count);
    uint32_t size = pipeline_vector_size(pipeline);
    for (uint32_t i = 0; i < count; i++) {
        item_finish(pipeline, workspace->pooled, rows, items[i]);
        rows += (size_t)items[i]->prepared->encoding.count * size;
    }
}

static bool values_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return false;
    }
    return true;
}

/* `rows` [token count][vector size] are the item's. A value that is not finite is an error, never a vector. */
static void item_finish(const Pipeline *pipeline, float *pooled, const float *rows, PipelineItem *item)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    const EmbedOptions *options = item->embed;
    uint32_t size = pipeline_vector_size(pipeline);
    uint32_t row_count = item->prepared->encoding.count;
    uint32_t dimensions = options->dimensions ? options->dimensions : size;
    pooling_apply(sentence->pooling, rows, row_count, item->prepared->prompt_token_count, size, pooled);
    bool normalize = options->normalize == NORMALIZE_YES ||
                     (options->normalize == NORMALIZE_AS_CHECKPOINT && sentence->normalize);
    if (normalize) pooling_normalize(pooled, dimensions);
    memcpy(item->output, pooled, dimensions * sizeof *pooled);
    bool finite = values_finite(pooled, dimensions);
    if (options->return_tokens) {
        memcpy(item->tokens, rows, (size_t)row_count * size * sizeof *rows);
        finite = finite && values_finite(rows, (size_t)row_count * size);
    }
    item->status = finite ? STATUS_OK : STATUS_INTERNAL;
}
