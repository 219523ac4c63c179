/* The steps run depth first: each part of a text goes through all later steps before the next part is cut off, so that
 * the scratch of a step is as large as one of its parts. The result is that of the library, which takes one step for
 * all parts after the other: no step looks beyond its part. */
#include "tokenizer/words.h"

#include "tokenizer/bytes.h"
#include "tokenizer/characters.h"
#include "unicode/utf8.h"

/* A part on its way. */
typedef struct WordPart {
    Words *words;
    uint32_t step; /* the next one */
    const Normalized *normalized;
    uint32_t begin; /* in `normalized`, which the step's ranges count from */
} WordPart;

static void words_step(Words *words, uint32_t step, const Normalized *normalized, ByteRange range);

void words_close(Words *words)
{
    for (uint32_t i = 0; i < PRE_TOKENIZER_COUNT_MAX; i++) normalized_close(&words->scratch[i]);
    *words = (Words){0};
}

static void words_emit(void *context, ByteRange part)
{
    const WordPart *from = context;
    words_step(from->words, from->step, from->normalized,
               (ByteRange){from->begin + part.begin, from->begin + part.end});
}

static bool words_matches(const PreTokenizer *step, uint32_t code_point)
{
    switch (step->kind) {
    case PRE_TOKENIZER_WHITE_SPACE:
        return (characters_flags(code_point) & CHARACTER_WHITE_SPACE) != 0;
    case PRE_TOKENIZER_PUNCTUATION:
        return (characters_flags(code_point) & CHARACTER_PUNCTUATION) != 0;
    case PRE_TOKENIZER_NUMERIC:
        return (characters_flags(code_point) & CHARACTER_NUMERIC) != 0;
    default:
        return code_point == step->character;
    }
}

static void words_split_characters(const PreTokenizer *step, WordPart *part, TextView text)
{
    Split split = {.behavior = step->behavior, .emit = words_emit, .context = part};
    for (uint32_t at = 0; at < text.size;) {
        uint32_t code_point, end = at + (uint32_t)utf8_decode(text.bytes + at, &code_point);
        if (words_matches(step, code_point)) split_match(&split, (ByteRange){at, end});
        at = end;
    }
    split_end(&split, (uint32_t)text.size);
}

static void words_split_pattern(const PreTokenizer *step, WordPart *part, TextView text)
{
    Split split = {.behavior = step->behavior, .invert = step->invert, .emit = words_emit, .context = part};
    PatternScan scan = pattern_scan(step->pattern, text);
    ByteRange match;
    while (pattern_next(&scan, &match)) split_match(&split, match);
    if (scan.failed) part->words->scratch[0].failed = NORMALIZED_TOO_SLOW;
    pattern_scan_close(&scan);
    split_end(&split, (uint32_t)text.size);
}

typedef enum WordClass { WORD_LETTER, WORD_SPACE, WORD_PUNCTUATION } WordClass;

static inline WordClass word_class_ascii(unsigned char byte)
{
    if (byte > ' ') {
        bool letter =
            (unsigned char)((byte | 0x20) - 'a') < 26 || (unsigned char)(byte - '0') < 10 || byte == 0x7F;
        return letter ? WORD_LETTER : WORD_PUNCTUATION;
    }
    return byte == ' ' || (byte >= '\t' && byte <= '\r') ? WORD_SPACE : WORD_LETTER;
}

static inline WordClass word_class(const char *bytes, uint32_t *out_size)
{
    if ((unsigned char)bytes[0] < 0x80) {
        *out_size = 1;
        return word_class_ascii((unsigned char)bytes[0]);
    }
    uint32_t code_point;
    *out_size = (uint32_t)utf8_decode(bytes, &code_point);
    unsigned flags = characters_flags(code_point);
    if (flags & CHARACTER_WHITE_SPACE) return WORD_SPACE;
    return flags & CHARACTER_PUNCTUATION ? WORD_PUNCTUATION : WORD_LETTER;
}

/* BertPreTokenizer, without a call a character: it is where WordPiece spends its time beside the look-ups. */
static void words_split_bert(WordPart *part, TextView text)
{
    uint32_t word = 0, size, end = (uint32_t)text.size;
    for (uint32_t at = 0; at < end; at += size) {
        WordClass class = word_class(text.bytes + at, &size);
        if (class == WORD_LETTER) continue;
        if (word < at) words_emit(part, (ByteRange){word, at});
        if (class == WORD_PUNCTUATION) words_emit(part, (ByteRange){at, at + size});
        word = at + size;
    }
    if (word < end) words_emit(part, (ByteRange){word, end});
}

/* \w+|[^\w\s]+ */
static void words_split_words(WordPart *part, TextView text)
{
    uint32_t begin = 0;
    unsigned last = CHARACTER_WHITE_SPACE;
    for (uint32_t at = 0; at < text.size;) {
        uint32_t code_point, size = (uint32_t)utf8_decode(text.bytes + at, &code_point);
        unsigned kind = characters_flags(code_point) & (CHARACTER_WORD | CHARACTER_WHITE_SPACE);
        if (kind != last) {
            if (last != CHARACTER_WHITE_SPACE) words_emit(part, (ByteRange){begin, at});
            begin = at;
            last = kind;
        }
        at += size;
    }
    if (last != CHARACTER_WHITE_SPACE) words_emit(part, (ByteRange){begin, (uint32_t)text.size});
}

/* What fits beside any script never starts a part; in front of the first that does not, it is lost. */
static void words_split_scripts(WordPart *part, TextView text)
{
    uint32_t begin = UINT32_MAX;
    unsigned last = CHARACTERS_SCRIPT_ANY;
    for (uint32_t at = 0; at < text.size;) {
        uint32_t code_point, size = (uint32_t)utf8_decode(text.bytes + at, &code_point);
        unsigned script = characters_script(code_point);
        if (script != CHARACTERS_SCRIPT_ANY && script != last) {
            if (begin != UINT32_MAX) words_emit(part, (ByteRange){begin, at});
            begin = at;
            last = script;
        }
        at += size;
    }
    if (begin != UINT32_MAX) words_emit(part, (ByteRange){begin, (uint32_t)text.size});
}

static void words_split_length(const PreTokenizer *step, WordPart *part, TextView text)
{
    uint32_t begin = 0, count = 0;
    for (uint32_t at = 0; at < text.size;) {
        uint32_t code_point;
        at += (uint32_t)utf8_decode(text.bytes + at, &code_point);
        if (++count < step->length && at < text.size) continue;
        words_emit(part, (ByteRange){begin, at});
        begin = at;
        count = 0;
    }
}

static bool words_starts_with(const Normalized *normalized, ByteRange range, TextView text)
{
    return range.end - range.begin >= text.size &&
           memcmp(normalized->bytes + range.begin, text.bytes, text.size) == 0;
}

static void words_metaspace(const PreTokenizer *step, const Normalized *from, ByteRange range, Normalized *to)
{
    char bytes[UTF8_BYTES_MAX];
    const TextView replacement = {bytes, utf8_write(step->character, bytes)};
    bool starts = from->bytes[range.begin] == ' ' || words_starts_with(from, range, replacement);
    bool wanted = step->prepend == PREPEND_ALWAYS ||
                  (step->prepend == PREPEND_FIRST && from->origins[range.begin].begin == 0);
    if (wanted && !starts) normalized_append_text(to, replacement, from->origins[range.begin]);
    for (uint32_t at = range.begin, end; at < range.end; at = end) {
        const char *space = memchr(from->bytes + at, ' ', range.end - at);
        end = space ? (uint32_t)(space - from->bytes) : range.end;
        normalized_append_range(to, from, at, end);
        if (!space) break;
        normalized_append_text(to, replacement, from->origins[end]);
        end++;
    }
}

/* The steps that change the text. */
static void words_rewrite(Words *words, uint32_t step, const Normalized *from, ByteRange range)
{
    const PreTokenizer *item = &words->tokenizer->pre_tokenizers.items[step];
    Normalized *to = &words->scratch[step];
    to->size = 0;
    to->size_max = words->size_max;
    to->begin = from->origins[range.begin].begin;
    if (item->kind == PRE_TOKENIZER_METASPACE)
        words_metaspace(item, from, range, to);
    else if (item->kind == PRE_TOKENIZER_BYTES)
        bytes_map(from, range.begin, range.end, to);
    else
        normalizer_prepend(text_view(" "), from, range.begin, range.end, to);
    if (!to->failed)
        words_step(words, step + 1, to, (ByteRange){0, to->size});
    else
        words->scratch[0].failed = to->failed;
}

static void words_split(Words *words, uint32_t step, const Normalized *normalized, ByteRange range)
{
    const PreTokenizer *item = &words->tokenizer->pre_tokenizers.items[step];
    const TextView text = {normalized->bytes + range.begin, range.end - range.begin};
    WordPart part = {words, step + 1, normalized, range.begin};
    switch (item->kind) {
    case PRE_TOKENIZER_BERT:
        words_split_bert(&part, text);
        return;
    case PRE_TOKENIZER_PATTERN:
        words_split_pattern(item, &part, text);
        return;
    case PRE_TOKENIZER_WORDS:
        words_split_words(&part, text);
        return;
    case PRE_TOKENIZER_SCRIPTS:
        words_split_scripts(&part, text);
        return;
    case PRE_TOKENIZER_LENGTH:
        words_split_length(item, &part, text);
        return;
    default:
        words_split_characters(item, &part, text);
        return;
    }
}

static void words_step(Words *words, uint32_t step, const Normalized *normalized, ByteRange range)
{
    const Tokenizer *tokenizer = words->tokenizer;
    if (words->scratch[0].failed) return;
    if (step == tokenizer->pre_tokenizers.count) {
        model_split(&tokenizer->model, normalized, range.begin, range.end, words->collector);
        return;
    }
    switch (tokenizer->pre_tokenizers.items[step].kind) {
    case PRE_TOKENIZER_PREFIX_SPACE:
        if (normalized->bytes[range.begin] == ' ') {
            words_step(words, step + 1, normalized, range);
            return;
        }
        words_rewrite(words, step, normalized, range);
        return;
    case PRE_TOKENIZER_BYTES:
    case PRE_TOKENIZER_METASPACE:
        words_rewrite(words, step, normalized, range);
        return;
    default:
        words_split(words, step, normalized, range);
        return;
    }
}

Status words_push(Words *words, const Normalized *normalized, ByteRange range, Error *out_error)
{
    words->size_max = normalized_size_max(range.end - range.begin);
    words_step(words, 0, normalized, range);
    return normalized_check(&words->scratch[0], out_error);
}
