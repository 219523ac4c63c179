/* Words spelled out with gaps, and with digits and signs in place of letters. Both are looked for only where they are
 * enabled: lists of initials and names of products are spelled so, too. */
#include "sanitizer/run.h"
#include "unicode/utf8.h"

enum { SPLIT_LETTERS_MIN = 4, LEET_SIZE_MIN = 4, LEET_SIZE_MAX = 24 };

static bool spelling_is_upper(uint32_t code_point)
{
    return code_point >= 'A' && code_point <= 'Z';
}

static bool spelling_is_letter(const Item *item)
{
    uint32_t lower = item->code_point | 0x20;
    if (item->code_point < 0x80) return lower >= 'a' && lower <= 'z';
    return (item->classes & CLASS_WORD) && (item->classes & CLASSES_SCRIPTS);
}

static bool spelling_is_word(const SanitizeRun *run, uint32_t index)
{
    return index < run->count && (run->items[index].classes & CLASS_WORD);
}

static bool spelling_is_one_of(const SanitizeRun *run, uint32_t index, const char *ascii)
{
    uint32_t code_point = run->items[index].code_point;
    return code_point > 0 && code_point < 0x80 && strchr(ascii, (int)code_point);
}

/* ---- Gaps ---- */

static bool split_is_gap(const SanitizeRun *run, uint32_t index)
{
    uint32_t code_point = run->items[index].code_point;
    return spelling_is_one_of(run, index, " .-_*~") || code_point == 0xA0 || code_point == 0xB7 ||
           code_point == 0x2022;
}

/* Where a word ends whose letters, from `begin` on, have the same gap between them. */
static uint32_t split_end(const SanitizeRun *run, uint32_t begin)
{
    const Item *items = run->items;
    if (begin + 2 >= run->count || !split_is_gap(run, begin + 1)) return begin + 1;
    uint32_t gap = items[begin + 1].code_point, at = begin;
    while (at + 2 < run->count && items[at + 1].code_point == gap && spelling_is_letter(&items[at + 2])) {
        if (spelling_is_word(run, at + 3) && items[at + 3].code_point != gap) break;
        at += 2;
    }
    return at + 1;
}

/* Not within a word, and not behind another gap of one: a.b c d e. */
static bool split_may_begin(const SanitizeRun *run, uint32_t at)
{
    if (at == 0) return true;
    if (spelling_is_word(run, at - 1)) return false;
    return at == 1 || run->items[at - 1].code_point == ' ' || !split_is_gap(run, at - 1) ||
           !spelling_is_word(run, at - 2);
}

/* U.S.S.R. */
static bool split_is_abbreviation(const SanitizeRun *run, uint32_t begin, uint32_t end)
{
    if (run->items[begin + 1].code_point != '.') return false;
    for (uint32_t i = begin; i < end; i += 2)
        if (!spelling_is_upper(run->items[i].code_point)) return false;
    return true;
}

static void split_join(SanitizeRun *run, uint32_t begin, uint32_t end)
{
    char detail[FINDING_DETAIL_BYTES_MAX + UTF8_BYTES_MAX];
    uint32_t size = 0;
    for (uint32_t i = begin; i < end && size < FINDING_DETAIL_BYTES_MAX; i += 2)
        size += (uint32_t)utf8_write(run->items[i].code_point, detail + size);
    run_find_detail(run, RULE_SPLIT_WORD, begin, end, (end - begin + 1) / 2, (TextView){detail, size});
    if (!run_repairs(run, RULE_SPLIT_WORD)) return;
    for (uint32_t i = begin + 1; i < end; i += 2) rewrite_drop(run, i);
}

static void split_look(SanitizeRun *run)
{
    for (uint32_t at = 0; at < run->count;) {
        bool begins = spelling_is_letter(&run->items[at]) && split_may_begin(run, at);
        uint32_t end = begins ? split_end(run, at) : at + 1;
        if ((end - at + 1) / 2 >= SPLIT_LETTERS_MIN && !split_is_abbreviation(run, at, end))
            split_join(run, at, end);
        at = end;
    }
}

/* ---- Digits and signs for letters ---- */

static char leet_letter(uint32_t code_point)
{
    static const char signs[] = "013457@$!", letters[] = "oieastasi";
    const char *found = code_point > 0 && code_point < 0x80 ? strchr(signs, (int)code_point) : NULL;
    return found ? letters[found - signs] : '\0';
}

static bool leet_is_vowel(char letter)
{
    return letter && strchr("aeiou", letter);
}

/* Whether a word may end before `end`, and is no part of an address or of code. */
static bool leet_stands_alone(const SanitizeRun *run, uint32_t begin, uint32_t end)
{
    if (begin > 0 && !spelling_is_one_of(run, begin - 1, " \t\"'([{<*")) return false;
    if (end == run->count) return true;
    if (spelling_is_one_of(run, end, ".,:;")) return !spelling_is_word(run, end + 1);
    return spelling_is_one_of(run, end, " \t\r\n\"')]}>*?!");
}

typedef struct LeetWord {
    char letters[LEET_SIZE_MAX]; /* as they are read, in lower case */
    uint32_t letter_count, sign_count, upper_count;
    bool inside; /* a sign has letters on both sides */
    bool varied; /* more than a hexadecimal number has */
} LeetWord;

static void leet_read(const SanitizeRun *run, uint32_t begin, uint32_t end, LeetWord *word)
{
    uint32_t waiting = 0; /* signs since the last letter */
    *word = (LeetWord){0};
    for (uint32_t i = begin; i < end; i++) {
        uint32_t code_point = run->items[i].code_point;
        char sign = leet_letter(code_point), *letter = &word->letters[i - begin];
        *letter = sign ? sign : (char)(code_point | 0x20);
        if (code_point == '1' && i > begin && leet_is_vowel(letter[-1])) *letter = 'l';
        word->inside |= !sign && waiting && word->letter_count;
        waiting = sign ? waiting + 1 : 0;
        word->sign_count += sign != '\0';
        word->letter_count += !sign;
        word->upper_count += spelling_is_upper(code_point);
        word->varied |= !sign && *letter > 'f';
    }
}

static bool leet_is_word(const SanitizeRun *run, uint32_t begin, const LeetWord *word)
{
    uint32_t first = run->items[begin].code_point, second = run->items[begin + 1].code_point;
    if (first == '0' && second == 'x') return false;
    /* a11y, l10n: what is left out has more than nine letters, and never thirty. */
    if (first >= 'A' && second == '1' && word->letter_count == 2) return false;
    bool capital = word->upper_count == 1 && spelling_is_upper(first);
    bool one_case = word->upper_count == 0 || word->upper_count == word->letter_count || capital;
    return word->inside && word->varied && one_case && word->letter_count >= 2 &&
           word->sign_count <= word->letter_count + 1;
}

static void leet_write(SanitizeRun *run, uint32_t begin, uint32_t end, LeetWord *word)
{
    bool upper = word->upper_count > 1;
    for (uint32_t i = begin; i < end; i++) {
        if (upper || spelling_is_upper(run->items[i].code_point)) word->letters[i - begin] &= ~0x20;
    }
    run_find_detail(run, RULE_LEET, begin, end, word->sign_count, (TextView){word->letters, end - begin});
    if (!run_repairs(run, RULE_LEET)) return;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t letter = (unsigned char)word->letters[i - begin];
        if (run->items[i].code_point != letter) rewrite_replace(run, i, letter);
    }
}

static bool leet_is_part(const SanitizeRun *run, uint32_t index)
{
    const Item *item = &run->items[index];
    return item->code_point < 0x80 && (spelling_is_letter(item) || leet_letter(item->code_point));
}

static void leet_look(SanitizeRun *run)
{
    for (uint32_t at = 0; at < run->count;) {
        uint32_t begin = at, end;
        while (at < run->count && leet_is_part(run, at)) at++;
        end = at;
        if (begin == end) at++;
        while (begin < end && spelling_is_one_of(run, begin, "@$")) begin++; /* @name, $5 */
        while (begin < end && spelling_is_one_of(run, end - 1, "!")) end--;  /* hey! */
        if (end - begin < LEET_SIZE_MIN || end - begin > LEET_SIZE_MAX) continue;
        if (begin > 0 && spelling_is_one_of(run, begin - 1, "@$")) continue;
        LeetWord word;
        leet_read(run, begin, end, &word);
        if (leet_is_word(run, begin, &word) && leet_stands_alone(run, begin, end))
            leet_write(run, begin, end, &word);
    }
}

void spelling_pass(SanitizeRun *run)
{
    if (run_looks_for(run, RULE_SPLIT_WORD)) split_look(run);
    rewrite_sweep(run);
    if (run_looks_for(run, RULE_LEET)) leet_look(run);
}
