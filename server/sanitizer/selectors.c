/* A selector that its base does not have goes, and so does one for which the line has no use: forms that are
 * registered for Japanese in Chinese prose, forms that registers of names alone have in Japanese prose, the style of a
 * whole text's signs on a single one. */
#include "sanitizer/selectors.h"

#include "unicode/emoji.h"

enum {
    SHORT_ZERO_SELECTOR = 0xFE00, /* 0 with a stroke across */
    SELECTOR_FIRST = 0xFE00,      /* the others are of ideographs */
    SELECTOR_LAST = 0xFE0F,
    IDEOGRAPH_SELECTOR_FIRST = 0xE0100,
    QUOTE_FIRST = 0x2018,
    QUOTE_LAST = 0x201D,
    KANA_FIRST = 0x3041,
    KANA_LAST = 0x30FF,
    IDEOGRAPH_FIRST = 0x3400,
    IDEOGRAPH_URO_FIRST = 0x4E00,
    IDEOGRAPH_URO_LAST = 0x9FFF,
    HANGUL_FIRST = 0xAC00,
    HANGUL_LAST = 0xD7A3,
    MYANMAR_FIRST = 0x1000,
    MYANMAR_LAST = 0x109F,
    ALONE_ITEMS_MAX = 3,      /* a sign, its selector, the line's end */
    NAME_IDEOGRAPHS_MAX = 16, /* of Japanese without kana: names, addresses */
};

static bool in_range(uint32_t code_point, uint32_t first, uint32_t last)
{
    return code_point >= first && code_point <= last;
}

/* Signs and letters whose form is the style of a whole text: punctuation in a corner or centred, letters with dots. */
static bool is_of_style(uint32_t code_point)
{
    return in_range(code_point, 0x3001, 0x3002) || in_range(code_point, 0xFF01, 0xFF1F) ||
           in_range(code_point, MYANMAR_FIRST, MYANMAR_LAST);
}

/* What the line is written in, and whether its signs have a style: all of them, and more than one, or the only one of a
 * line that has nothing else. Looked at once a line. */
static void survey_line(InvisibleJudge *judge)
{
    uint32_t ideographs = 0, unstyled = 0;
    bool korean = false, unknown = false, stops = false, letters = false;
    if (judge->surveyed) return;
    judge->surveyed = true;
    for (uint32_t i = 0; i < judge->count; i++) {
        uint32_t code_point = judge->items[i].code_point;
        if (in_range(code_point, KANA_FIRST, KANA_LAST)) judge->japanese = true;
        if (in_range(code_point, HANGUL_FIRST, HANGUL_LAST)) korean = true;
        if (in_range(code_point, IDEOGRAPH_FIRST, IDEOGRAPH_URO_LAST)) ideographs++;
        if (in_range(code_point, IDEOGRAPH_URO_FIRST, IDEOGRAPH_URO_LAST) && !unicode_ideograph_forms(code_point))
            unknown = true;
        if (code_point == 0x3002 || code_point == 0xFF0C || code_point == 0xFF1B) stops = true;
        if (judge->items[i].classes & CLASSES_SCRIPTS) letters = true;
        if (!is_of_style(code_point) || !unicode_takes_selector(code_point, SHORT_ZERO_SELECTOR)) continue;
        bool styled = i + 1 < judge->count && unicode_is_selector(judge->items[i + 1].code_point);
        judge->styled += styled;
        unstyled += !styled;
    }
    bool alone = judge->count <= ALONE_ITEMS_MAX && is_of_style(judge->items[0].code_point);
    if (unstyled || (judge->styled == 1 && !alone)) judge->styled = 0;
    bool prose = unknown || stops || ideographs > NAME_IDEOGRAPHS_MAX;
    judge->chinese = ideographs && prose && !judge->japanese && !korean;
    judge->alphabetic = letters && !ideographs && !judge->japanese && !korean;
}

/* Signs of ASCII take selectors in keycaps, and where one stands alone, as what is left of a keycap does. */
static bool keeps_of_ascii(const InvisibleJudge *judge, uint32_t selector)
{
    uint32_t base = judge->before;
    bool digit = in_range(base, '0', '9');
    if (!digit && base != '#' && base != '*') return false;
    if (selector == UNICODE_EMOJI_SELECTOR && judge->after == UNICODE_KEYCAP) return true;
    bool alone = invisible_is_gap(judge->after) &&
                 (judge->begin < 2 || invisible_is_gap(judge->items[judge->begin - 2].code_point));
    bool form = selector == UNICODE_EMOJI_SELECTOR || selector == UNICODE_TEXT_SELECTOR ||
                (selector == SHORT_ZERO_SELECTOR && base == '0');
    return alone && form && judge->selector_count == 1;
}

bool selectors_keep(InvisibleJudge *judge, uint32_t selector)
{
    uint32_t base = judge->before;
    if (judge->kept_any || base == 0) return false;
    if (base < 0x80) return keeps_of_ascii(judge, selector);
    /* Several in a row are bytes: of them, only the one is kept without which a sign is no emoji. */
    bool needed = selector == UNICODE_EMOJI_SELECTOR && unicode_is_text_emoji(base);
    if (judge->selector_count > 1 && !needed) return false;
    if (!unicode_takes_selector(base, selector)) return false;
    if (selector == UNICODE_EMOJI_SELECTOR || selector == UNICODE_TEXT_SELECTOR) return true;
    survey_line(judge);
    if (in_range(base, QUOTE_FIRST, QUOTE_LAST)) return !judge->alphabetic;
    if (is_of_style(base)) return judge->styled > 0;
    if (base < IDEOGRAPH_FIRST || !run_is_east_asian(base)) return true;
    bool registered = !in_range(selector, SELECTOR_FIRST, SELECTOR_LAST);
    bool usual = !registered || selector - IDEOGRAPH_SELECTOR_FIRST < unicode_usual_forms(base);
    return !judge->chinese && (!judge->japanese || usual);
}
