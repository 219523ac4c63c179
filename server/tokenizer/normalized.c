/* BertNormalizer: clean_text, handle_chinese_chars, strip_accents (NFD without Mn), lowercase, in this order and
 * with the alignments that the library's NormalizedString would have after the four passes.
 *
 * Every pass keeps, splits or drops single characters, so one walk over the text does all four. Only NFD looks
 * further: a run of characters with a combining class is sorted by it. The library then gives the origins away in
 * the order of the sorted run: the k-th character that starts a decomposition gets the k-th original character,
 * whichever it came from; the others share with the one before. */
#include "tokenizer/normalized.h"

#include "tokenizer/characters.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

struct NormalizedMark {
    uint32_t code_point;
    uint8_t combining_class;
    bool first; /* of its decomposition */
    ByteRange origin;
};

enum {
    NORMALIZED_CAPACITY_MIN = 256,
    NORMALIZED_MARKS_MIN = 32,
    MARKS_INSERTION_MAX = 24, /* longer runs are counted by class: a hostile text is one run */
};

void normalized_prepare(BertNormalizer *normalizer)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        unsigned out = byte;
        if (normalizer->clean_text) {
            unsigned flags = characters_flags(byte);
            if (flags & CHARACTER_CONTROL)
                out = NORMALIZED_DROPPED;
            else if (flags & CHARACTER_WHITE_SPACE)
                out = ' ';
        }
        if (normalizer->lowercase && out >= 'A' && out <= 'Z') out += 'a' - 'A';
        normalizer->ascii[byte] = (unsigned char)out;
    }
}

void normalized_close(Normalized *normalized)
{
    free(normalized->bytes);
    free(normalized->origins);
    free(normalized->marks);
    *normalized = (Normalized){0};
}

/* Makes room for `more` bytes; false: out of memory. */
static bool normalized_reserve(Normalized *normalized, uint32_t more)
{
    if (normalized->capacity - normalized->size >= more) return true;
    uint32_t capacity = normalized->capacity + normalized->capacity / 2 + more;
    if (capacity < NORMALIZED_CAPACITY_MIN) capacity = NORMALIZED_CAPACITY_MIN;
    char *bytes = realloc(normalized->bytes, capacity);
    if (bytes) normalized->bytes = bytes;
    ByteRange *origins = realloc(normalized->origins, capacity * sizeof *origins);
    if (origins) normalized->origins = origins;
    if (!bytes || !origins) {
        normalized->failed = true;
        return false;
    }
    normalized->capacity = capacity;
    return true;
}

static void normalized_append(Normalized *normalized, uint32_t code_point, ByteRange origin)
{
    if (!normalized_reserve(normalized, UTF8_BYTES_MAX)) return;
    size_t size = utf8_write(code_point, normalized->bytes + normalized->size);
    for (size_t i = 0; i < size; i++) normalized->origins[normalized->size + i] = origin;
    normalized->size += (uint32_t)size;
}

/* The passes after NFD. */
static void normalized_finish(Normalized *normalized, const BertNormalizer *normalizer, uint32_t code_point,
                              ByteRange origin)
{
    unsigned flags = characters_flags(code_point);
    if (normalizer->strip_accents && flags & CHARACTER_MARK) return;
    if (!normalizer->lowercase || !(flags & CHARACTER_CAPITAL)) {
        normalized_append(normalized, code_point, origin);
        return;
    }
    uint32_t lower[UNICODE_LOWERCASE_MAX];
    unsigned count = characters_lowercase(code_point, lower);
    for (unsigned i = 0; i < count; i++) normalized_append(normalized, lower[i], origin);
}

static bool marks_sorted(const NormalizedMark *marks, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (marks[i].combining_class < marks[i - 1].combining_class) return false;
    }
    return true;
}

/* Writes `marks` to `sorted` in the order of their classes; stable. */
static void marks_sort(const NormalizedMark *marks, uint32_t count, NormalizedMark *sorted)
{
    if (count <= MARKS_INSERTION_MAX) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = i;
            for (; at > 0 && sorted[at - 1].combining_class > marks[i].combining_class; at--)
                sorted[at] = sorted[at - 1];
            sorted[at] = marks[i];
        }
        return;
    }
    uint32_t starts[257] = {0};
    for (uint32_t i = 0; i < count; i++) starts[marks[i].combining_class + 1]++;
    for (int i = 0; i < 256; i++) starts[i + 1] += starts[i];
    for (uint32_t i = 0; i < count; i++) sorted[starts[marks[i].combining_class]++] = marks[i];
}

/* Gives the origins of `marks`, which are in the text's order, to `sorted`: see this file's opening comment. */
static void marks_give_origins(const NormalizedMark *marks, uint32_t count, NormalizedMark *sorted)
{
    const NormalizedMark *giver = marks;
    for (uint32_t i = 0; i < count; i++) {
        if (sorted[i].first) {
            while (!giver->first) giver++;
            sorted[i].origin = giver++->origin;
        } else if (i > 0) {
            sorted[i].origin = sorted[i - 1].origin;
        }
    }
}

/* Ends the run of marks: what follows has no combining class. */
static void normalized_flush(Normalized *normalized, const BertNormalizer *normalizer)
{
    uint32_t count = normalized->mark_count;
    const NormalizedMark *marks = normalized->marks;
    NormalizedMark few[MARKS_INSERTION_MAX], *many = NULL;
    normalized->mark_count = 0;
    if (!marks_sorted(marks, count)) {
        NormalizedMark *sorted = few;
        if (count > MARKS_INSERTION_MAX) sorted = many = malloc(count * sizeof *many);
        if (!sorted) {
            normalized->failed = true;
            return;
        }
        marks_sort(marks, count, sorted);
        marks_give_origins(marks, count, sorted);
        marks = sorted;
    }
    for (uint32_t i = 0; i < count && !normalized->failed; i++) {
        normalized_finish(normalized, normalizer, marks[i].code_point, marks[i].origin);
    }
    free(many);
}

static void normalized_push_mark(Normalized *normalized, NormalizedMark mark)
{
    if (normalized->mark_count == normalized->mark_capacity) {
        uint32_t capacity = normalized->mark_capacity + normalized->mark_capacity / 2 + NORMALIZED_MARKS_MIN;
        NormalizedMark *marks = realloc(normalized->marks, capacity * sizeof *marks);
        if (!marks) {
            normalized->failed = true;
            return;
        }
        normalized->marks = marks;
        normalized->mark_capacity = capacity;
    }
    normalized->marks[normalized->mark_count++] = mark;
}

/* NFD and what follows it. */
static void normalized_decompose(Normalized *normalized, const BertNormalizer *normalizer, uint32_t code_point,
                                 ByteRange origin)
{
    if (!normalizer->strip_accents) {
        normalized_finish(normalized, normalizer, code_point, origin);
        return;
    }
    uint32_t parts[UNICODE_DECOMPOSITION_MAX] = {code_point};
    unsigned count = 1;
    if (characters_flags(code_point) & CHARACTER_DECOMPOSES) count = characters_decompose(code_point, parts);
    for (unsigned i = 0; i < count && !normalized->failed; i++) {
        if (characters_flags(parts[i]) & CHARACTER_COMBINES) {
            uint8_t combining_class = characters_combining_class(parts[i]);
            normalized_push_mark(normalized, (NormalizedMark){parts[i], combining_class, i == 0, origin});
        } else {
            if (normalized->mark_count) normalized_flush(normalized, normalizer);
            normalized_finish(normalized, normalizer, parts[i], origin);
        }
    }
}

static void normalized_character(Normalized *normalized, const BertNormalizer *normalizer, uint32_t code_point,
                                 ByteRange origin)
{
    unsigned flags = characters_flags(code_point);
    if (normalizer->clean_text) {
        if (flags & CHARACTER_CONTROL) return;
        if (flags & CHARACTER_WHITE_SPACE) code_point = ' ';
    }
    bool spaced = normalizer->handle_chinese_chars && flags & CHARACTER_CHINESE;
    if (spaced) normalized_decompose(normalized, normalizer, ' ', origin);
    normalized_decompose(normalized, normalizer, code_point, origin);
    if (spaced) normalized_decompose(normalized, normalizer, ' ', origin);
}

/* The bytes of text[at, end) up to the first that is not ASCII; room for them is reserved. */
static uint32_t normalized_ascii(Normalized *normalized, const BertNormalizer *normalizer, TextView text,
                                 uint32_t at, uint32_t end)
{
    uint32_t stop = at;
    while (stop < end && (unsigned char)text.bytes[stop] < 0x80) stop++;
    if (normalized->mark_count) normalized_flush(normalized, normalizer);
    if (!normalized_reserve(normalized, stop - at)) return stop;
    char *bytes = normalized->bytes;
    ByteRange *origins = normalized->origins;
    uint32_t size = normalized->size;
    for (; at < stop; at++) {
        unsigned char out = normalizer->ascii[(unsigned char)text.bytes[at]];
        bytes[size] = (char)out;
        origins[size] = (ByteRange){at, at + 1};
        size += out != NORMALIZED_DROPPED; /* no branch: the next byte overwrites it */
    }
    normalized->size = size;
    return stop;
}

static void normalized_copy(Normalized *normalized, TextView text, ByteRange range)
{
    uint32_t code_point;
    for (uint32_t at = range.begin; at < range.end && !normalized->failed;) {
        uint32_t size = (uint32_t)utf8_decode(text.bytes + at, &code_point);
        normalized_append(normalized, code_point, (ByteRange){at, at + size});
        at += size;
    }
}

Status normalized_fill(Normalized *normalized, const BertNormalizer *normalizer, TextView text, ByteRange range,
                       Error *out_error)
{
    assert(range.begin <= range.end && range.end <= text.size && normalized->mark_count == 0);
    normalized->size = 0;
    if (!normalizer->enabled) {
        normalized_copy(normalized, text, range);
    } else {
        for (uint32_t at = range.begin; at < range.end && !normalized->failed;) {
            if ((unsigned char)text.bytes[at] < 0x80) {
                at = normalized_ascii(normalized, normalizer, text, at, range.end);
                continue;
            }
            uint32_t code_point;
            uint32_t size = (uint32_t)utf8_decode(text.bytes + at, &code_point);
            normalized_character(normalized, normalizer, code_point, (ByteRange){at, at + size});
            at += size;
        }
        if (normalized->mark_count && !normalized->failed) normalized_flush(normalized, normalizer);
    }
    if (!normalized->failed) return STATUS_OK;
    normalized->failed = false;
    normalized->mark_count = 0;
    return error_set(out_error, STATUS_NO_MEMORY, "no memory to normalize %u bytes of text",
                     range.end - range.begin);
}
