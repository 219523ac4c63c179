/* BertNormalizer: clean_text, handle_chinese_chars, strip_accents (NFD without Mn), lowercase, in this order and
 * with the alignments that the library's NormalizedString would have after the four passes.
 *
 * Every pass keeps, splits or drops single characters, so one walk over the text does all four. Only NFD looks
 * further: a run of characters with a combining class is sorted by it. The library then gives the origins away in
 * the order of the sorted run: the k-th character that starts a decomposition gets the k-th original character,
 * whichever it came from; the others share with the one before. */
#include "tokenizer/bert_normalizer.h"

#include "tokenizer/characters.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

typedef struct Mark {
    uint32_t code_point;
    uint8_t combining_class;
    bool first; /* of its decomposition */
    ByteRange origin;
} Mark;

/* One text on its way. */
typedef struct BertPass {
    const BertNormalizer *normalizer;
    Normalized *out;
    Mark *marks; /* [mark_capacity]: a run of combining marks, until it can be sorted */
    uint32_t mark_count;
    uint32_t mark_capacity;
} BertPass;

enum {
    MARKS_CAPACITY_MIN = 32,
    MARKS_INSERTION_MAX = 24, /* longer runs are counted by class: a hostile text is one run */
};

void bert_normalizer_prepare(BertNormalizer *normalizer)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        unsigned out = byte;
        if (normalizer->clean_text) {
            unsigned flags = characters_flags(byte);
            if (flags & CHARACTER_CONTROL)
                out = BERT_DROPPED;
            else if (flags & CHARACTER_WHITE_SPACE)
                out = ' ';
        }
        if (normalizer->lowercase && out >= 'A' && out <= 'Z') out += 'a' - 'A';
        normalizer->ascii[byte] = (unsigned char)out;
    }
}

/* The passes after NFD. */
static void bert_finish(BertPass *pass, uint32_t code_point, ByteRange origin)
{
    unsigned flags = characters_flags(code_point);
    if (pass->normalizer->strip_accents && flags & CHARACTER_MARK) return;
    if (!pass->normalizer->lowercase || !(flags & CHARACTER_CAPITAL)) {
        normalized_append(pass->out, code_point, origin);
        return;
    }
    uint32_t lower[UNICODE_LOWERCASE_MAX];
    unsigned count = characters_lowercase(code_point, lower);
    for (unsigned i = 0; i < count; i++) normalized_append(pass->out, lower[i], origin);
}

static bool marks_sorted(const Mark *marks, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (marks[i].combining_class < marks[i - 1].combining_class) return false;
    }
    return true;
}

/* Writes `marks` to `sorted` in the order of their classes; stable. */
static void marks_sort(const Mark *marks, uint32_t count, Mark *sorted)
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
static void marks_give_origins(const Mark *marks, uint32_t count, Mark *sorted)
{
    const Mark *giver = marks;
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
static void bert_flush(BertPass *pass)
{
    uint32_t count = pass->mark_count;
    const Mark *marks = pass->marks;
    Mark few[MARKS_INSERTION_MAX], *many = NULL;
    pass->mark_count = 0;
    if (!marks_sorted(marks, count)) {
        Mark *sorted = few;
        if (count > MARKS_INSERTION_MAX) sorted = many = malloc(count * sizeof *many);
        if (!sorted) {
            pass->out->failed = true;
            return;
        }
        marks_sort(marks, count, sorted);
        marks_give_origins(marks, count, sorted);
        marks = sorted;
    }
    for (uint32_t i = 0; i < count && !pass->out->failed; i++) {
        bert_finish(pass, marks[i].code_point, marks[i].origin);
    }
    free(many);
}

static void bert_push_mark(BertPass *pass, Mark mark)
{
    if (pass->mark_count == pass->mark_capacity) {
        uint32_t capacity = pass->mark_capacity + pass->mark_capacity / 2 + MARKS_CAPACITY_MIN;
        Mark *marks = realloc(pass->marks, capacity * sizeof *marks);
        if (!marks) {
            pass->out->failed = true;
            return;
        }
        pass->marks = marks;
        pass->mark_capacity = capacity;
    }
    pass->marks[pass->mark_count++] = mark;
}

/* NFD and what follows it. */
static void bert_decompose(BertPass *pass, uint32_t code_point, ByteRange origin)
{
    if (!pass->normalizer->strip_accents) {
        bert_finish(pass, code_point, origin);
        return;
    }
    uint32_t parts[UNICODE_DECOMPOSITION_MAX] = {code_point};
    unsigned count = 1;
    if (characters_flags(code_point) & CHARACTER_DECOMPOSES) count = characters_decompose(code_point, parts);
    for (unsigned i = 0; i < count && !pass->out->failed; i++) {
        if (characters_flags(parts[i]) & CHARACTER_COMBINES) {
            uint8_t combining_class = characters_combining_class(parts[i]);
            bert_push_mark(pass, (Mark){parts[i], combining_class, i == 0, origin});
        } else {
            if (pass->mark_count) bert_flush(pass);
            bert_finish(pass, parts[i], origin);
        }
    }
}

static void bert_character(BertPass *pass, uint32_t code_point, ByteRange origin)
{
    unsigned flags = characters_flags(code_point);
    if (pass->normalizer->clean_text) {
        if (flags & CHARACTER_CONTROL) return;
        if (flags & CHARACTER_WHITE_SPACE) code_point = ' ';
    }
    bool spaced = pass->normalizer->handle_chinese_chars && flags & CHARACTER_CHINESE;
    if (spaced) bert_decompose(pass, ' ', origin);
    bert_decompose(pass, code_point, origin);
    if (spaced) bert_decompose(pass, ' ', origin);
}

/* The bytes of text[at, end) up to the first that is not ASCII; room for them is reserved. */
static uint32_t bert_ascii(BertPass *pass, TextView text, uint32_t at, uint32_t end)
{
    uint32_t stop = at;
    while (stop < end && (unsigned char)text.bytes[stop] < 0x80) stop++;
    if (pass->mark_count) bert_flush(pass);
    if (!normalized_reserve(pass->out, stop - at)) return stop;
    char *bytes = pass->out->bytes;
    ByteRange *origins = pass->out->origins;
    uint32_t size = pass->out->size;
    for (; at < stop; at++) {
        unsigned char out = pass->normalizer->ascii[(unsigned char)text.bytes[at]];
        bytes[size] = (char)out;
        origins[size] = (ByteRange){at, at + 1};
        size += out != BERT_DROPPED; /* no branch: the next byte overwrites it */
    }
    pass->out->size = size;
    return stop;
}

void bert_normalizer_run(const BertNormalizer *normalizer, TextView text, ByteRange range, Normalized *out)
{
    assert(range.begin <= range.end && range.end <= text.size);
    BertPass pass = {.normalizer = normalizer, .out = out};
    out->size = 0;
    out->begin = range.begin;
    for (uint32_t at = range.begin; at < range.end && !out->failed;) {
        if ((unsigned char)text.bytes[at] < 0x80) {
            at = bert_ascii(&pass, text, at, range.end);
            continue;
        }
        uint32_t code_point;
        uint32_t size = (uint32_t)utf8_decode(text.bytes + at, &code_point);
        bert_character(&pass, code_point, (ByteRange){at, at + size});
        at += size;
    }
    if (pass.mark_count && !out->failed) bert_flush(&pass);
    free(pass.marks);
}
