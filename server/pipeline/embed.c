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

/* Pooling the first or the last row of a chunk would give one token's vector. */
static bool pools_all_rows(const SentenceConfig *sentence)
{
    for (uint32_t i = 0; i < sentence->pooling_count; i++) {
        if (sentence->poolings[i] == POOLING_CLS || sentence->poolings[i] == POOLING_LAST) return false;
    }
    return true;
}

Status pipeline_check_chunk_vectors(const Pipeline *pipeline, const PrepareOptions *options, Error *out_error)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    if (!options->late_chunks) return STATUS_OK;
    if (sentence->sparse) {
        return error_set(out_error, STATUS_FAILED_PRECONDITION,
                         "the model's vectors are sparse, over its vocabulary: they are not returned for chunks");
    }
    uint32_t size = options->chunking.token_count;
    bool late = options->length_policy != LENGTH_CHUNK && size && size < pipeline->token_count_max;
    if (!late || pools_all_rows(sentence)) return STATUS_OK;
    return error_set(out_error, STATUS_FAILED_PRECONDITION,
                     "the model's vector is that of one token: a text within its limit has no vectors of chunks "
                     "unless options.length_policy is CHUNK, which reads each chunk by itself");
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

/* The vector of the rows [begin, end). */
static void embed_pool(const Pipeline *pipeline, const EmbedOptions *options, float *scratch, const float *rows,
                       TokenRange range, float *out_vector)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    uint32_t row_size = pipeline_row_size(pipeline);
    uint32_t dimensions = options->dimensions ? options->dimensions : pipeline_vector_size(pipeline);
    float *vector = scratch;
    for (uint32_t i = 0; i < sentence->pooling_count; i++) {
        pooling_apply(sentence->poolings[i], rows, range.end, range.begin, row_size,
                      vector + (size_t)i * row_size);
    }
    vector_steps_apply(pipeline->encoder, vector, scratch + vector_steps_width(pipeline->encoder));
    if (embed_normalizes(pipeline, options)) pooling_normalize(vector, dimensions);
    memcpy(out_vector, vector, dimensions * sizeof *vector);
}

/* Late chunks (Guenther et al. 2024): what stands around the text belongs to the first and the last of them, as in
 * their code, so that one chunk is the whole. */
static TokenRange late_range(const Prepared *prepared, uint32_t index)
{
    const ChunkPlan *plan = &prepared->chunks;
    TokenRange range = plan->items[index].tokens;
    if (index == 0) range.begin = 0;
    if (index + 1 == plan->count) range.end = prepared->encoding.count;
    if (range.begin < prepared->prompt_token_count) range.begin = prepared->prompt_token_count;
    if (range.begin >= range.end) range.begin = range.end - 1;
    return range;
}

void embed_finish(const Pipeline *pipeline, LexiconRun *lexicon, float *scratch, const float *rows,
                  PipelineItem *item)
{
    const EmbedOptions *options = item->embed;
    const Prepared *prepared = item->prepared;
    if (options->return_tokens) embed_put_tokens(pipeline, rows, item);
    if (checkpoint_sentence_config(pipeline->checkpoint)->sparse) {
        lexicon_add(lexicon, rows, item);
        return;
    }
    uint32_t dimensions = options->dimensions ? options->dimensions : pipeline_vector_size(pipeline);
    TokenRange whole = {prepared->prompt_token_count, prepared->encoding.count};
    embed_pool(pipeline, options, scratch, rows, whole, item->output);
    if (!run_values_finite(item->output, dimensions)) item->status = STATUS_INTERNAL;
    for (uint32_t i = 0; item->chunks && i < prepared->chunks.count; i++) {
        float *vector = item->chunks + (size_t)i * dimensions;
        embed_pool(pipeline, options, scratch, rows, late_range(prepared, i), vector);
        if (!run_values_finite(vector, dimensions)) item->status = STATUS_INTERNAL;
    }
}
