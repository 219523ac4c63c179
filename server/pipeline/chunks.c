/* Planning and making chunks. A chunk has room for `room` of the cut tokens, ends at the best border in its last
 * quarter and shares between half of `overlap` and all of it with the next. As an overlap is at most half of the
 * room, each chunk begins at least a quarter of the room after the one before, so that there are no more than four
 * times as many as without any overlap, and planning looks at no token more than a few times. */
#include "base/limits.h"
#include "pipeline/pipeline_state.h"

typedef struct ChunkCutter {
    const Encoding *encoding;
    TextView text; /* of the cut tokens' offsets */
    TokenRange cut;
    uint32_t room;
    uint32_t overlap;
} ChunkCutter;

static Status chunks_fail_memory(Error *out_error)
{
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "the request's memory does not hold the text's chunks: send less text at once");
}

Status chunks_fail_empty(Error *out_error)
{
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "no token is left to embed");
}

TokenRange chunks_find_segment(const Encoding *encoding, uint8_t segment)
{
    TokenRange range = {0, 0};
    while (range.begin < encoding->count && encoding->segments[range.begin] != segment) range.begin++;
    range.end = range.begin;
    while (range.end < encoding->count && encoding->segments[range.end] == segment) range.end++;
    return range;
}

/* Of a pair, what is cut is the text that is reranked, else the longer one. The prompt is in every chunk. */
static TokenRange cut_find(const Encoding *encoding, Task task, bool has_pair, uint32_t prompt_bytes,
                           bool *out_of_pair)
{
    TokenRange text = chunks_find_segment(encoding, 0);
    TokenRange pair = has_pair ? chunks_find_segment(encoding, 1) : (TokenRange){0, 0};
    *out_of_pair = has_pair && (task == TASK_RERANK || pair.end - pair.begin >= text.end - text.begin);
    if (*out_of_pair) return pair;
    while (prompt_bytes && text.begin < text.end && encoding->offsets[text.begin].end <= prompt_bytes)
        text.begin++;
    return text;
}

/* The token before which the text is best cut, from `low` to `high`; of equally good ones the nearest to `high`, or to
 * `low`. */
static uint32_t cutter_find_border(const ChunkCutter *cutter, uint32_t low, uint32_t high, bool nearest_high)
{
    uint32_t best = nearest_high ? high : low;
    unsigned best_rank = 0;
    for (uint32_t i = 0; i <= high - low; i++) {
        uint32_t token = nearest_high ? high - i : low + i;
        unsigned rank = borders_rank(cutter->text, cutter->encoding->offsets[token].begin);
        if (rank <= best_rank) continue;
        best = token;
        best_rank = rank;
    }
    return best;
}

/* Where the chunk that begins at `begin` ends. */
static uint32_t cutter_end(const ChunkCutter *cutter, uint32_t begin)
{
    if (cutter->cut.end - begin <= cutter->room) return cutter->cut.end;
    uint32_t high = begin + cutter->room;
    return cutter_find_border(cutter, high - cutter->room / 4, high, true);
}

static uint32_t cutter_next(const ChunkCutter *cutter, uint32_t end)
{
    return cutter_find_border(cutter, end - cutter->overlap, end - cutter->overlap / 2, false);
}

/* At most this many chunks, with CHUNK_COUNT_MAX as the end of counting. */
static uint32_t cutter_count_max(const ChunkCutter *cutter)
{
    uint32_t count = cutter->cut.end - cutter->cut.begin;
    uint32_t step = cutter->room - cutter->room / 4 - cutter->overlap;
    uint32_t chunk_count = count <= cutter->room ? 1 : 1 + (count - cutter->room + step - 1) / step;
    return chunk_count < CHUNK_COUNT_MAX ? chunk_count : CHUNK_COUNT_MAX;
}

static CHECKED Status cutter_run(const ChunkCutter *cutter, Arena *arena, ChunkPlan *plan, Error *out_error)
{
    uint32_t capacity = cutter_count_max(cutter);
    Chunk *items = arena_allocate(arena, capacity * sizeof *items);
    if (!items) return chunks_fail_memory(out_error);
    uint32_t begin = cutter->cut.begin;
    uint32_t own_begin = begin;
    for (uint32_t end;;) {
        if (plan->count == capacity) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT,
                             "%u tokens make more than %u chunks of %u: ask for larger chunks or send less text",
                             cutter->encoding->count, CHUNK_COUNT_MAX, cutter->room);
        }
        end = cutter_end(cutter, begin);
        Chunk *chunk = &items[plan->count++];
        *chunk = (Chunk){.tokens = {begin, end}, .own = {own_begin, end}};
        if (end == cutter->cut.end) break;
        begin = cutter_next(cutter, end);
        chunk->own.end = (uint32_t)(((uint64_t)begin + end + 1) / 2);
        own_begin = chunk->own.end;
    }
    plan->items = items;
    return STATUS_OK;
}

/* Room and overlap of chunks of `token_count` tokens, what they repeat included. */
static CHECKED Status cutter_measure(ChunkCutter *cutter, uint32_t token_count, uint32_t overlap, Error *out_error)
{
    uint32_t repeated = cutter->encoding->count - (cutter->cut.end - cutter->cut.begin);
    if (repeated >= token_count) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "a chunk has %u tokens, and what each of them repeats (special tokens, prompt, the other "
                         "text) takes %u: shorten that or ask for larger chunks",
                         token_count, repeated);
    }
    cutter->room = token_count - repeated;
    cutter->overlap = overlap == CHUNK_OVERLAP_DEFAULT ? cutter->room / 8 : overlap;
    if (cutter->overlap <= cutter->room / 2) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "options.chunking.overlap is %u: at most half of the %u tokens of the text that a chunk has "
                     "room for may be shared",
                     overlap, cutter->room);
}

Status pipeline_check_chunk_size(const Pipeline *pipeline, const ChunkOptions *options, Error *out_error)
{
    if (options->token_count <= pipeline->token_count_max) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "chunks of %u tokens asked for, the model's limit is %u",
                     options->token_count, pipeline->token_count_max);
}

Status chunks_plan(const Pipeline *pipeline, const PrepareOptions *options, const Encoding *encoding,
                   TextView text, const TextView *pair, uint32_t prompt_bytes, Arena *arena, ChunkPlan *out_plan,
                   Error *out_error)
{
    uint32_t limit = pipeline->token_count_max;
    uint32_t size = options->chunking.token_count ? options->chunking.token_count : limit;
    bool is_cut = encoding->count > (options->length_policy == LENGTH_CHUNK ? size : limit);
    bool may_cut = options->length_policy == LENGTH_AUTO || options->length_policy == LENGTH_CHUNK;
    is_cut = is_cut && may_cut;
    if (!is_cut && !options->late_chunks) return STATUS_OK;
    ChunkPlan plan = {.late = !is_cut};
    plan.cut = cut_find(encoding, options->task, pair != NULL, prompt_bytes, &plan.of_pair);
    if (plan.cut.begin == plan.cut.end && !is_cut) return STATUS_OK; /* the template alone: no text to show */
    ChunkCutter cutter = {.encoding = encoding, .text = plan.of_pair ? *pair : text, .cut = plan.cut};
    Status status = cutter_measure(&cutter, size, options->chunking.overlap, out_error);
    if (!status) status = cutter_run(&cutter, arena, &plan, out_error);
    if (!status) *out_plan = plan;
    return status;
}

/* ---- Chunks ---- */

/* Copies `count` items of each array from `from` in `source` to `to` in `target`. */
static void encoding_copy(Encoding *target, uint32_t to, const Encoding *source, uint32_t from, uint32_t count)
{
    memcpy(target->ids + to, source->ids + from, count * sizeof *target->ids);
    memcpy(target->type_ids + to, source->type_ids + from, count);
    memcpy(target->segments + to, source->segments + from, count);
    memcpy(target->offsets + to, source->offsets + from, count * sizeof *target->offsets);
    if (target->words) memcpy(target->words + to, source->words + from, count * sizeof *target->words);
}

/* One block for all arrays, so that it is known what many chunks take of an arena. */
enum { CHUNK_TOKEN_BYTES = sizeof(ByteRange) + sizeof(uint32_t) + 2 };

bool chunks_encoding(const Encoding *whole, TokenRange cut, TokenRange tokens, Arena *arena,
                     Encoding *out_encoding)
{
    uint32_t piece_count = tokens.end - tokens.begin;
    uint32_t tail_count = whole->count - cut.end;
    Encoding encoding = {.count = cut.begin + piece_count + tail_count, .text_token_count = whole->count};
    size_t token_bytes = CHUNK_TOKEN_BYTES + (whole->words ? sizeof *encoding.words : 0);
    char *block = arena_allocate(arena, encoding.count * token_bytes);
    if (!block) return false;
    encoding.offsets = (ByteRange *)block;
    encoding.ids = (uint32_t *)(encoding.offsets + encoding.count);
    encoding.words = whole->words ? encoding.ids + encoding.count : NULL;
    encoding.type_ids = (uint8_t *)(encoding.ids + (whole->words ? 2 : 1) * (size_t)encoding.count);
    encoding.segments = encoding.type_ids + encoding.count;
    encoding_copy(&encoding, 0, whole, 0, cut.begin);
    encoding_copy(&encoding, cut.begin, whole, tokens.begin, piece_count);
    encoding_copy(&encoding, cut.begin + piece_count, whole, cut.end, tail_count);
    *out_encoding = encoding;
    return true;
}

void chunks_keep_masks(const Pipeline *pipeline, const Encoding *encoding, ChunkPlan *plan)
{
    uint32_t kept_count = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const Chunk chunk = plan->items[i];
        uint32_t token = chunk.own.begin;
        while (token < chunk.own.end && !task_is_mask(pipeline, encoding, token)) token++;
        if (token < chunk.own.end) plan->items[kept_count++] = chunk;
    }
    plan->count = kept_count;
}

bool pipeline_is_cut(const Prepared *whole)
{
    return whole->chunks.items && !whole->chunks.late;
}

uint64_t pipeline_chunk_bytes(const Prepared *whole)
{
    /* Twice: an arena may leave its blocks nearly half empty. The rest are headers and a chunk's global tokens. */
    enum { CHUNK_BYTES = 128 };
    const ChunkPlan *plan = &whole->chunks;
    uint64_t repeated = whole->encoding.count - (plan->cut.end - plan->cut.begin);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        TokenRange tokens = plan->items[i].tokens;
        bytes += 2 * (repeated + tokens.end - tokens.begin) * CHUNK_TOKEN_BYTES + CHUNK_BYTES;
    }
    return bytes;
}

Status pipeline_chunk(const Pipeline *pipeline, const PrepareOptions *options, const Prepared *whole,
                      uint32_t index, Arena *arena, Prepared *out_chunk, Error *out_error)
{
    const ChunkPlan *plan = &whole->chunks;
    Prepared chunk = {.prompt_token_count = whole->prompt_token_count, .prompt_bytes = whole->prompt_bytes};
    if (!chunks_encoding(&whole->encoding, plan->cut, plan->items[index].tokens, arena, &chunk.encoding)) {
        return chunks_fail_memory(out_error);
    }
    for (uint32_t i = 0; options->task == TASK_FILL && i < chunk.encoding.count; i++) {
        chunk.mask_count += task_is_mask(pipeline, &chunk.encoding, i);
    }
    if (chunk.prompt_token_count >= chunk.encoding.count) return chunks_fail_empty(out_error);
    Status status = globals_find(pipeline, options, arena, &chunk, out_error);
    if (status) return status;
    chunk.work = task_work(pipeline, options->task, &chunk);
    *out_chunk = chunk;
    return STATUS_OK;
}

ByteRange pipeline_chunk_range(const Prepared *whole, uint32_t index)
{
    const ChunkPlan *plan = &whole->chunks;
    TokenRange tokens = plan->items[index].tokens;
    uint32_t skipped = plan->of_pair ? 0 : whole->prompt_bytes;
    ByteRange range = {whole->encoding.offsets[tokens.begin].begin, whole->encoding.offsets[tokens.end - 1].end};
    range = byte_range_behind(range, skipped);
    if (range.end < range.begin) range.end = range.begin; /* a normalizer may swap characters */
    return sanitizer_original_range(plan->of_pair ? whole->pair_origin : whole->origin, range);
}

ChunkPlace pipeline_chunk_place(const Prepared *whole, uint32_t token, uint32_t hint)
{
    const ChunkPlan *plan = &whole->chunks;
    if (!pipeline_is_cut(whole)) return (ChunkPlace){0, token};
    uint32_t chunk = token < plan->cut.begin ? 0 : hint;
    while (chunk + 1 < plan->count && token >= plan->items[chunk].own.end) chunk++;
    TokenRange tokens = plan->items[chunk].tokens;
    if (token < plan->cut.begin) return (ChunkPlace){chunk, token};
    if (token < plan->cut.end) return (ChunkPlace){chunk, plan->cut.begin + token - tokens.begin};
    return (ChunkPlace){chunk, plan->cut.begin + (tokens.end - tokens.begin) + token - plan->cut.end};
}
