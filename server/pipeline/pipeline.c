/* Opening a pipeline: a checkpoint, its tokenizer and its encoder, proved to belong together. */
#include "encoder/head_run.h"
#include "pipeline/pipeline_state.h"

#include <assert.h>
#include <stdlib.h>

enum { PROBE_ARENA_BYTES = 4 << 20 }; /* a prompt of TEXT_BYTES_MAX is no prompt */

static Status pipeline_set_limit(Pipeline *pipeline, uint32_t wanted, Error *out_error);
static Status pipeline_prove_ids(const Pipeline *pipeline, Error *out_error);
static bool pipeline_uses_types(const Pipeline *pipeline);
static Status pipeline_prove_segments(Pipeline *pipeline, Error *out_error);
static Status pipeline_measure_prompts(Pipeline *pipeline, Error *out_error);
static Status pipeline_prove_head(const Pipeline *pipeline, Error *out_error);

Status pipeline_open(const PipelineOptions *options, Pipeline **out_pipeline, Error *out_error)
{
    Pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline) return error_set(out_error, STATUS_NO_MEMORY, "pipeline: out of memory");
    Status status = checkpoint_open(options->directory, &pipeline->checkpoint, out_error);
    if (status) goto fail;
    status = pipeline_set_limit(pipeline, options->token_count_max, out_error);
    if (status) goto fail;
    status = tokenizer_open(checkpoint_model_directory(pipeline->checkpoint), &pipeline->tokenizer, out_error);
    if (status) goto fail;
    status = pipeline_prove_ids(pipeline, out_error);
    if (status) goto fail;
    pipeline->uses_types = pipeline_uses_types(pipeline);
    status = pipeline_prove_segments(pipeline, out_error);
    if (status) goto fail;
    status = pipeline_measure_prompts(pipeline, out_error);
    if (status) goto fail;
    status = encoder_open(pipeline->checkpoint, options->kernels, &pipeline->encoder, out_error);
    if (status) goto fail;
    if (options->attention_window > 0)
        status = encoder_limit_window(pipeline->encoder, options->attention_window, out_error);
    if (status) goto fail;
    status = pipeline_prove_head(pipeline, out_error);
    if (status) goto fail;
    status = glitch_find(pipeline, out_error);
    if (status) goto fail;
    status = fragments_calibrate(pipeline, &pipeline->fragments, out_error);
    if (status) goto fail;
    *out_pipeline = pipeline;
    return STATUS_OK;
fail:
    pipeline_close(pipeline);
    return status;
}

void pipeline_close(Pipeline *pipeline)
{
    if (!pipeline) return;
    encoder_close(pipeline->encoder);
    tokenizer_close(pipeline->tokenizer);
    free(pipeline->prompt_token_counts);
    free(pipeline->glitches);
    checkpoint_close(pipeline->checkpoint);
    free(pipeline);
}

const Tokenizer *pipeline_tokenizer(const Pipeline *pipeline)
{
    return pipeline->tokenizer;
}

const Encoder *pipeline_encoder(const Pipeline *pipeline)
{
    return pipeline->encoder;
}

const Checkpoint *pipeline_checkpoint(const Pipeline *pipeline)
{
    return pipeline->checkpoint;
}

uint32_t pipeline_token_count_max(const Pipeline *pipeline)
{
    return pipeline->token_count_max;
}

uint32_t pipeline_vector_size(const Pipeline *pipeline)
{
    return checkpoint_sentence_config(pipeline->checkpoint)->vector_size;
}

bool pipeline_is_sparse(const Pipeline *pipeline)
{
    return checkpoint_sentence_config(pipeline->checkpoint)->sparse;
}

uint32_t pipeline_row_size(const Pipeline *pipeline)
{
    return checkpoint_config(pipeline->checkpoint)->hidden_size;
}

uint32_t pipeline_glitch_count(const Pipeline *pipeline)
{
    return pipeline->glitch_count;
}

/* sentence-transformers stops at max_seq_length, which may be below the model's positions: all-MiniLM-L6-v2 says
 * 256 of 512. The default equals it; the user may pass it up to the positions. */
static Status pipeline_set_limit(Pipeline *pipeline, uint32_t wanted, Error *out_error)
{
    uint32_t position_count = checkpoint_config(pipeline->checkpoint)->position_count;
    uint32_t limit = checkpoint_sentence_config(pipeline->checkpoint)->token_count_max;
    if (wanted > position_count) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "%u input tokens asked for, the model has %u positions", wanted, position_count);
    }
    if (wanted) limit = wanted;
    pipeline->token_count_max = limit == 0 || limit > position_count ? position_count : limit;
    return STATUS_OK;
}

static Status pipeline_prove_head(const Pipeline *pipeline, Error *out_error)
{
    if (!pipeline_is_sparse(pipeline) || encoder_head(pipeline->encoder) == HEAD_FILL) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT,
                     "%s: modules.json has a SpladePooling, but the checkpoint has no head that fills masks",
                     checkpoint_directory(pipeline->checkpoint));
}

/* encoder_forward reads the embedding tables unchecked: every id that the tokenizer can give must have a row. */
static Status pipeline_prove_ids(const Pipeline *pipeline, Error *out_error)
{
    uint32_t tokenizer_size = tokenizer_vocabulary_size(pipeline->tokenizer);
    uint32_t model_size = checkpoint_config(pipeline->checkpoint)->vocabulary_size;
    if (tokenizer_size > model_size) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: tokenizer.json has ids up to %u, config.json a vocabulary of %u: they do not belong "
                         "together",
                         checkpoint_directory(pipeline->checkpoint), tokenizer_size - 1, model_size);
    }
    uint32_t added_count = tokenizer_added_count(pipeline->tokenizer, false);
    if (pipeline->token_count_max <= added_count) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "a limit of %u input tokens leaves no room: the template alone takes %u",
                         pipeline->token_count_max, added_count);
    }
    return STATUS_OK;
}

static uint32_t encoding_type_count(const Encoding *encoding)
{
    uint32_t type_count = 0;
    for (uint32_t i = 0; i < encoding->count; i++) {
        if (encoding->type_ids[i] >= type_count) type_count = encoding->type_ids[i] + 1u;
    }
    return type_count;
}

/* The class that transformers takes where tokenizer_config.json names none is BertTokenizer or DebertaV2Tokenizer for
 * these, whose model_input_names have token_type_ids. */
static bool pipeline_uses_types(const Pipeline *pipeline)
{
    TokenizerTypes types = tokenizer_types(pipeline->tokenizer);
    if (types != TOKENIZER_TYPES_UNSAID) return types == TOKENIZER_TYPES_USED;
    switch (checkpoint_config(pipeline->checkpoint)->architecture) {
    case ARCHITECTURE_BERT:
    case ARCHITECTURE_JINA_BERT:
    case ARCHITECTURE_ELECTRA:
    case ARCHITECTURE_NOMIC_BERT:
    case ARCHITECTURE_DEBERTA_V2:
        return true;
    default:
        return false;
    }
}

/* Segment ids come from the template alone, so one text and one pair show all of them. A model without types reads
 * none. */
static Status pipeline_prove_segments(Pipeline *pipeline, Error *out_error)
{
    uint32_t type_count = checkpoint_config(pipeline->checkpoint)->type_count;
    if (type_count == 0) type_count = UINT32_MAX;
    Arena arena;
    arena_init(&arena, PROBE_ARENA_BYTES);
    const TextView probe = text_view("a");
    const EncodeOptions options = {0};
    Encoding single = {0};
    Encoding pair = {0};
    Status status = pipeline_encode(pipeline, probe, NULL, &options, &arena, &single, out_error);
    if (!status) status = pipeline_encode(pipeline, probe, &probe, &options, &arena, &pair, out_error);
    if (!status && encoding_type_count(&single) > type_count) {
        status =
            error_set(out_error, STATUS_CORRUPT,
                      "%s: tokenizer.json gives segment %u, config.json has a type_vocab_size of %u",
                      checkpoint_directory(pipeline->checkpoint), encoding_type_count(&single) - 1, type_count);
    }
    pipeline->takes_pairs = !status && encoding_type_count(&pair) <= type_count &&
                            tokenizer_added_count(pipeline->tokenizer, true) < pipeline->token_count_max;
    arena_free(&arena);
    return status;
}

/* As sentence-transformers counts it: the prompt alone with its special tokens, but without the one at its end. */
static Status prompt_measure(const Pipeline *pipeline, TextView prompt, uint32_t *out_count, Error *out_error)
{
    Arena arena;
    arena_init(&arena, PROBE_ARENA_BYTES);
    const EncodeOptions options = {.token_count_max = pipeline->token_count_max};
    Encoding encoding = {0};
    Status status = pipeline_encode(pipeline, prompt, NULL, &options, &arena, &encoding, out_error);
    if (!status) {
        *out_count = encoding.count;
        uint32_t last = encoding.count ? encoding.ids[encoding.count - 1] : 0;
        if (encoding.count && tokenizer_token_special(pipeline->tokenizer, last)) *out_count -= 1;
    }
    arena_free(&arena);
    return status;
}

static Status pipeline_measure_prompts(Pipeline *pipeline, Error *out_error)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    if (sentence->prompt_count == 0) return STATUS_OK;
    pipeline->prompt_token_counts = calloc(sentence->prompt_count, sizeof *pipeline->prompt_token_counts);
    if (!pipeline->prompt_token_counts) return error_set(out_error, STATUS_NO_MEMORY, "prompts: out of memory");
    if (sentence->include_prompt) return STATUS_OK;
    for (uint32_t i = 0; i < sentence->prompt_count; i++) {
        TextView text = sentence->prompts[i].text;
        if (text.size == 0) continue;
        Status status = prompt_measure(pipeline, text, &pipeline->prompt_token_counts[i], out_error);
        if (status) {
            return error_prefix(out_error, "%s: prompt '%.*s'", checkpoint_directory(pipeline->checkpoint),
                                (int)sentence->prompts[i].name.size, sentence->prompts[i].name.bytes);
        }
    }
    return STATUS_OK;
}
