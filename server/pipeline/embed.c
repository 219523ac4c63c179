/* A text's vector out of its rows. */
#include "encoder/pooling.h"
#include "encoder/vector_steps.h"
#include "pipeline/lexicon.h"

Status pipeline_check_embed(const Pipeline *pipeline, const EmbedOptions *options, Error *out_error)
{
    uint32_t size = pipeline_vector_size(pipeline);
    if (checkpoint_sentence_config(pipeline->checkpoint)->sparse && options->dimensions) {
        return error_set(
            out_error, STATUS_INVALID_ARGUMENT,
            "the model's vectors are sparse, over its vocabulary: they cannot be cut to %u dimensions",
            options->dimensions);
    }
    if (options->dimensions <= size) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%u dimensions asked for, the model's vectors have %u",
                     options->dimensions, size);
}

bool embed_normalizes(const Pipeline *pipeline, const EmbedOptions *options)
{
    if (options->normalize != NORMALIZE_AS_CHECKPOINT) return options->normalize == NORMALIZE_YES;
    return checkpoint_sentence_config(pipeline->checkpoint)->normalize;
}

/* Token rows, where they are asked for. */
static void embed_put_tokens(const Pipeline *pipeline, const float *rows, PipelineItem *item)
{
    size_t count = (size_t)item->prepared->encoding.count * pipeline_row_size(pipeline);
    memcpy(item->tokens, rows, count * sizeof *rows);
    if (!run_values_finite(rows, count)) item->status = STATUS_INTERNAL;
}

void embed_finish(const Pipeline *pipeline, LexiconRun *lexicon, float *scratch, const float *rows,
                  PipelineItem *item)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    const EmbedOptions *options = item->embed;
    if (options->return_tokens) embed_put_tokens(pipeline, rows, item);
    if (sentence->sparse) {
        lexicon_add(lexicon, rows, item);
        return;
    }
    uint32_t row_size = pipeline_row_size(pipeline);
    uint32_t dimensions = options->dimensions ? options->dimensions : pipeline_vector_size(pipeline);
    float *vector = scratch;
    for (uint32_t i = 0; i < sentence->pooling_count; i++) {
        pooling_apply(sentence->poolings[i], rows, item->prepared->encoding.count,
                      item->prepared->prompt_token_count, row_size, vector + (size_t)i * row_size);
    }
    vector_steps_apply(pipeline->encoder, vector, scratch + vector_steps_width(pipeline->encoder));
    if (embed_normalizes(pipeline, options)) pooling_normalize(vector, dimensions);
    memcpy(item->output, vector, dimensions * sizeof *vector);
    if (!run_values_finite(vector, dimensions)) item->status = STATUS_INTERNAL;
}
