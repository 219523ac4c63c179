#include "encoder/workspace.h"

#include "encoder/global_rows.h"

#include <stdlib.h>

/* Floats of the workspace's parts, each in whole cache lines. */
typedef struct ScratchSizes {
    size_t queries, rows, intermediate, attention, tiles, globals, sum;
} ScratchSizes;

typedef struct WorkspaceSizes {
    size_t hidden, beside, keys_values, contexts, sum;
    ScratchSizes scratch;
} WorkspaceSizes;

/* Floats of a row of scratch.rows; 0: it is not used. */
static size_t workspace_row_size(const Encoder *encoder)
{
    const ModelConfig *config = &encoder->config;
    const EncoderLayout *layout = encoder->layout;
    size_t size = layout->norm_order == NORM_BEFORE || layout->second_norm ? config->hidden_size : 0;
    if (encoder->projection.weights.columns && config->embedding_size > size) size = config->embedding_size;
    return size;
}

/* Of units of up to `unit` rows, of texts of up to `token_count` tokens. */
static ScratchSizes scratch_sizes(const Encoder *encoder, size_t unit, uint32_t token_count)
{
    const ModelConfig *config = &encoder->config;
    bool globals = encoder_takes_globals(encoder) && !encoder->windowed;
    size_t attention = attention_scratch_size(encoder->kernels, &encoder->layers[0].plan);
    for (uint32_t i = 1; i < encoder_layer_count(config); i++) {
        size_t size = attention_scratch_size(encoder->kernels, &encoder->layers[i].plan);
        if (size > attention) attention = size;
    }
    size_t intermediate = (size_t)BLOCK_ROWS * encoder->layers[0].intermediate.weights.columns;
    size_t space = (size_t)PROBE_SPACE_ROWS * config->position_count;
    ScratchSizes sizes = {
        .queries = part_round_up(unit * encoder_queries_width(config)),
        .rows = part_round_up(unit * workspace_row_size(encoder)),
        .intermediate = part_round_up(intermediate > space ? intermediate : space),
        .attention = part_round_up(attention),
        .tiles = attention_tiles_size(token_count, encoder_takes_globals(encoder) ? GLOBAL_TOKEN_COUNT_MAX : 0),
        .globals = globals ? part_round_up(global_rows_scratch_size(encoder)) : 0,
    };
    sizes.sum = sizes.queries + sizes.rows + sizes.intermediate + sizes.attention + sizes.tiles + sizes.globals;
    return sizes;
}

static void scratch_place(EncoderScratch *scratch, const ScratchSizes *sizes, float *floats)
{
    scratch->queries = floats;
    scratch->rows = scratch->queries + sizes->queries;
    scratch->intermediate = scratch->rows + sizes->rows;
    scratch->intermediate_size = sizes->intermediate;
    scratch->attention = scratch->intermediate + sizes->intermediate;
    scratch->tiles = scratch->attention + sizes->attention;
    scratch->globals = scratch->tiles + sizes->tiles;
}

/* Floats by which a text's panels of keys and values may exceed its rows. */
static size_t workspace_padding(const Encoder *encoder, uint32_t token_count)
{
    const AttentionPlan *plan = &encoder->layers[0].plan;
    return attention_panels_size(encoder->kernels, plan, token_count) -
           (size_t)token_count * encoder_keys_values_width(&encoder->config);
}

static WorkspaceSizes workspace_sizes(const Encoder *encoder, uint32_t token_capacity)
{
    const ModelConfig *config = &encoder->config;
    size_t hidden = config->hidden_size;
    uint64_t group = GROUP_TOKENS - 1 + (uint64_t)config->position_count;
    if (group > token_capacity) group = token_capacity;
    uint32_t unit = token_capacity < UNIT_ROWS ? token_capacity : UNIT_ROWS;
    uint32_t text = token_capacity < config->position_count ? token_capacity : config->position_count;
    WorkspaceSizes sizes = {
        .hidden = part_round_up(token_capacity * hidden),
        .beside = config->convolution_size ? part_round_up(token_capacity * hidden) : 0,
        .keys_values = part_round_up(group * encoder_keys_values_width(config) + workspace_padding(encoder, text)),
        .scratch = scratch_sizes(encoder, unit, text),
    };
    uint64_t globals = GROUP_TOKENS - 1 + GLOBAL_TOKEN_COUNT_MAX;
    if (globals > group) globals = group;
    if (encoder_takes_globals(encoder)) sizes.contexts = part_round_up(globals * encoder_queries_width(config));
    sizes.sum = sizes.hidden + sizes.beside + sizes.keys_values + sizes.contexts + sizes.scratch.sum;
    return sizes;
}

uint64_t encoder_workspace_bytes(const Encoder *encoder, uint32_t token_capacity)
{
    return workspace_sizes(encoder, token_capacity).sum * sizeof(float) + sizeof(EncoderWorkspace);
}

Status encoder_workspace_open(const Encoder *encoder, uint32_t token_capacity, EncoderWorkspace **out_workspace,
                              Error *out_error)
{
    WorkspaceSizes sizes = workspace_sizes(encoder, token_capacity);
    EncoderWorkspace *workspace = calloc(1, sizeof *workspace);
    if (!workspace) goto fail;
    workspace->token_capacity = token_capacity;
    workspace->floats = aligned_alloc(PART_ALIGNMENT * sizeof(float), sizes.sum * sizeof(float));
    if (!workspace->floats) goto fail;
    workspace->hidden = workspace->floats;
    workspace->beside = workspace->hidden + sizes.hidden;
    workspace->keys_values = workspace->beside + sizes.beside;
    workspace->contexts = workspace->keys_values + sizes.keys_values;
    scratch_place(&workspace->scratch, &sizes.scratch, workspace->contexts + sizes.contexts);
    *out_workspace = workspace;
    return STATUS_OK;
fail:
    encoder_workspace_close(workspace);
    return error_set(out_error, STATUS_NO_MEMORY, "No memory for a workspace of %u tokens", token_capacity);
}

uint32_t encoder_workspace_tokens(const EncoderWorkspace *workspace)
{
    return workspace->token_capacity;
}

void encoder_workspace_set_helpers(EncoderWorkspace *workspace, EncoderHelper *const *helpers)
{
    workspace->helpers = helpers;
}

void encoder_workspace_close(EncoderWorkspace *workspace)
{
    if (!workspace) return;
    free(workspace->floats);
    free(workspace);
}

Status encoder_helper_open(const Encoder *encoder, EncoderHelper **out_helper, Error *out_error)
{
    ScratchSizes sizes = scratch_sizes(encoder, UNIT_ROWS, encoder->config.position_count);
    EncoderHelper *helper = calloc(1, sizeof *helper);
    if (!helper) goto fail;
    helper->floats = aligned_alloc(PART_ALIGNMENT * sizeof(float), sizes.sum * sizeof(float));
    if (!helper->floats) goto fail;
    scratch_place(&helper->scratch, &sizes, helper->floats);
    *out_helper = helper;
    return STATUS_OK;
fail:
    encoder_helper_close(helper);
    return error_set(out_error, STATUS_NO_MEMORY, "No memory to help with long texts");
}

void encoder_helper_close(EncoderHelper *helper)
{
    if (!helper) return;
    free(helper->floats);
    free(helper);
}

uint64_t encoder_helper_bytes(const Encoder *encoder)
{
    return scratch_sizes(encoder, UNIT_ROWS, encoder->config.position_count).sum * sizeof(float) +
           sizeof(EncoderHelper);
}
