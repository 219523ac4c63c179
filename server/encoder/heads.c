#include "encoder/heads.h"

#include <assert.h>
#include <stdio.h>

enum { ARCHITECTURE_ANY = ARCHITECTURE_COUNT };

typedef enum RowActivation {
    ROW_NONE,
    ROW_TANH,
    ROW_RELU,
    ROW_GELU,
    ROW_HIDDEN,
    ROW_HEAD,
} RowActivation;

typedef struct HeadRow {
    int architecture;
    HeadKind kind;
    LinearBias biases;
    const char *dense;
    RowActivation activation;
    const char *back;
    const char *norm;
    const char *output;
    const char *bias;
} HeadRow;

static const HeadRow head_rows[] = {
#define HEAD(architecture, kind, biases, dense, activation, norm, output, bias) \
    HEAD_WITH_SUM(architecture, kind, biases, dense, activation, NULL, norm, output, bias)
#define HEAD_WITH_SUM(architecture, kind, biases, dense, activation, back, norm, output, bias) \
    {ARCHITECTURE_##architecture, HEAD_##kind, LINEAR_##biases, dense, ROW_##activation, back, norm, output, bias},
#include "encoder/heads.def"
#undef HEAD
#undef HEAD_WITH_SUM
};

static bool head_has(const Loader *loader, const char *module)
{
    char name[TENSOR_NAME_BYTES_MAX];
    snprintf(name, sizeof name, "%s.weight", module);
    return loader_has(loader, name);
}

/* Many a checkpoint was saved without the head that its class had: it has none. The module that tells is one that only
 * this head has. */
static const HeadRow *head_find_row(const Loader *loader, HeadKind kind)
{
    for (size_t i = 0; i < sizeof head_rows / sizeof *head_rows; i++) {
        const HeadRow *row = &head_rows[i];
        if (row->kind != kind) continue;
        if (row->architecture != ARCHITECTURE_ANY && row->architecture != (int)loader->config->architecture) {
            continue;
        }
        if (head_has(loader, row->norm ? row->norm : row->output)) return row;
    }
    return NULL;
}

GemmActivation heads_activation(Activation activation)
{
    switch (activation) {
    case ACTIVATION_GELU:
        return GEMM_GELU;
    case ACTIVATION_GELU_TANH:
        return GEMM_GELU_TANH;
    case ACTIVATION_RELU:
        return GEMM_RELU;
    case ACTIVATION_SILU:
        return GEMM_SILU;
    case ACTIVATION_TANH:
        return GEMM_TANH;
    case ACTIVATION_LINEAR:
        return GEMM_NONE;
    }
    assert(!"an activation that config.c let through");
    return GEMM_NONE;
}

static GemmActivation row_activation(const Loader *loader, RowActivation activation)
{
    switch (activation) {
    case ROW_NONE:
        return GEMM_NONE;
    case ROW_TANH:
        return GEMM_TANH;
    case ROW_RELU:
        return GEMM_RELU;
    case ROW_GELU:
        return GEMM_GELU;
    case ROW_HIDDEN:
        return heads_activation(loader->config->activation);
    case ROW_HEAD:
        return heads_activation(checkpoint_head_config(loader->checkpoint)->activation);
    }
    return GEMM_NONE;
}

/* A decoder that is there by itself counts, as in transformers, also where config.json says that it is tied. */
static CHECKED Status head_load_decoder(Loader *loader, const HeadRow *row, const Tensor *word_embeddings,
                                        uint32_t depth, EncoderHead *head)
{
    uint32_t count = loader->config->vocabulary_size;
    char name[TENSOR_NAME_BYTES_MAX];
    head->decoder = *word_embeddings;
    if (row->output && (head_has(loader, row->output) || !checkpoint_head_config(loader->checkpoint)->tied)) {
        snprintf(name, sizeof name, "%s.weight", row->output);
        Status status = loader_find(loader, name, count, depth, &head->decoder);
        if (status) return status;
    }
    snprintf(name, sizeof name, "%s.bias", row->output ? row->output : "");
    if (row->bias && (!row->output || !loader_has(loader, name))) snprintf(name, sizeof name, "%s", row->bias);
    if (row->biases == LINEAR_BIAS_IF_PRESENT && !loader_has(loader, name)) return STATUS_OK;
    return loader_copy(loader, name, 0, count, &head->decoder_bias);
}

static uint32_t head_output_count(const Loader *loader, HeadKind kind)
{
    return kind == HEAD_ANSWER ? 2 : checkpoint_head_config(loader->checkpoint)->label_count;
}

/* *depth is the input's, and becomes the output's. */
static CHECKED Status head_load_dense(Loader *loader, const HeadRow *row, uint32_t *depth, EncoderHead *head)
{
    const ModelConfig *config = loader->config;
    uint32_t columns = row->back                ? config->intermediate_size
                       : row->kind == HEAD_FILL ? config->embedding_size
                                                : *depth;
    LinearPart part = {row->dense, columns};
    LinearPart back = {row->back, *depth};
    Status status = loader_linear(loader, &part, 1, *depth, row->biases, &head->dense);
    head->activation = row_activation(loader, row->activation);
    if (!row->back) {
        *depth = columns;
        return status;
    }
    return status ? status : loader_linear(loader, &back, 1, columns, row->biases, &head->back);
}

Status heads_load(Loader *loader, const Tensor *word_embeddings, EncoderHead *out_head)
{
    loader_leave(loader);
    const HeadConfig *config = checkpoint_head_config(loader->checkpoint);
    const HeadRow *row = config->kind == HEAD_NONE ? NULL : head_find_row(loader, config->kind);
    *out_head = (EncoderHead){.kind = HEAD_NONE};
    if (!row) return STATUS_OK;
    EncoderHead head = {.kind = row->kind, .pooling = config->pooling};
    uint32_t depth = loader->config->hidden_size;
    if (row->dense) {
        Status status = head_load_dense(loader, row, &depth, &head);
        if (status) return status;
    }
    if (row->norm) {
        Status status = loader_norm(loader, row->norm, depth, loader->config->norm, &head.norm);
        if (status) return status;
    }
    if (row->kind == HEAD_FILL) {
        Status status = head_load_decoder(loader, row, word_embeddings, depth, &head);
        if (status) return status;
    } else {
        LinearPart part = {row->output, head_output_count(loader, row->kind)};
        Status status = loader_linear(loader, &part, 1, depth, LINEAR_BIAS, &head.output);
        if (status) return status;
    }
    *out_head = head;
    return STATUS_OK;
}
