/* BertNormalizer: clean_text, handle_chinese_chars, strip_accents (NFD without Mn), lowercase, in this order and
 * with the alignments that the library's NormalizedString would have after the four passes.
 *
 * Every pass keeps, splits or drops single characters, so one walk over the text does all four. Only NFD looks
 * further: a run of characters with a combining class is sorted by it. */
#include "tokenizer/bert_normalizer.h"

#include "tokenizer/characters.h"
#include "tokenizer/marks.h"
#include "unicode/utf8.h"

#include <assert.h>

/* One text on its way. */
typedef struct BertPass {
    const BertNormalizer *normalizer;
    Normalized *out;
    MarkRun marks;
} BertPass;

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

/* The library gives the origins away in the order of the sorted run: the k-th mark that starts a decomposition gets
 * the k-th original character, the others share with the one before. */
static void bert_flush(BertPass *pass)
{
    const Mark *sorted = marks_sort(&pass->marks), *giver = pass->marks.marks;
    ByteRange origin = sorted[0].origin;
    for (uint32_t i = 0; i < pass->marks.count; i++) {
        if (sorted[i].first) {
            while (!giver->first) giver++;
            origin = giver++->origin;
        }
        bert_finish(pass, sorted[i].code_point, origin);
    }
    pass->marks.count = 0;
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
    if (characters_flags(code_point) & CHARACTER_DECOMPOSES)
        count = characters_decompose(code_point, false, parts);
    for (unsigned i = 0; i < count && !pass->out->failed; i++) {
        if (characters_flags(parts[i]) & CHARACTER_COMBINES) {
            uint8_t combining_class = characters_combining_class(parts[i]);
            Mark mark = {parts[i], combining_class, i == 0, origin};
            if (!marks_push(&pass->marks, mark)) pass->out->failed = NORMALIZED_NO_MEMORY;
        } else {
            if (pass->marks.count) bert_flush(pass);
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
    if (pass->marks.count) bert_flush(pass);
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
    if (pass.marks.count && !out->failed) bert_flush(&pass);
    marks_close(&pass.marks);
}
