/* One served model: texts in, results out. No threads, no sockets, no clock.
 * A text is prepared (tokenized, its cost known) on any thread; a batch of prepared texts is run by one worker. */
#pragma once

#include "base/arena.h"
#include "encoder/encoder.h"
#include "pipeline/chunks.h"
#include "pipeline/task.h"
#include "sanitizer/offset_map.h"
#include "tokenizer/tokenizer.h"

/* A Pipeline is immutable once open: any thread. */

typedef struct PipelineOptions {
    const char *directory;
    uint32_t token_count_max;  /* 0: what the checkpoint says; larger up to the model's own position count */
    uint32_t attention_window; /* encoder_limit_window; 0: as the checkpoint says */
    const Kernels *kernels;    /* outlives the pipeline */
} PipelineOptions;

/* On success the caller owns *out_pipeline (pipeline_close); on failure it is untouched. Any thread; blocks on the
 * disk. Fails as checkpoint_open, tokenizer_open, encoder_open; with CORRUPT when the tokenizer and the model do
 * not belong together, and with INVALID_ARGUMENT when token_count_max passes the model's own limit. */
CHECKED Status pipeline_open(const PipelineOptions *options, Pipeline **out_pipeline, Error *out_error);
void pipeline_close(Pipeline *pipeline); /* NULL is a no-op; accepts a half-open pipeline */

const Tokenizer *pipeline_tokenizer(const Pipeline *pipeline);
const Encoder *pipeline_encoder(const Pipeline *pipeline);
const Checkpoint *pipeline_checkpoint(const Pipeline *pipeline);
uint32_t pipeline_token_count_max(const Pipeline *pipeline);
uint32_t pipeline_vector_size(const Pipeline *pipeline);
/* Whether vectors have a place for each token of the vocabulary, most of them 0. */
bool pipeline_is_sparse(const Pipeline *pipeline);
/* Floats of one token's row, which the modules behind the encoder may make another vector size of. */
uint32_t pipeline_row_size(const Pipeline *pipeline);
/* Tokens of the vocabulary that the checkpoint's training never met, as far as its embeddings show it. */
uint32_t pipeline_glitch_count(const Pipeline *pipeline);

/* The tokens of a text alone: no prompt, no policy. As tokenizer_encode, and lower-cased where the checkpoint says
 * so. */
CHECKED Status pipeline_encode(const Pipeline *pipeline, TextView text, const TextView *pair,
                               const EncodeOptions *options, Arena *arena, Encoding *out_encoding,
                               Error *out_error);

/* What becomes of a text beyond the limit. */
typedef enum LengthPolicy {
    LENGTH_REFUSE,
    LENGTH_TRUNCATE_RIGHT,
    LENGTH_TRUNCATE_LEFT,
    LENGTH_AUTO,  /* it is cut into chunks */
    LENGTH_CHUNK, /* likewise; and so is any text that is longer than a chunk */
} LengthPolicy;

struct PrepareOptions {
    Task task; /* FILL: the mask token in the text is the mask */
    LengthPolicy length_policy;
    TextView prompt_name;  /* EMBED. Empty: the checkpoint's default prompt, if it has one */
    ChunkOptions chunking; /* AUTO, CHUNK */
    bool late_chunks;      /* EMBED: of a text in one piece, plan the chunks that its rows are pooled by */
    /* Tokens that see all others and are seen by all, ascending, special tokens counted, in each sequence for a batch;
     * at most GLOBAL_TOKEN_COUNT_MAX. None: those of the task, as transformers has them. */
    const uint32_t *global_positions;
    uint32_t global_count;
};

/* A text ready for a batch; its arrays live in the arena of its request. */
struct Prepared {
    Encoding encoding;
    uint32_t mask_count;         /* FILL: mask tokens among them, at least one */
    uint32_t prompt_token_count; /* leading tokens that pooling leaves out, fewer than encoding.count; usually 0 */
    uint64_t work;               /* floating-point operations; of a text that is cut, 0 */
    ChunkPlan chunks;            /* pipeline_is_cut: it is not for a batch, but its chunks are */
    const uint32_t *global_positions; /* [global_count], within the encoding, ascending */
    uint32_t global_count;
    uint32_t prompt_bytes;   /* in front of the text, counted in the encoding's offsets */
    const OffsetMap *origin; /* from the text to what was sent, by pipeline_set_origin; NULL: the same */
    const OffsetMap *pair_origin;
};

/* Fails with INVALID_ARGUMENT when global tokens are asked for and the model has none. */
CHECKED Status pipeline_check_globals(const Pipeline *pipeline, const PrepareOptions *options, Error *out_error);

/* Fails with INVALID_ARGUMENT when the checkpoint has no prompt of that name (the message lists the ones it has);
 * "query" and "document" are empty where it has none, as in sentence-transformers. */
CHECKED Status pipeline_check_prompt(const Pipeline *pipeline, TextView prompt_name, Error *out_error);

/* Puts the prompt in front, tokenizes and applies the length policy; chunks are planned, not made. Any thread; linear
 * in the text. Fails with INVALID_ARGUMENT (not UTF-8, too long, an unknown prompt, no room for chunks beside what they
 * repeat, more than CHUNK_COUNT_MAX), UNSUPPORTED (a pair, and the model has one segment), RESOURCE_EXHAUSTED (the
 * arena). */
CHECKED Status pipeline_prepare(const Pipeline *pipeline, TextView text, const TextView *pair,
                                const PrepareOptions *options, Arena *arena, Prepared *out_prepared,
                                Error *out_error);

typedef enum Normalize { NORMALIZE_AS_CHECKPOINT, NORMALIZE_YES, NORMALIZE_NO } Normalize;

typedef struct EmbedOptions {
    Normalize normalize;
    uint32_t dimensions; /* Matryoshka: keep the first n, then normalize; 0: all */
    bool return_tokens;  /* token rows as well, whole and as the encoder leaves them */
    bool return_chunks;  /* vectors of chunks as well */
} EmbedOptions;

/* Fails with INVALID_ARGUMENT when `dimensions` passes the vector's size. */
CHECKED Status pipeline_check_embed(const Pipeline *pipeline, const EmbedOptions *options, Error *out_error);

/* One member of a batch, its output buffers owned by the caller. */
typedef struct PipelineItem {
    const Prepared *prepared;  /* prepared for `task` */
    Task task;                 /* one that the checkpoint has */
    const EmbedOptions *embed; /* EMBED */
    uint32_t fill_count;       /* FILL: candidates of each mask, 1 .. the vocabulary's size */
    float *output;             /* pipeline_output_size floats; EMBED: the vector */
    float *tokens;             /* EMBED: [token count][row size]; NULL unless return_tokens */
    float *chunks;             /* EMBED: [chunk count][vector size]; NULL unless late chunks are wanted */
    FillScore *fills;          /* FILL: [mask count][fill_count], each by descending score */
    EncoderProbe *probe;       /* looks on; NULL: nobody does */
    Status status;             /* set by the run: OK, or INTERNAL when a value was not finite */
} PipelineItem;

typedef struct PipelineWorkspace PipelineWorkspace; /* one worker's activations; one thread at a time */

/* Room for batches of up to `item_capacity` items with `token_capacity` tokens together; nothing is allocated in a
 * run. The caller owns *out_workspace (pipeline_workspace_close), which must not outlive the pipeline. Fails with
 * NO_MEMORY. */
CHECKED Status pipeline_workspace_open(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity,
                                       PipelineWorkspace **out_workspace, Error *out_error);
void pipeline_workspace_close(PipelineWorkspace *workspace); /* NULL is a no-op */
/* What pipeline_workspace_open allocates, for the memory budget. */
uint64_t pipeline_workspace_bytes(const Pipeline *pipeline, uint32_t token_capacity, uint32_t item_capacity);

/* How many items it has room for. */
uint32_t pipeline_workspace_items(const PipelineWorkspace *workspace);

/* As encoder_workspace_set_helpers. */
void pipeline_workspace_set_helpers(PipelineWorkspace *workspace, EncoderHelper *const *helpers);

/* Runs `count` >= 1 items of any tasks, which together fit `workspace`. `crew` shares the work; NULL: the caller does
 * all of it. A worker's thread. An item's results are the same bits whatever the other items are, and the crew. */
void pipeline_run(const Pipeline *pipeline, PipelineWorkspace *workspace, const Crew *crew,
                  PipelineItem *const *items, uint32_t count);
