/* Opening an encoder: the two passes of its loader over the same code. */
#include "encoder/weights.h"

#include "encoder/names.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024 }; /* weights are read end to end all the time: fewer, larger pages */

static CHECKED Status weights_layer(Loader *loader, uint32_t index, EncoderLayer *out_layer)
{
    const EncoderNames *names = encoder_names(loader->config->architecture);
    uint32_t hidden = loader->config->hidden_size;
    uint32_t intermediate = loader->config->intermediate_size;
    const LinearPart projections[] = {{names->query, hidden}, {names->key, hidden}, {names->value, hidden}};
    loader_enter(loader, "%s.%u.", names->layer, index);
    Status status = loader_linear(loader, projections, 3, hidden, LINEAR_BIAS, &out_layer->projections);
    if (status) return status;
    status = loader_linear(loader, &(LinearPart){names->attention_output, hidden}, 1, hidden, LINEAR_BIAS,
                           &out_layer->attention_output);
    if (status) return status;
    status = loader_norm(loader, names->attention_norm, hidden, NORM_LAYER, &out_layer->attention_norm);
    if (status) return status;
    status = loader_linear(loader, &(LinearPart){names->intermediate, intermediate}, 1, hidden, LINEAR_BIAS,
                           &out_layer->intermediate);
    if (status) return status;
    status = loader_linear(loader, &(LinearPart){names->output, hidden}, 1, intermediate, LINEAR_BIAS,
                           &out_layer->output);
    if (status) return status;
    return loader_norm(loader, names->output_norm, hidden, NORM_LAYER, &out_layer->output_norm);
}

static CHECKED Status weights_embeddings(Loader *loader, Encoder *encoder)
{
    const ModelConfig *config = loader->config;
    const EncoderNames *names = encoder_names(config->architecture);
    uint32_t hidden = config->hidden_size;
    loader_leave(loader);
    Status status =
        loader_find(loader, names->word_embeddings, config->vocabulary_size, hidden, &encoder->word_embeddings);
    if (status) return status;
    status = loader_copy(loader, names->position_embeddings, config->position_count, hidden,
                         &encoder->position_embeddings);
    if (status) return status;
    status = loader_copy(loader, names->type_embeddings, config->type_count, hidden, &encoder->type_embeddings);
    if (status) return status;
    return loader_norm(loader, names->embedding_norm, hidden, NORM_LAYER, &encoder->embedding_norm);
}

static CHECKED Status weights_pass(Loader *loader, Encoder *encoder)
{
    loader->used = 0;
    Status status = weights_embeddings(loader, encoder);
    for (uint32_t i = 0; !status && i < loader->config->layer_count; i++)
        status = weights_layer(loader, i, &encoder->layers[i]);
    if (!status) status = heads_load(loader, &encoder->word_embeddings, &encoder->head);
    return status;
}

static CHECKED Status weights_allocate(Loader *loader, Encoder *encoder)
{
    size_t bytes = (loader->used * sizeof(float) + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    encoder->block = aligned_alloc(HUGE_PAGE_BYTES, bytes);
    loader->scratch = malloc(loader->scratch_size * sizeof(float));
    loader->block = encoder->block;
    if (!encoder->block || !loader->scratch)
        return error_set(loader->error, STATUS_NO_MEMORY,
                         "%s: its weights take %zu MiB, which this process cannot get",
                         checkpoint_directory(loader->checkpoint), bytes >> 20);
    /* Advice only: without huge pages the same reads miss the TLB more often. */
    (void)madvise(encoder->block, bytes, MADV_HUGEPAGE);
    return STATUS_OK;
}

static void weights_describe(Encoder *encoder, const ModelConfig *config, const Kernels *kernels)
{
    uint32_t head_size = config->hidden_size / config->head_count;
    encoder->config = *config;
    encoder->kernels = kernels;
    encoder->activation = heads_activation(config->activation);
    encoder->plan = (AttentionPlan){.window_reach = ATTENTION_UNLIMITED,
                                    .key_value_head_count = config->head_count,
                                    .head_count = config->head_count,
                                    .head_size = head_size,
                                    .scale = 1.0f / sqrtf((float)head_size)};
}

CHECKED Status encoder_open(const Checkpoint *checkpoint, const Kernels *kernels, Encoder **out_encoder,
                            Error *out_error)
{
    const ModelConfig *config = checkpoint_config(checkpoint);
    Loader loader = {.checkpoint = checkpoint, .config = config, .kernels = kernels, .error = out_error};
    Status status = STATUS_NO_MEMORY;
    Encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder) encoder->layers = calloc(config->layer_count, sizeof *encoder->layers);
    if (!encoder || !encoder->layers) {
        (void)error_set(out_error, status, "No memory for the encoder of %s", checkpoint_directory(checkpoint));
        goto fail;
    }
    weights_describe(encoder, config, kernels);
    status = weights_pass(&loader, encoder);
    if (status) goto fail;
    status = weights_allocate(&loader, encoder);
    if (status) goto fail;
    size_t proved = loader.used;
    status = weights_pass(&loader, encoder);
    if (status) goto fail;
    assert(loader.used == proved);
    free(loader.scratch);
    *out_encoder = encoder;
    return STATUS_OK;
fail:
    free(loader.scratch);
    encoder_close(encoder);
    return status;
}

void encoder_close(Encoder *encoder)
{
    if (!encoder) return;
    free(encoder->block);
    free(encoder->layers);
    free(encoder);
}
