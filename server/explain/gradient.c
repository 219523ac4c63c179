#include "explain/gradient.h"

#include "explain/tape.h"

#include <assert.h>
#include <string.h>

enum {
    BATCH_TOKENS_MAX = 256, /* of more than one copy: what the scheduler's batches have */
    BACK_STEPS = 2,         /* the way back costs as much as two forward passes */
};

struct GradientBatch {
    const Encoder *encoder;
    uint32_t token_count;
    uint32_t copy_count;
    uint32_t count;     /* of those on their way */
    uint32_t runs_left; /* that the gradients have yet to go through */
    uint32_t runs_a_step;
    EncoderSequence sequences[GRADIENT_COPIES_MAX];
    Tape tapes[GRADIENT_COPIES_MAX];
    float *words;     /* [copies][tokens][E] */
    float *rows;      /* [runs][copies][tokens][H]: what the runs read */
    float *gradients; /* [copies][tokens][H] */
    float *scratch;
};

uint32_t gradient_batch_copies(uint32_t token_count, uint32_t wanted)
{
    uint32_t copies = BATCH_TOKENS_MAX / token_count;
    if (copies > GRADIENT_COPIES_MAX) copies = GRADIENT_COPIES_MAX;
    if (copies > wanted) copies = wanted;
    return copies ? copies : 1;
}

/* What both ways need is not needed at once. */
static size_t gradient_scratch_size(const Encoder *encoder, uint32_t row_count, uint32_t token_count)
{
    size_t back = encoder_backward_scratch_size(encoder, row_count, token_count);
    size_t target = encoder_target_scratch_size(encoder);
    return back > target ? back : target;
}

GradientBatch *gradient_batch_take(const Encoder *encoder, const EncoderSequence *sequence, uint32_t copy_count,
                                   ExplainMemory *memory)
{
    assert(copy_count >= 1 && copy_count <= GRADIENT_COPIES_MAX);
    uint32_t row_count = sequence->token_count * copy_count;
    uint64_t hidden = (uint64_t)row_count * encoder_hidden_size(encoder);
    uint64_t words = (uint64_t)row_count * encoder_word_size(encoder);
    uint32_t run_count = encoder_run_count(encoder);
    GradientBatch *batch = explain_take(memory, 1, sizeof *batch);
    GradientBatch made = {
        .encoder = encoder,
        .token_count = sequence->token_count,
        .copy_count = copy_count,
        .runs_a_step = (run_count + BACK_STEPS - 1) / BACK_STEPS,
        .words = explain_take(memory, words, sizeof(float)),
        .rows = explain_take(memory, hidden * run_count, sizeof(float)),
        .gradients = explain_take(memory, hidden, sizeof(float)),
        .scratch =
            explain_take(memory, gradient_scratch_size(encoder, row_count, sequence->token_count), sizeof(float)),
    };
    if (!batch) return NULL;
    *batch = made;
    for (uint32_t i = 0; i < copy_count; i++) {
        batch->sequences[i] = *sequence;
        batch->sequences[i].words = batch->words + i * (words / copy_count);
        batch->sequences[i].probe = &batch->tapes[i].probe;
    }
    return batch;
}

float *gradient_batch_words(GradientBatch *batch)
{
    return batch->words;
}

/* Floats of what one run reads of the copies on their way. */
static size_t gradient_run_size(const GradientBatch *batch)
{
    return (size_t)batch->count * batch->token_count * encoder_hidden_size(batch->encoder);
}

void gradient_batch_forward(GradientBatch *batch, uint32_t count, EncoderWorkspace *workspace, const Crew *crew,
                            const EncoderTarget *target, float *out_values)
{
    assert(count >= 1 && count <= batch->copy_count);
    batch->count = count;
    batch->runs_left = encoder_run_count(batch->encoder);
    size_t size = (size_t)batch->token_count * encoder_hidden_size(batch->encoder);
    for (uint32_t i = 0; i < count; i++)
        batch->tapes[i] = tape_make(batch->rows + i * size, gradient_run_size(batch), size);
    const float *rows = encoder_forward(batch->encoder, workspace, crew, batch->sequences, count);
    for (uint32_t i = 0; i < count; i++)
        out_values[i] = encoder_target(batch->encoder, target, rows + i * size, batch->token_count,
                                       batch->gradients + i * size, batch->scratch);
}

bool gradient_batch_back(GradientBatch *batch)
{
    for (uint32_t i = 0; i < batch->runs_a_step && batch->runs_left > 0; i++) {
        uint32_t run = --batch->runs_left;
        encoder_backward_run(batch->encoder, run, batch->sequences, batch->count,
                             batch->rows + run * gradient_run_size(batch), batch->gradients, batch->scratch);
    }
    if (batch->runs_left > 0) return false;
    encoder_backward_words(batch->encoder, batch->sequences, batch->count, batch->gradients, batch->words,
                           batch->scratch);
    return true;
}
