/* Question and context as windows: the whole encoding, cut so that each window has the question and a piece of the
 * context, which overlaps the one before. The lengths are transformers' QuestionAnsweringPipeline's. */
#include "pipeline/pipeline_state.h"

enum {
    WINDOW_TOKENS_MAX = 384, /* or what the model takes, if that is less */
    OVERLAP_TOKENS_MAX = 128,
};

/* Where the context's tokens lie in the whole encoding: [begin, end). */
typedef struct ContextRun {
    uint32_t begin;
    uint32_t end;
} ContextRun;

static ContextRun context_find(const Encoding *encoding)
{
    ContextRun run = {0, 0};
    while (run.begin < encoding->count && encoding->segments[run.begin] != 1) run.begin++;
    run.end = run.begin;
    while (run.end < encoding->count && encoding->segments[run.end] == 1) run.end++;
    return run;
}

static Status answer_fail_memory(Error *out_error)
{
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the request's memory does not hold the context's windows: send less context at once");
}

/* Copies `count` items of each array from `from` in `source` to `to` in `target`. */
static void encoding_copy(Encoding *target, uint32_t to, const Encoding *source, uint32_t from, uint32_t count)
{
    memcpy(target->ids + to, source->ids + from, count * sizeof *target->ids);
    memcpy(target->type_ids + to, source->type_ids + from, count);
    memcpy(target->segments + to, source->segments + from, count);
    memcpy(target->offsets + to, source->offsets + from, count * sizeof *target->offsets);
    memcpy(target->words + to, source->words + from, count * sizeof *target->words);
}

/* The window with the context's tokens [begin, end) of `whole`. */
static bool window_build(const Pipeline *pipeline, const Encoding *whole, ContextRun run, ContextRun piece,
                         Arena *arena, Prepared *out_window)
{
    uint32_t piece_count = piece.end - piece.begin;
    uint32_t tail_count = whole->count - run.end;
    Encoding encoding = {.count = run.begin + piece_count + tail_count, .text_token_count = whole->count};
    encoding.ids = arena_allocate(arena, encoding.count * sizeof *encoding.ids);
    encoding.type_ids = arena_allocate(arena, encoding.count);
    encoding.segments = arena_allocate(arena, encoding.count);
    encoding.offsets = arena_allocate(arena, encoding.count * sizeof *encoding.offsets);
    encoding.words = arena_allocate(arena, encoding.count * sizeof *encoding.words);
    if (!encoding.ids || !encoding.type_ids || !encoding.segments || !encoding.offsets || !encoding.words) {
        return false;
    }
    encoding_copy(&encoding, 0, whole, 0, run.begin);
    encoding_copy(&encoding, run.begin, whole, piece.begin, piece_count);
    encoding_copy(&encoding, run.begin + piece_count, whole, run.end, tail_count);
    *out_window = (Prepared){.encoding = encoding};
    out_window->work = task_work(pipeline, TASK_ANSWER, out_window);
    return true;
}

/* Tokens of the context in a window, and by how many two windows overlap. */
static Status windows_measure(const Pipeline *pipeline, const Encoding *whole, ContextRun run, uint32_t *out_room,
                              uint32_t *out_overlap, Error *out_error)
{
    uint32_t limit = pipeline->token_count_max < WINDOW_TOKENS_MAX ? pipeline->token_count_max : WINDOW_TOKENS_MAX;
    uint32_t context_count = run.end - run.begin;
    uint32_t other_count = whole->count - context_count;
    *out_overlap = limit / 2 < OVERLAP_TOKENS_MAX ? limit / 2 : OVERLAP_TOKENS_MAX;
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

Status pipeline_prepare_answer(const Pipeline *pipeline, TextView question, TextView context, Arena *arena,
                               Prepared **out_windows, uint32_t *out_count, Error *out_error)
{
    if (!pipeline->takes_pairs) {
        return error_set(out_error, STATUS_UNSUPPORTED, "the model takes one text, not question and context");
    }
    const EncodeOptions encode = {.return_words = true};
    Encoding whole = {0};
    Status status = pipeline_encode(pipeline, question, &context, &encode, arena, &whole, out_error);
    if (status) return status;
    ContextRun run = context_find(&whole);
    uint32_t room;
    uint32_t overlap;
    status = windows_measure(pipeline, &whole, run, &room, &overlap, out_error);
    if (status) return status;
    uint32_t context_count = run.end - run.begin;
    uint32_t step = room - overlap;
    uint32_t count = context_count <= room ? 1 : 1 + (context_count - room + step - 1) / step;
    Prepared *windows = arena_allocate_zeroed(arena, count, sizeof *windows);
    if (!windows) return answer_fail_memory(out_error);
    for (uint32_t i = 0; i < count; i++) {
        ContextRun piece = {.begin = run.begin + i * step};
        piece.end = run.end - piece.begin < room ? run.end : piece.begin + room;
        if (!window_build(pipeline, &whole, run, piece, arena, &windows[i])) return answer_fail_memory(out_error);
    }
    *out_windows = windows;
    *out_count = count;
    return STATUS_OK;
}
