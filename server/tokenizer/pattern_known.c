/* Each of these tries, in this order: a contraction; letters behind at most one other character; digits; other
 * characters; white space up to a line's end; white space, which leaves its last character to a word that follows. */
#include "tokenizer/pattern_known.h"

#include "tokenizer/pattern_class.h"
#include "unicode/utf8.h"

struct PatternKnown {
    const char *source;
    bool lines; /* what is not a letter, digit or line end may lead letters; line ends are matches of their own */
    uint32_t digit_max; /* of one match; 0: any number, and a space may lead them */
};

#define LINES_HEAD "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define LINES_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const PatternKnown KNOWN[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", false, 0}, /* GPT-2 */
    {LINES_HEAD "\\p{N}{1,3}" LINES_TAIL, true, 3}, /* cl100k, Llama 3 */
    {LINES_HEAD "\\p{N}" LINES_TAIL, true, 1},      /* Qwen 2 */
};

/* What these expressions tell apart. */
typedef enum KnownClass { KNOWN_LETTER, KNOWN_DIGIT, KNOWN_SPACE, KNOWN_OTHER, KNOWN_END } KnownClass;

const PatternKnown *pattern_known_find(TextView source)
{
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (text_equal(source, text_view(KNOWN[i].source))) return &KNOWN[i];
    }
    return NULL;
}

static KnownClass known_class_wide(const char *bytes, uint32_t *out_size)
{
    uint32_t code_point;
    *out_size = (uint32_t)utf8_decode(bytes, &code_point);
    unsigned class = pattern_class(code_point);
    if (class & PATTERN_LETTER) return KNOWN_LETTER;
    if (class & PATTERN_DIGIT) return KNOWN_DIGIT;
    return class & PATTERN_SPACE ? KNOWN_SPACE : KNOWN_OTHER;
}

/* The class and size of the character at `at`; KNOWN_END and 0 at the end. */
static inline KnownClass known_class(TextView text, uint32_t at, uint32_t *out_size)
{
    *out_size = at < text.size;
    if (at >= text.size) return KNOWN_END;
    unsigned char byte = (unsigned char)text.bytes[at];
    if (byte >= 0x80) return known_class_wide(text.bytes + at, out_size);
    if ((unsigned char)((byte | 0x20) - 'a') < 26) return KNOWN_LETTER;
    if ((unsigned char)(byte - '0') < 10) return KNOWN_DIGIT;
    return byte == ' ' || (byte >= '\t' && byte <= '\r') ? KNOWN_SPACE : KNOWN_OTHER;
}

/* Where the characters of `class` from `at` on end. */
static inline uint32_t known_run(TextView text, uint32_t at, KnownClass class)
{
    uint32_t size;
    while (known_class(text, at, &size) == class) at += size;
    return at;
}

static bool known_letters(TextView text, uint32_t at, const char *letters, bool caseless)
{
    for (size_t i = 0; letters[i]; i++) {
        if (at + i >= text.size) return false;
        char byte = text.bytes[at + i];
        if (caseless && byte >= 'A' && byte <= 'Z') byte = (char)(byte | 0x20);
        if (byte != letters[i]) return false;
    }
    return true;
}

/* The size of the contraction at `at`; 0: there is none. U+017F is an "s" where case is ignored. */
static uint32_t known_contraction(TextView text, uint32_t at, bool caseless)
{
    static const char *const ENDINGS[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (text.bytes[at] != '\'') return 0;
    for (size_t i = 0; i < sizeof ENDINGS / sizeof ENDINGS[0]; i++) {
        if (known_letters(text, at + 1, ENDINGS[i], caseless)) return 1 + (uint32_t)strlen(ENDINGS[i]);
    }
    return caseless && known_letters(text, at + 1, "\xC5\xBF", false) ? 3 : 0;
}

static bool known_line_end(TextView text, uint32_t at)
{
    return at < text.size && (text.bytes[at] == '\r' || text.bytes[at] == '\n');
}

static uint32_t known_digits(TextView text, uint32_t at, uint32_t digit_max)
{
    uint32_t size;
    if (digit_max == 0) return known_run(text, at, KNOWN_DIGIT);
    for (uint32_t i = 0; i < digit_max && known_class(text, at, &size) == KNOWN_DIGIT; i++) at += size;
    return at;
}

static uint32_t known_others(TextView text, uint32_t at, bool lines)
{
    at = known_run(text, at, KNOWN_OTHER);
    while (lines && known_line_end(text, at)) at++;
    return at;
}

static uint32_t known_space(TextView text, uint32_t at, uint32_t size, bool lines)
{
    uint32_t end = known_run(text, at, KNOWN_SPACE);
    for (uint32_t line = end; lines && line > at; line--) {
        if (known_line_end(text, line - 1)) return line;
    }
    if (end == text.size || end == at + size) return end;
    return (uint32_t)utf8_previous(text.bytes, end);
}

uint32_t pattern_known_end(const PatternKnown *known, TextView text, uint32_t at)
{
    uint32_t size, next_size, contraction = known_contraction(text, at, known->lines);
    if (contraction) return at + contraction;
    KnownClass class = known_class(text, at, &size);
    if (class == KNOWN_LETTER) return known_run(text, at + size, KNOWN_LETTER);
    if (class == KNOWN_DIGIT) return known_digits(text, at, known->digit_max);
    KnownClass next = known_class(text, at + size, &next_size);
    bool space = text.bytes[at] == ' ';
    if (next == KNOWN_LETTER && (space || (known->lines && !known_line_end(text, at)))) {
        return known_run(text, at + size + next_size, KNOWN_LETTER);
    }
    if (space && next == KNOWN_DIGIT && known->digit_max == 0) return known_run(text, at + size, KNOWN_DIGIT);
    if (class == KNOWN_OTHER || (space && next == KNOWN_OTHER)) return known_others(text, at + size, known->lines);
    return known_space(text, at, size, known->lines);
}
