#include "unicode/words.h"

#include "unicode/property.h"
#include "unicode/utf8.h"

#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utext.h>

UnicodeWords unicode_words_open(TextView text, uint32_t from)
{
    return (UnicodeWords){.text = text, .at = from};
}

void unicode_words_close(UnicodeWords *words)
{
    if (words->breaks) ubrk_close(words->breaks);
    words->breaks = NULL;
}

static bool is_without_spaces(uint32_t code_point)
{
    if (code_point < 0x0E00) return false; /* the first of them is Thai */
    if (unicode_is_without_spaces(code_point)) return true;
    switch (u_getIntPropertyValue((UChar32)code_point, UCHAR_SCRIPT)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
        return true;
    default:
        return false;
    }
}

/* Has ICU find the words of a run of letters. */
static bool words_cut(UnicodeWords *words, ByteRange run)
{
    UErrorCode code = U_ZERO_ERROR;
    UText text = UTEXT_INITIALIZER;
    if (!words->breaks) words->breaks = ubrk_open(UBRK_WORD, "", NULL, 0, &code);
    utext_openUTF8(&text, words->text.bytes + run.begin, run.end - run.begin, &code);
    if (U_SUCCESS(code)) ubrk_setUText(words->breaks, &text, &code); /* keeps a clone of its own */
    utext_close(&text);
    return U_SUCCESS(code);
}

/* The next one of them; false: the run is over. */
static bool words_next_piece(UnicodeWords *words, ByteRange *out_word)
{
    int32_t end = words->at < words->run.end ? ubrk_next(words->breaks) : UBRK_DONE;
    if (end == UBRK_DONE) return false;
    *out_word = (ByteRange){words->at, words->run.begin + (uint32_t)end};
    words->at = out_word->end;
    return true;
}

static bool words_find_run(const UnicodeWords *words, ByteRange *out_run, bool *out_without_spaces)
{
    uint32_t code_point = 0, size, at = words->at;
    *out_without_spaces = false;
    for (; at < words->text.size; at += size) {
        size = (uint32_t)utf8_decode(words->text.bytes + at, &code_point);
        if (unicode_is_word(code_point)) break;
    }
    *out_run = (ByteRange){at, at};
    for (; at < words->text.size; at += size) {
        size = (uint32_t)utf8_decode(words->text.bytes + at, &code_point);
        if (!unicode_is_word(code_point)) break;
        *out_without_spaces = *out_without_spaces || is_without_spaces(code_point);
    }
    out_run->end = at;
    return out_run->end > out_run->begin;
}

bool unicode_words_next(UnicodeWords *words, ByteRange *out_word)
{
    ByteRange run;
    bool without_spaces;
    if (words_next_piece(words, out_word)) return true;
    if (!words_find_run(words, &run, &without_spaces)) return false;
    if (without_spaces && words_cut(words, run)) {
        words->run = run;
        words->at = run.begin;
        return words_next_piece(words, out_word);
    }
    *out_word = run;
    words->at = run.end;
    return true;
}
