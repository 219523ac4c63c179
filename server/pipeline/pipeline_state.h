/* What an open pipeline holds; for the files of pipeline/ only. */
#pragma once

#include "pipeline/fragments.h"
#include "pipeline/pipeline.h"

struct Pipeline {
    Checkpoint *checkpoint;
    Tokenizer *tokenizer;
    Encoder *encoder;
    uint32_t token_count_max;
    bool uses_types;               /* transformers gives the model the template's segment ids */
    bool takes_pairs;              /* the template's segment ids of a pair are within the model's type_count */
    uint32_t *prompt_token_counts; /* [prompt_count of the checkpoint]: leading tokens that pooling leaves out */
    uint32_t *glitches;            /* [vocabulary / 32 + 1] bits; NULL: none are known */
    uint32_t glitch_count;
    FragmentRates fragments;
};

/* Looks for tokens that training never met. Reads all word embeddings, without keeping them resident. Fails with
 * NO_MEMORY. */
CHECKED Status glitch_find(Pipeline *pipeline, Error *out_error);
bool glitch_has(const Pipeline *pipeline, uint32_t id);

typedef struct LexiconRun LexiconRun; /* rows gathered for the vocabulary; one worker's */

/* Floating-point operations of an input prepared for `task`. */
uint64_t task_work(const Pipeline *pipeline, Task task, const Prepared *prepared);
/* Sets which tokens of `prepared` are global: options->global_positions as far as they are within it, else what the
 * task has. Fails with INVALID_ARGUMENT (a question of too many tokens), RESOURCE_EXHAUSTED (the arena). */
CHECKED Status globals_find(const Pipeline *pipeline, const PrepareOptions *options, Arena *arena,
                            Prepared *prepared, Error *out_error);
/* Fails with INVALID_ARGUMENT where options->global_positions leave a text of `token_count` tokens. */
CHECKED Status globals_check(const PrepareOptions *options, uint32_t token_count, Error *out_error);
/* Whether `token` is a mask that FILL fills. */
bool task_is_mask(const Pipeline *pipeline, const Encoding *encoding, uint32_t token);
/* `text`, valid UTF-8, in lower case; places[i], i <= text.size, is where the character of its byte i begins there.
 * Takes 6 bytes of the arena for each of the text's; false when it is out. */
bool encode_lowercase(TextView text, Arena *arena, TextView *out_lowered, uint32_t **out_places);
/* Whether a text of `encoding` is cut or its rows are pooled by chunks, and how; `text` and `pair` are what its offsets
 * are of. Leaves *out_plan alone where neither is so. Fails as pipeline_prepare. */
CHECKED Status chunks_plan(const Pipeline *pipeline, const PrepareOptions *options, const Encoding *encoding,
                           TextView text, const TextView *pair, uint32_t prompt_bytes, Arena *arena,
                           ChunkPlan *out_plan, Error *out_error);
/* FILL: leaves out the chunks that have no mask of their own. */
void chunks_keep_masks(const Pipeline *pipeline, const Encoding *encoding, ChunkPlan *plan);
/* INVALID_ARGUMENT: there is nothing but a prompt. */
CHECKED Status chunks_fail_empty(Error *out_error);
/* The first run of tokens of the text (0) or of its pair (1). */
TokenRange chunks_find_segment(const Encoding *encoding, uint8_t segment);
/* `tokens` of the cut ones of `whole`, with all that stands around them. False when the arena is out. */
bool chunks_encoding(const Encoding *whole, TokenRange cut, TokenRange tokens, Arena *arena,
                     Encoding *out_encoding);
/* How good a place to cut `text` the byte `at` is; 0: inside a word. */
unsigned borders_rank(TextView text, uint32_t at);
/* A worker's activations, for what runs the encoder by itself. */
EncoderWorkspace *run_encoder_workspace(PipelineWorkspace *workspace);
bool run_values_finite(const float *values, size_t count);
/* What makes the score of a label of its logit: of CLASSIFY or RERANK. */
ScoreFunction scores_function(const Pipeline *pipeline, Task task);
float scores_value(const Pipeline *pipeline, Task task, const float *logits, uint32_t label);
/* Whether what is asked for and the checkpoint together mean a vector of length 1. */
bool embed_normalizes(const Pipeline *pipeline, const EmbedOptions *options);
/* Fills the item's vector, or hands it to `lexicon`, and, where asked for, token rows. `scratch` has twice
 * vector_steps_width floats. */
void embed_finish(const Pipeline *pipeline, LexiconRun *lexicon, float *scratch, const float *rows,
                  PipelineItem *item);
