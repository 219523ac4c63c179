#include "sanitizer/invisible_rules.h"

#include "sanitizer/selectors.h"
#include "unicode/emoji.h"
#include "unicode/property.h"

enum {
    NOTHING = 0, /* the neighbour where the line ends; NUL never gets here */
    SOFT_HYPHEN = 0xAD,
    GRAPHEME_JOINER = 0x34F,
    ARABIC_LETTER_MARK = 0x61C,
    ARABIC_FIRST = 0x600,
    ARABIC_LAST = 0x6FF,
    ARABIC_HEH = 0x647,
    ARABIC_HAMZA = 0x621, /* joins nothing and yet ends words that Persian joins to others */
    INDIC_FIRST = 0x900,
    THAI_FIRST = 0xE00,
    THAI_LAST = 0xE7F,
    CHOSEONG_FILLER = 0x115F,
    JUNGSEONG_FILLER = 0x1160,
    MONGOLIAN_SEPARATOR = 0x180E,
    ZERO_WIDTH_SPACE = 0x200B,
    LEFT_TO_RIGHT_MARK = 0x200E,
    RIGHT_TO_LEFT_MARK = 0x200F,
    DASH_FIRST = 0x2010,
    DASH_LAST = 0x2015,
    WORD_JOINER = 0x2060,
    MATH_FIRST = 0x2061,
    MATH_LAST = 0x2064,
    HANGUL_FILLER = 0x3164,
    SELECTOR_FIRST = 0xFE00,
    BYTE_ORDER_MARK = 0xFEFF,
    SHORTHAND_FIRST = 0x1BCA0,
    SHORTHAND_LAST = 0x1BCA3,
    MUSIC_FIRST = 0x1D173,
    MUSIC_LAST = 0x1D17A,
    TAG_FIRST = 0xE0000,
    TAG_LAST = 0xE007F, /* also what ends a flag */
    TAG_REGION_LETTERS = 2,
    TAG_SUBDIVISION_LETTERS_MAX = 3,
    SYLLABLE_LETTERS_MIN = 2, /* hyphenation keeps at least two letters together in all languages */
    LATIN_LAST = 0x24F,
    MARKS_LOOKED_OVER_MAX = 8,
    NOISE_MIN = 4,     /* so many side by side are no accident, and none of them has a meaning */
    ACCIDENTS_MAX = 2, /* borders and viramas are often typed with two */
};

#define LETTER_CATEGORIES (UNICODE_LU | UNICODE_LL | UNICODE_LT | UNICODE_LM | UNICODE_LO)
#define WORD_CATEGORIES (LETTER_CATEGORIES | UNICODE_M | UNICODE_N)

static bool in_range(uint32_t code_point, uint32_t first, uint32_t last)
{
    return code_point >= first && code_point <= last;
}

static bool has_category(uint32_t code_point, unsigned categories)
{
    return code_point != NOTHING && (unicode_category(code_point) & categories) != 0;
}

bool invisible_is_gap(uint32_t code_point)
{
    return code_point == NOTHING || unicode_is_white_space(code_point);
}

static bool is_within_word(const InvisibleJudge *judge)
{
    return has_category(judge->before, WORD_CATEGORIES) && has_category(judge->after, WORD_CATEGORIES);
}

/* Between letters of both directions a mark decides on which side what follows stands. */
static bool is_within_word_of_one_direction(const InvisibleJudge *judge)
{
    return is_within_word(judge) &&
           unicode_is_right_to_left(judge->before) == unicode_is_right_to_left(judge->after);
}

static uint32_t skip_hidden(const InvisibleJudge *judge, uint32_t at)
{
    while (at < judge->count && invisible_is_hidden(&judge->items[at])) at++;
    return at;
}

/* Follows an emoji from its first pictograph over what ZWJ joins to it: as many joiners are right as the longest known
 * sequence has. */
static void follow_emoji(InvisibleJudge *judge, uint32_t first)
{
    uint32_t pictographs[UNICODE_EMOJI_JOINED_MAX], positions[UNICODE_EMOJI_JOINED_MAX];
    unsigned count = 0;
    for (uint32_t at = first; at < judge->count && count < UNICODE_EMOJI_JOINED_MAX;) {
        if (!unicode_is_pictographic(judge->items[at].code_point)) break;
        positions[count] = at;
        pictographs[count++] = judge->items[at].code_point;
        uint32_t next = skip_hidden(judge, ++at);
        if (next < judge->count && unicode_is_emoji_modifier(judge->items[next].code_point)) {
            at = next + 1;
            next = skip_hidden(judge, at);
        }
        while (at < next && judge->items[at].code_point != UNICODE_ZWJ) at++;
        if (at == next) break;
        at = next;
    }
    judge->emoji_end = count > 1 ? positions[unicode_emoji_joined(pictographs, count) - 1] : first;
}

/* Whether ZWJ joins the emoji before the run to the one after it. */
static bool joins_emoji(InvisibleJudge *judge)
{
    if (judge->begin < judge->emoji_end) return true;
    if (judge->before == NOTHING || !unicode_is_pictographic(judge->after)) return false;
    uint32_t at = judge->begin - 1;
    if (unicode_is_emoji_modifier(judge->before)) {
        while (at > 0 && invisible_is_hidden(&judge->items[at - 1])) at--;
        if (at > 0) at--;
    }
    if (!unicode_is_pictographic(judge->items[at].code_point)) return false;
    follow_emoji(judge, at);
    return judge->begin < judge->emoji_end;
}

/* The letter whose form a joiner in the run would change: marks above and below it are looked over. */
static uint32_t letter_before(const InvisibleJudge *judge)
{
    uint32_t at = judge->begin;
    for (unsigned steps = 0; at > 0 && steps < MARKS_LOOKED_OVER_MAX; steps++) {
        const Item *item = &judge->items[--at];
        if (!invisible_is_hidden(item) && !has_category(item->code_point, UNICODE_M)) return item->code_point;
    }
    return NOTHING;
}

static bool is_cursive(uint32_t letter)
{
    return unicode_joins(letter) || letter == ARABIC_HAMZA;
}

static bool is_odia(uint32_t letter)
{
    return in_range(letter, 0xB00, 0xB7F);
}

/* What the line is written in, as far as letters tell that only Arabic has, only Kurdish, or others but Arabic. */
static void survey_arabic(InvisibleJudge *judge)
{
    bool arabic = false, other = false;
    if (judge->arabic_surveyed) return;
    judge->arabic_surveyed = true;
    for (uint32_t i = 0; i < judge->count; i++) {
        uint32_t letter = judge->items[i].code_point;
        arabic = arabic || (judge->items[i].classes & CLASS_OF_ARABIC);
        other = other || in_range(letter, 0x671, 0x6D3) || letter == 0x6D5;
        judge->kurdish = judge->kurdish || letter == 0x695 || letter == 0x6B5 || letter == 0x6C6 ||
                         letter == 0x6CE || letter == 0x6D5;
    }
    judge->arabic = arabic && !other;
}

/* A letter of Arabic script at an end of a word shows a form that it has not there: alone, in abbreviations, and as
 * Kurdish was typed before it had a letter of its own. */
static bool shows_form(InvisibleJudge *judge, uint32_t letter, bool before)
{
    if (!in_range(letter, ARABIC_FIRST, ARABIC_LAST)) return true;
    uint32_t beyond = before ? judge->begin - 2 : judge->end + 1;
    bool joined = beyond < judge->count && has_category(judge->items[beyond].code_point, WORD_CATEGORIES);
    if (!joined) return true;
    survey_arabic(judge);
    return judge->kurdish && before && letter == ARABIC_HEH;
}

/* Odia, Telugu, Kannada, Malayalam: ZWNJ parts a word from the ending or the word that follows. */
static bool takes_endings(uint32_t letter)
{
    return is_odia(letter) || in_range(letter, 0xC00, 0xD7F);
}

/* Odia has ZWJ as well: in front of a vowel letter within a word, and of the first letter. */
static bool shapes_odia(const InvisibleJudge *judge)
{
    if (!is_odia(judge->after) || has_category(judge->after, UNICODE_M)) return false;
    return invisible_is_gap(judge->before) ||
           (is_odia(judge->before) && unicode_is_indic_vowel_letter(judge->after));
}

/* Scripts with a virama: ZWJ and ZWNJ choose how a conjunct looks (RFC 5892 A.2), or stand before the virama (Bengali,
 * Kannada); ZWJ also carries a sign on a vowel that has none of its own (Marathi). */
static bool shapes_syllable(const InvisibleJudge *judge, uint32_t joiner)
{
    if (judge->before < INDIC_FIRST || !unicode_is_indic(judge->before)) return false;
    if (unicode_is_virama(judge->before)) return true;
    bool mark = has_category(judge->after, UNICODE_M);
    if (joiner == UNICODE_ZWNJ && !mark && takes_endings(judge->before)) return true;
    return mark && unicode_script(judge->before) == unicode_script(judge->after) &&
           (unicode_is_virama(judge->after) || unicode_is_indic_vowel_letter(judge->before));
}

/* Cursive scripts (RFC 5892 A.1): ZWNJ parts a word from its ending. ZWJ shows a letter as if it were joined: at the
 * end of a word, as letters join each other without it. */
static bool shapes_letters(InvisibleJudge *judge, uint32_t joiner)
{
    uint32_t letter = letter_before(judge);
    bool before = is_cursive(letter), after = is_cursive(judge->after);
    bool mark = has_category(judge->after, UNICODE_M);
    if (joiner == UNICODE_ZWJ && !mark && before != after)
        return shows_form(judge, before ? letter : judge->after, before);
    if (joiner == UNICODE_ZWNJ &&
        (in_range(letter, ARABIC_FIRST, ARABIC_LAST) || in_range(judge->after, ARABIC_FIRST, ARABIC_LAST))) {
        survey_arabic(judge);
        if (judge->arabic) return false; /* no word of Arabic itself is parted */
    }
    if (joiner == UNICODE_ZWNJ && (before || (after && !invisible_is_gap(judge->before)))) return true;
    if (joiner == UNICODE_ZWJ && shapes_odia(judge)) return true;
    return shapes_syllable(judge, joiner);
}

/* A border of words where words stand without spaces; never within a syllable, nor in Thai beside a space. */
static bool divides_words(const InvisibleJudge *judge)
{
    bool thai = in_range(judge->before, THAI_FIRST, THAI_LAST) || in_range(judge->after, THAI_FIRST, THAI_LAST);
    if (thai && (invisible_is_gap(judge->before) || invisible_is_gap(judge->after))) return false;
    bool before = judge->before >= THAI_FIRST && unicode_is_without_spaces(judge->before);
    bool after = judge->after >= THAI_FIRST && unicode_is_without_spaces(judge->after);
    if (!before && !after) return false;
    return !has_category(judge->after, UNICODE_M) && !(before && unicode_is_vowel_before(judge->before));
}

/* Letters from the right, or what else Arabic writes: digits and commas have no direction of their own. */
static bool line_is_right_to_left(InvisibleJudge *judge)
{
    for (uint32_t i = 0; !judge->direction_known && !judge->right_to_left && i < judge->count; i++) {
        const Item *item = &judge->items[i];
        bool arabic = in_range(item->code_point, 0x600, 0x6FF) && item->code_point != ARABIC_LETTER_MARK;
        judge->right_to_left = arabic || (item->classes & CLASS_RIGHT_TO_LEFT) != 0;
    }
    judge->direction_known = true;
    return judge->right_to_left;
}

/* Keeps a long dash at the word it belongs to. */
static bool holds_dash(const InvisibleJudge *judge)
{
    return in_range(judge->before, DASH_FIRST, DASH_LAST) || in_range(judge->after, DASH_FIRST, DASH_LAST);
}

/* Letters that are no vowel in any alphabet of Latin letters, as far as they decompose to one of ASCII. */
static bool is_consonant(uint32_t letter)
{
    if (letter > LATIN_LAST) return false;
    uint32_t parts[UNICODE_DECOMPOSITION_MAX];
    unicode_decompose(letter, false, parts);
    switch (parts[0] | 0x20) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
    case 'y':
        return false;
    default:
        return parts[0] < 0x80;
    }
}

static bool is_of_word(const Item *item)
{
    return invisible_is_hidden(item) || has_category(item->code_point, LETTER_CATEGORIES | UNICODE_M);
}

/* The soft hyphens of a word, all or none: each part of it could be a syllable, or else they are there to break the
 * word for a machine. One at a line's end has been used, and the rest of the word stands elsewhere. */
static bool word_is_hyphenated(InvisibleJudge *judge, uint32_t at)
{
    if (at < judge->hyphenated_end) return judge->hyphenated;
    uint32_t begin = at, letters = 0;
    while (begin > judge->hyphenated_end && is_of_word(&judge->items[begin - 1])) begin--;
    bool vowel = false;
    judge->hyphenated = true;
    for (at = begin;; at++) {
        uint32_t code_point = at < judge->count ? judge->items[at].code_point : NOTHING;
        bool ends = at == judge->count || !is_of_word(&judge->items[at]);
        if (ends && letters == 0 && (code_point == '\n' || code_point == '\r')) break;
        if (ends || code_point == SOFT_HYPHEN) {
            judge->hyphenated = judge->hyphenated && letters >= SYLLABLE_LETTERS_MIN && vowel;
            letters = 0;
            vowel = false;
        } else if (!invisible_is_hidden(&judge->items[at]) && has_category(code_point, LETTER_CATEGORIES)) {
            letters++;
            vowel = vowel || !is_consonant(code_point);
        }
        if (ends) break;
    }
    judge->hyphenated_end = at;
    return judge->hyphenated;
}

/* Where the flag of England, Texas, ... ends whose tags begin the run: a region, a part of it, the end; or `begin`. */
static uint32_t flag_end(const InvisibleJudge *judge)
{
    uint32_t letters[TAG_REGION_LETTERS + TAG_SUBDIVISION_LETTERS_MAX], count = 0, at = judge->begin;
    for (; at < judge->end && count < TAG_REGION_LETTERS + TAG_SUBDIVISION_LETTERS_MAX; at++) {
        uint32_t letter = judge->items[at].code_point - TAG_FIRST;
        if (!in_range(letter, 'a', 'z') && !in_range(letter, '0', '9')) break;
        letters[count++] = letter;
    }
    bool ends = at < judge->end && judge->items[at].code_point == TAG_LAST && count > TAG_REGION_LETTERS;
    return ends && unicode_region_has_flag(letters[0], letters[1]) ? at + 1 : judge->begin;
}

/* Letters and digits of formulas, beside which alone a function or a product is applied without a sign. */
static bool is_of_formula(uint32_t code_point)
{
    return in_range(code_point, 0x1D400, 0x1D7FF);
}

static bool is_mongolian(uint32_t code_point)
{
    return in_range(code_point, 0x1820, 0x18AA);
}

static bool keeps_filler(const InvisibleJudge *judge, uint32_t filler)
{
    uint32_t before = judge->before, after = judge->after;
    switch (filler) {
    case GRAPHEME_JOINER: /* keeps the marks of Hebrew and others from being put in order */
        return has_category(after, UNICODE_MN) && has_category(before, UNICODE_MN) && !unicode_is_indic(after);
    case CHOSEONG_FILLER: /* an old Korean syllable without its first or its second part */
        return in_range(after, 0x1161, 0x11A7) || in_range(after, 0xD7B0, 0xD7C6);
    case JUNGSEONG_FILLER:
        return in_range(before, 0x1100, 0x115E) || in_range(before, 0xA960, 0xA97C);
    case HANGUL_FILLER:
        return in_range(after, 0x3131, 0x318E);
    case MONGOLIAN_SEPARATOR:
        return is_mongolian(before) && is_mongolian(after);
    default:
        break;
    }
    if (in_range(filler, MATH_FIRST, MATH_LAST)) return is_of_formula(before) || is_of_formula(after);
    bool notation = in_range(filler, SHORTHAND_FIRST, SHORTHAND_LAST) || in_range(filler, MUSIC_FIRST, MUSIC_LAST);
    return notation && (before >> 8 == filler >> 8 || after >> 8 == filler >> 8); /* beside signs of its block */
}

static SanitizeRule judge_zero_width(InvisibleJudge *judge, uint32_t at)
{
    bool keep = false;
    unsigned *kept = &judge->kept_others, kept_max = 1;
    switch (judge->items[at].code_point) {
    case ZERO_WIDTH_SPACE:
        kept = &judge->kept_spaces;
        kept_max = ACCIDENTS_MAX;
        keep = divides_words(judge);
        break;
    case UNICODE_ZWJ:
        kept = &judge->kept_joiners;
        keep = judge->joins_emoji || shapes_letters(judge, UNICODE_ZWJ);
        break;
    case UNICODE_ZWNJ:
        kept = &judge->kept_non_joiners;
        kept_max = judge->before != NOTHING && unicode_is_virama(judge->before) ? ACCIDENTS_MAX : 1;
        keep = shapes_letters(judge, UNICODE_ZWNJ);
        break;
    case WORD_JOINER:
        keep = holds_dash(judge);
        break;
    case BYTE_ORDER_MARK: /* a file's first bytes are nobody's attack, and no text either */
        return judge->items[at].origin.begin == 0 ? RULE_INV_FILLER : RULE_INV_ZERO_WIDTH;
    default: /* a soft hyphen */
        keep = word_is_hyphenated(judge, at);
        break;
    }
    /* What was there before noise was put beside it stands at its edge. */
    bool edge = judge->joiner_count == 1 && (at == judge->begin || at + 1 == judge->end);
    bool noise = judge->is_noise && !judge->joins_emoji && !(edge && kept != &judge->kept_spaces);
    if (!keep || *kept == kept_max || noise) return RULE_INV_ZERO_WIDTH;
    *kept += 1;
    return INVISIBLE_KEPT;
}

static SanitizeRule judge_one(InvisibleJudge *judge, uint32_t at)
{
    uint32_t code_point = judge->items[at].code_point;
    if (unicode_is_selector(code_point)) {
        return selectors_keep(judge, code_point) ? INVISIBLE_KEPT : RULE_INV_VARSEL;
    }
    if (in_range(code_point, TAG_FIRST, TAG_LAST)) return at < judge->flag_end ? INVISIBLE_KEPT : RULE_INV_TAG;
    switch (code_point) {
    case SOFT_HYPHEN:
    case ZERO_WIDTH_SPACE:
    case UNICODE_ZWJ:
    case UNICODE_ZWNJ:
    case WORD_JOINER:
    case BYTE_ORDER_MARK:
        return judge_zero_width(judge, at);
    case LEFT_TO_RIGHT_MARK:
    case RIGHT_TO_LEFT_MARK:
    case ARABIC_LETTER_MARK:
        if (is_within_word_of_one_direction(judge)) return RULE_INV_ZERO_WIDTH;
        return line_is_right_to_left(judge) ? INVISIBLE_KEPT : RULE_INV_FILLER;
    default:
        break;
    }
    if (judge->items[at].classes & CLASS_BIDI) return INVISIBLE_KEPT; /* bidi.c has looked at its pair */
    return keeps_filler(judge, code_point) ? INVISIBLE_KEPT : RULE_INV_FILLER;
}

bool invisible_is_thai(uint32_t code_point)
{
    return in_range(code_point, THAI_FIRST, THAI_LAST);
}

bool invisible_is_doubtful(const Item *item, bool selectors, bool thai)
{
    switch (item->code_point) {
    case ZERO_WIDTH_SPACE:
        return thai;
    case SOFT_HYPHEN:
    case WORD_JOINER:
        return true;
    case UNICODE_TEXT_SELECTOR:
    case UNICODE_EMOJI_SELECTOR:
        return false;
    default:
        return selectors && item->code_point >= SELECTOR_FIRST && unicode_is_selector(item->code_point);
    }
}

uint32_t invisible_begin_run(InvisibleJudge *judge, uint32_t begin)
{
    judge->begin = begin;
    judge->end = skip_hidden(judge, begin);
    judge->before = begin > 0 ? judge->items[begin - 1].code_point : NOTHING;
    judge->after = judge->end < judge->count ? judge->items[judge->end].code_point : NOTHING;
    judge->selector_count = judge->joiner_count = 0;
    bool joiner = false;
    uint32_t zero_widths = 0;
    for (uint32_t at = begin; at < judge->end; at++) {
        uint32_t code_point = judge->items[at].code_point;
        zero_widths +=
            in_range(code_point, ZERO_WIDTH_SPACE, UNICODE_ZWJ) || in_range(code_point, WORD_JOINER, MATH_LAST);
        judge->selector_count += unicode_is_selector(judge->items[at].code_point);
        joiner = joiner || judge->items[at].code_point == UNICODE_ZWJ;
        judge->joiner_count += code_point == UNICODE_ZWJ || code_point == UNICODE_ZWNJ;
    }
    judge->is_noise = zero_widths >= NOISE_MIN;
    judge->joins_emoji = joiner && joins_emoji(judge);
    judge->kept_any = false;
    judge->kept_joiners = judge->kept_non_joiners = judge->kept_spaces = judge->kept_others = 0;
    judge->flag_end = judge->before == UNICODE_BLACK_FLAG ? flag_end(judge) : 0;
    return judge->end;
}

SanitizeRule invisible_judge(InvisibleJudge *judge, uint32_t at)
{
    SanitizeRule rule = judge_one(judge, at);
    judge->kept_any = judge->kept_any || rule == INVISIBLE_KEPT;
    return rule;
}
