/* A text's vector out of its rows. */
#include "encoder/pooling.h"
#include "pipeline/pipeline_state.h"

Status pipeline_check_embed(const Pipeline *pipeline, const EmbedOptions *options, Error *out_error)
{
    uint32_t size = pipeline_vector_size(pipeline);
    if (options->dimensions <= size) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u dimensions asked for, the model's vectors have %u",
                     options->dimensions, size);
}

void embed_finish(const Pipeline *pipeline, float *pooled, const float *rows, PipelineItem *item)
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
    bool finite = run_values_finite(pooled, dimensions);
    if (options->return_tokens) {
        memcpy(item->tokens, rows, (size_t)row_count * size * sizeof *rows);
        finite = finite && run_values_finite(rows, (size_t)row_count * size);
    }
    if (!finite) item->status = STATUS_INTERNAL;
}
