/* Where a text is best cut: between paragraphs, sentences or words. By characters alone, so that a place's rank depends
 * on nothing but what stands right beside it. */
#include "pipeline/pipeline_state.h"
#include "unicode/property.h"
#include "unicode/utf8.h"

enum {
    BLANKS_READ_MAX = 32, /* to each side: who puts more between words has a border anyway */
    CLOSERS_READ_MAX = 4, /* brackets and quotes behind a sentence's end */
};

enum { RANK_NONE, RANK_PUNCTUATION, RANK_WORD, RANK_SENTENCE, RANK_PARAGRAPH };

/* What stands around a place. A code point of 0 is the text's edge. */
typedef struct Surroundings {
    bool blank;
    unsigned line_breaks;
    uint32_t before; /* the last character that is no white space */
    size_t before_at;
    uint32_t after;
} Surroundings;

static void surroundings_count(Surroundings *around, uint32_t blank)
{
    around->blank = true;
    around->line_breaks += blank == '\n' ? 1 : blank == 0x2029 ? 2 : 0;
}

static Surroundings surroundings_read(TextView text, uint32_t at)
{
    Surroundings around = {.before_at = at};
    uint32_t code_point;
    size_t forward = at;
    for (unsigned i = 0; i < BLANKS_READ_MAX && forward < text.size; i++) {
        forward += utf8_decode(text.bytes + forward, &code_point);
        around.after = code_point;
        if (!unicode_is_white_space(code_point)) break;
        surroundings_count(&around, code_point);
    }
    for (unsigned i = 0; i < BLANKS_READ_MAX && around.before_at > 0; i++) {
        around.before_at = utf8_previous(text.bytes, around.before_at);
        utf8_decode(text.bytes + around.before_at, &code_point);
        around.before = code_point;
        if (!unicode_is_white_space(code_point)) break;
        surroundings_count(&around, code_point);
    }
    return around;
}

static bool closes_sentence(uint32_t code_point)
{
    return code_point == '"' || code_point == '\'' ||
           (unicode_category(code_point) & (UNICODE_PE | UNICODE_PF | UNICODE_PI)) != 0;
}

/* "He said so.)" ends a sentence, and "3.14" none: a full stop of ASCII wants white space behind it. */
static bool sentence_ends(TextView text, const Surroundings *around)
{
    uint32_t code_point = around->before;
    size_t at = around->before_at;
    for (unsigned i = 0; i < CLOSERS_READ_MAX && at > 0 && closes_sentence(code_point); i++) {
        at = utf8_previous(text.bytes, at);
        utf8_decode(text.bytes + at, &code_point);
    }
    return unicode_ends_sentence(code_point) && (around->blank || code_point >= 0x80);
}

unsigned borders_rank(TextView text, uint32_t at)
{
    if (at >= text.size || ((unsigned char)text.bytes[at] & 0xC0) == 0x80) return RANK_NONE;
    Surroundings around = surroundings_read(text, at);
    if (around.line_breaks >= 2) return RANK_PARAGRAPH;
    if (sentence_ends(text, &around)) return RANK_SENTENCE;
    if (around.blank) return RANK_WORD;
    return unicode_is_word(around.before) && unicode_is_word(around.after) ? RANK_NONE : RANK_PUNCTUATION;
}
