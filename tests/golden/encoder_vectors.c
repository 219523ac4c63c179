/* What the reference computes, for the comparisons with transformers:
 *     encoder_vectors MODEL CPU < texts > vectors            unit vectors, for encoder_parity.py
 *     encoder_vectors MODEL CPU hidden < texts > vectors     hidden states, for sample.py
 *     encoder_vectors MODEL CPU hidden WINDOW < texts > ...  likewise in window mode, for window_parity.py
 * A text is u32 token count, u32 ids[token count], and for hidden states u8 type ids[token count], 128 more for tokens
 * that are global. Its unit vector is
 * float[hidden size], pooled and normalized as the checkpoint says; its hidden states float[token count][hidden size].
 * Texts are run in packed batches as they come. */
#include "encoder/encoder.h"
#include "encoder/pooling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_TOKENS = 4096, BATCH_TEXTS = 64, GLOBAL_TYPE = 128 };

typedef struct Batch {
    EncoderSequence sequences[BATCH_TEXTS];
    uint32_t ids[BATCH_TOKENS];
    uint8_t type_ids[BATCH_TOKENS];
    uint32_t globals[BATCH_TOKENS];
    uint32_t count;
    uint32_t token_count;
    bool hidden; /* hidden states are asked for */
} Batch;

static void vectors_write(const Checkpoint *checkpoint, const Encoder *encoder, EncoderWorkspace *workspace,
                          Batch *batch)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(checkpoint);
    uint32_t size = checkpoint_config(checkpoint)->hidden_size;
    float *vector = malloc(size * sizeof *vector);
    if (!vector) exit(1);
    const float *hidden = encoder_forward(encoder, workspace, NULL, batch->sequences, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t rows = batch->sequences[i].token_count;
        if (batch->hidden) {
            fwrite(hidden, sizeof *hidden, (size_t)rows * size, stdout);
        } else {
            pooling_apply(sentence->poolings[0], hidden, rows, 0, size, vector);
            if (sentence->normalize) pooling_normalize(vector, size);
            fwrite(vector, sizeof *vector, size, stdout);
        }
        hidden += (size_t)rows * size;
    }
    free(vector);
    batch->count = batch->token_count = 0;
}

static void vectors_run(const Checkpoint *checkpoint, const Encoder *encoder, EncoderWorkspace *workspace,
                        bool hidden)
{
    static Batch batch;
    batch.hidden = hidden;
    uint32_t tokens;
    while (fread(&tokens, sizeof tokens, 1, stdin) == 1) {
        if (tokens < 1 || tokens > BATCH_TOKENS) exit(1);
        if (batch.count == BATCH_TEXTS || batch.token_count + tokens > BATCH_TOKENS)
            vectors_write(checkpoint, encoder, workspace, &batch);
        uint32_t *ids = batch.ids + batch.token_count;
        uint8_t *types = batch.type_ids + batch.token_count;
        if (fread(ids, sizeof *ids, tokens, stdin) != tokens) exit(1);
        if (hidden && fread(types, 1, tokens, stdin) != tokens) exit(1);
        EncoderSequence sequence = {.ids = ids, .type_ids = types, .token_count = tokens};
        uint32_t *globals = batch.globals + batch.token_count;
        for (uint32_t i = 0; hidden && i < tokens; i++) {
            if (types[i] >= GLOBAL_TYPE) globals[sequence.global_count++] = i;
            types[i] %= GLOBAL_TYPE;
        }
        if (sequence.global_count) sequence.global_positions = globals;
        batch.sequences[batch.count++] = sequence;
        batch.token_count += tokens;
    }
    if (batch.count) vectors_write(checkpoint, encoder, workspace, &batch);
}

int main(int argument_count, char **arguments)
{
    Error error = {.message = "usage: encoder_vectors MODEL CPU [hidden [WINDOW]] < texts > vectors"};
    const Kernels *kernels;
    Checkpoint *checkpoint = NULL;
    Encoder *encoder = NULL;
    EncoderWorkspace *workspace = NULL;
    Status status = STATUS_INVALID_ARGUMENT;
    bool hidden = argument_count >= 4 && strcmp(arguments[3], "hidden") == 0;
    uint32_t window = argument_count > 4 ? (uint32_t)strtoul(arguments[4], NULL, 10) : 0;
    if (argument_count == 3 || hidden) status = kernels_open(arguments[2], "packed", &kernels, &error);
    if (!status) status = checkpoint_open(arguments[1], &checkpoint, &error);
    if (!status) status = encoder_open(checkpoint, kernels, &encoder, &error);
    if (!status && window) status = encoder_limit_window(encoder, window, &error);
    if (!status) status = encoder_workspace_open(encoder, BATCH_TOKENS, &workspace, &error);
    if (status)
        fprintf(stderr, "%s\n", error.message);
    else
        vectors_run(checkpoint, encoder, workspace, hidden);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    checkpoint_close(checkpoint);
    return status ? 1 : 0;
}
