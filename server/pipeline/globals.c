/* Which tokens of a text see all others: as transformers' class of the head does, or as the request says. */
#include "pipeline/pipeline_state.h"

static CHECKED Status globals_fail_memory(Error *out_error)
{
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the request's memory does not hold the text's global tokens");
}

/* The first `count` tokens. */
static CHECKED Status globals_set_first(uint32_t count, Arena *arena, Prepared *prepared, Error *out_error)
{
    uint32_t *positions = arena_allocate(arena, count * sizeof *positions);
    if (!positions) return globals_fail_memory(out_error);
    for (uint32_t i = 0; i < count; i++) positions[i] = i;
    prepared->global_positions = positions;
    prepared->global_count = count;
    return STATUS_OK;
}

/* Window mode has no task of its own: the first token and the last, which sum up much of a text in any model. */
static CHECKED Status globals_set_ends(Arena *arena, Prepared *prepared, Error *out_error)
{
    uint32_t count = prepared->encoding.count;
    uint32_t *positions = arena_allocate(arena, 2 * sizeof *positions);
    if (!positions) return globals_fail_memory(out_error);
    positions[0] = 0;
    positions[1] = count - 1;
    prepared->global_positions = positions;
    prepared->global_count = count < 2 ? count : 2;
    return STATUS_OK;
}

/* The question is what stands before the first separator. */
static CHECKED Status globals_set_question(const Pipeline *pipeline, Arena *arena, Prepared *prepared,
                                           Error *out_error)
{
    uint32_t separator = checkpoint_config(pipeline->checkpoint)->separator_id;
    const Encoding *encoding = &prepared->encoding;
    uint32_t count = 0;
    while (count < encoding->count && encoding->ids[count] != separator) count++;
    if (count == 0 || count == encoding->count) return STATUS_OK;
    if (count <= GLOBAL_TOKEN_COUNT_MAX) return globals_set_first(count, arena, prepared, out_error);
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "the question has %u tokens, all of them global, at most %u can be: shorten the question",
                     count, GLOBAL_TOKEN_COUNT_MAX);
}

static CHECKED Status globals_set_default(const Pipeline *pipeline, Task task, Arena *arena, Prepared *prepared,
                                          Error *out_error)
{
    if (encoder_attention(pipeline->encoder) == ATTENTION_PATTERN_SLIDING_WINDOW)
        return globals_set_ends(arena, prepared, out_error);
    switch (task) {
    case TASK_CLASSIFY:
    case TASK_RERANK:
        return globals_set_first(1, arena, prepared, out_error);
    case TASK_ANSWER:
        return globals_set_question(pipeline, arena, prepared, out_error);
    default:
        return STATUS_OK;
    }
}

Status pipeline_check_globals(const Pipeline *pipeline, const PrepareOptions *options, Error *out_error)
{
    if (options->global_count == 0 || encoder_takes_globals(pipeline->encoder)) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "global_token_indices are for models with global tokens; the model is a %s",
                     checkpoint_config(pipeline->checkpoint)->model_type);
}

Status globals_find(const Pipeline *pipeline, const PrepareOptions *options, Arena *arena, Prepared *prepared,
                    Error *out_error)
{
    if (!encoder_takes_globals(pipeline->encoder)) return STATUS_OK;
    if (options->global_count == 0)
        return globals_set_default(pipeline, options->task, arena, prepared, out_error);
    uint32_t count = options->global_count;
    while (count > 0 && options->global_positions[count - 1] >= prepared->encoding.count) count--;
    prepared->global_positions = options->global_positions;
    prepared->global_count = count;
    return STATUS_OK;
}

Status globals_check(const PrepareOptions *options, uint32_t token_count, Error *out_error)
{
    if (options->global_count == 0) return STATUS_OK;
    uint32_t last = options->global_positions[options->global_count - 1];
    if (last < token_count) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "global_token_indices has %u, but there are %u tokens, counted from 0", last, token_count);
}
