/* Question and context as windows: the whole encoding, cut so that each window has the question and a piece of the
 * context, which overlaps the one before. The lengths are transformers' QuestionAnsweringPipeline's. */
#include "base/limits.h"
#include "pipeline/pipeline_state.h"

enum {
    WINDOW_TOKENS_MAX = 384, /* or what the model takes, if that is less */
    OVERLAP_TOKENS_MAX = 128,
};

static Status answer_fail_memory(Error *out_error)
{
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the request's memory does not hold the context's windows: send less context at once");
}

/* Tokens of the context in a window, and by how many two windows overlap. */
static Status windows_measure(const Pipeline *pipeline, const ChunkOptions *chunking, const Encoding *whole,
                              TokenRange run, uint32_t *out_room, uint32_t *out_overlap, Error *out_error)
{
    uint32_t limit = chunking->token_count ? chunking->token_count : WINDOW_TOKENS_MAX;
    if (limit > pipeline->token_count_max) limit = pipeline->token_count_max;
    uint32_t context_count = run.end - run.begin;
    uint32_t other_count = whole->count - context_count;
    *out_overlap = limit / 2 < OVERLAP_TOKENS_MAX ? limit / 2 : OVERLAP_TOKENS_MAX;
    if (chunking->overlap != CHUNK_OVERLAP_DEFAULT) *out_overlap = chunking->overlap;
    *out_room = context_count;
    if (whole->count <= limit) return STATUS_OK;
    if (other_count < limit && limit - other_count > *out_overlap) {
        *out_room = limit - other_count;
        return STATUS_OK;
    }
    return error_set(
        out_error, STATUS_INVALID_ARGUMENT,
        "the question takes %u of the %u tokens of a window and leaves no room for the context, whose "
        "windows overlap by %u: shorten the question",
        other_count, limit, *out_overlap);
}

/* The windows' pieces of the context, `room` tokens each, of which `overlap` are shared. */
static Status windows_build(const Encoding *whole, TokenRange run, uint32_t room, uint32_t overlap, Arena *arena,
                            Prepared **out_windows, uint32_t *out_count, Error *out_error)
{
    uint32_t context_count = run.end - run.begin;
    uint32_t step = room - overlap;
    uint32_t count = context_count <= room ? 1 : 1 + (context_count - room + step - 1) / step;
    if (count > CHUNK_COUNT_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "the context makes %u windows, at most %u are read: ask for larger ones or send less",
                         count, CHUNK_COUNT_MAX);
    }
    Prepared *windows = arena_allocate_zeroed(arena, count, sizeof *windows);
    if (!windows) return answer_fail_memory(out_error);
    for (uint32_t i = 0; i < count; i++) {
        TokenRange piece = {.begin = run.begin + i * step};
        piece.end = run.end - piece.begin < room ? run.end : piece.begin + room;
        if (!chunks_encoding(whole, run, piece, arena, &windows[i].encoding)) return answer_fail_memory(out_error);
    }
    *out_windows = windows;
    *out_count = count;
    return STATUS_OK;
}

/* BigBird's class gives the question, with the separator behind it, type 0, and all that follows type 1, where the
 * tokenizer gives no types. */
static void window_set_types(const Pipeline *pipeline, Encoding *encoding)
{
    const ModelConfig *config = checkpoint_config(pipeline->checkpoint);
    if (config->architecture != ARCHITECTURE_BIG_BIRD || pipeline->uses_types || config->type_count < 2) return;
    uint32_t end = 0;
    while (end < encoding->count && encoding->ids[end] != config->separator_id) end++;
    if (end == encoding->count) end = 0;
    for (uint32_t i = end + 1; i < encoding->count; i++) encoding->type_ids[i] = 1;
}

static Status window_finish(const Pipeline *pipeline, const PrepareOptions *options, Arena *arena,
                            Prepared *window, Error *out_error)
{
    window_set_types(pipeline, &window->encoding);
    Status status = globals_find(pipeline, options, arena, window, out_error);
    window->work = task_work(pipeline, TASK_ANSWER, window);
    return status;
}

Status pipeline_prepare_answer(const Pipeline *pipeline, TextView question, TextView context,
                               const PrepareOptions *options, Arena *arena, Prepared *out_whole,
                               Prepared **out_windows, uint32_t *out_count, Error *out_error)
{
    if (!pipeline->takes_pairs) {
        return error_set(out_error, STATUS_UNSUPPORTED, "the model takes one text, not question and context");
    }
    const EncodeOptions encode = {.return_words = true};
    Encoding whole = {0};
    Status status = pipeline_encode(pipeline, question, &context, &encode, arena, &whole, out_error);
    if (!status) status = globals_check(options, whole.count, out_error);
    if (status) return status;
    TokenRange run = chunks_find_segment(&whole, 1);
    uint32_t room;
    uint32_t overlap;
    status = windows_measure(pipeline, &options->chunking, &whole, run, &room, &overlap, out_error);
    if (!status) status = windows_build(&whole, run, room, overlap, arena, out_windows, out_count, out_error);
    for (uint32_t i = 0; !status && i < *out_count; i++)
        status = window_finish(pipeline, options, arena, &(*out_windows)[i], out_error);
    if (!status) *out_whole = (Prepared){.encoding = whole};
    return status;
}
