/* The forward pass over a packed batch: sequences lie end to end in one matrix of rows, nothing is padded. */
#pragma once

#include "base/crew.h"
#include "base/status.h"
#include "encoder/probe.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"

typedef struct Encoder Encoder;                   /* weights laid out for the kernels; immutable, any thread */
typedef struct EncoderWorkspace EncoderWorkspace; /* activations of one worker; one thread at a time */

/* Proves and lays out every weight of `checkpoint`, which must outlive the encoder. On success the caller owns
 * *out_encoder (encoder_close). Fails with NOT_FOUND, CORRUPT, UNSUPPORTED, NO_MEMORY. */
CHECKED Status encoder_open(const Checkpoint *checkpoint, const Kernels *kernels, Encoder **out_encoder,
                            Error *out_error);
void encoder_close(Encoder *encoder); /* NULL is a no-op */
/* Window mode, right after encoder_open: each token sees `window` / 2 others to either side, and the global ones, which
 * see all. What it was trained on, the model then sees of short texts alone. Fails with INVALID_ARGUMENT (an odd
 * window), UNSUPPORTED (a model that is not dense, or whose positions are neither rotary nor ALiBi), by name. */
CHECKED Status encoder_limit_window(Encoder *encoder, uint32_t window, Error *out_error);
/* The table that ids are looked up in, [vocabulary][embedding], as the checkpoint stores it. */
const Tensor *encoder_word_embeddings(const Encoder *encoder);
/* What encoder_open allocated. */
uint64_t encoder_bytes(const Encoder *encoder);

/* Room for batches of up to `token_capacity` tokens; all of it is allocated here, none in encoder_forward. */
CHECKED Status encoder_workspace_open(const Encoder *encoder, uint32_t token_capacity,
                                      EncoderWorkspace **out_workspace, Error *out_error);
void encoder_workspace_close(EncoderWorkspace *workspace); /* NULL is a no-op */
/* What encoder_workspace_open allocates, for the memory budget. */
uint64_t encoder_workspace_bytes(const Encoder *encoder, uint32_t token_capacity);

/* The tokens that it has room for. */
uint32_t encoder_workspace_tokens(const EncoderWorkspace *workspace);

/* Room for one unit of another thread's forward pass. */
typedef struct EncoderHelper EncoderHelper;
CHECKED Status encoder_helper_open(const Encoder *encoder, EncoderHelper **out_helper, Error *out_error);
void encoder_helper_close(EncoderHelper *helper); /* NULL is a no-op */
uint64_t encoder_helper_bytes(const Encoder *encoder);
/* Lets the members of a crew help with what runs on `workspace`: member i in helpers[i], which may serve several
 * workspaces, and outlives them as the array does. */
void encoder_workspace_set_helpers(EncoderWorkspace *workspace, EncoderHelper *const *helpers);

/* How often a layer is run: more often than there are layers where some share their weights. */
uint32_t encoder_run_count(const Encoder *encoder);

/* One input of a batch. ids < vocabulary size were proved by the caller, and type_ids < type count where that is more
 * than 1; where it is not, they are not read. */
typedef struct EncoderSequence {
    const uint32_t *ids;
    const uint8_t *type_ids;
    uint32_t token_count; /* 1 .. position count */
    /* Tokens that see all others and are seen by all, ascending, at most GLOBAL_TOKEN_COUNT_MAX; none unless
     * encoder_takes_globals. */
    const uint32_t *global_positions;
    uint32_t global_count;
    const float *words;  /* [token_count][embedding] in place of the table's rows of ids; NULL: those */
    EncoderProbe *probe; /* looks on; NULL: nobody does */
} EncoderSequence;

/* What computes its products. */
const Kernels *encoder_kernels(const Encoder *encoder);
/* Floats of a row of hidden states, and of word embeddings. */
uint32_t encoder_hidden_size(const Encoder *encoder);
uint32_t encoder_word_size(const Encoder *encoder);
/* Layers as they are run: some architectures run a layer several times. */
uint32_t encoder_run_count(const Encoder *encoder);
/* Who sees whom in one of them; the encoder's. */
const AttentionPlan *encoder_run_plan(const Encoder *encoder, uint32_t run);
/* The numbers of units that a probe meets are less than this. */
uint32_t encoder_probe_units(const Encoder *encoder, uint32_t token_count, uint32_t global_count);
/* out[count][H] = contexts[count][Q] * the projection behind the run's attention, without its bias. */
void encoder_multiply_output(const Encoder *encoder, uint32_t run, const float *contexts, uint32_t count,
                             float *out);
/* Longformer: the values [count][Q] that global tokens see of hidden rows. */
void encoder_global_values(const Encoder *encoder, uint32_t run, const float *hidden, uint32_t count,
                           float *out_values);
/* Which keys a query sees. */
AttentionPattern encoder_attention(const Encoder *encoder);
/* Whether tokens may be global. */
bool encoder_takes_globals(const Encoder *encoder);

/* Runs the model over `count` sequences whose tokens together fit the workspace; `crew` shares the work, NULL: the
 * caller does all of it. Returns the last hidden state, one row of hidden_size floats a token, in the order of the
 * sequences; it lives in the workspace until its next use. A sequence's rows are the same bits whatever its neighbours
 * and the crew. Cannot fail. */
const float *encoder_forward(const Encoder *encoder, EncoderWorkspace *workspace, const Crew *crew,
                             const EncoderSequence *sequences, uint32_t count);

/* One run of a layer alone, over `input`, the rows that a probe has seen it read; its sequences' probes see it again.
 * Returns what it leaves, as encoder_forward. */
const float *encoder_run_again(const Encoder *encoder, EncoderWorkspace *workspace, const Crew *crew, uint32_t run,
                               const EncoderSequence *sequences, uint32_t count, const float *input);

/* Floating-point operations of one sequence alone, `global_count` of its tokens global: products and attention. The
 * scheduler's measure of work. */
uint64_t encoder_work(const Encoder *encoder, uint32_t token_count, uint32_t global_count);
