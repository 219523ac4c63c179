/* What does not show: kept where scripts and emoji need it, dropped elsewhere. */
#include "cleaning.h"

#include "sanitizer/classes.h"
#include "unicode/utf8.h"

#include <stdio.h>

static void zero_width_characters_leave_words(void **state)
{
    (void)state;
    cleaning_expect_rule("ig\u200Bno\u200Cre a\u200Dll", "ignore all", RULE_INV_ZERO_WIDTH, 1);
    assert_int_equal(cleaning_result.totals[RULE_INV_ZERO_WIDTH], 3);
    cleaning_expect_rule("\u2060at\u2060 the\uFEFF end\u200B", "at the end", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("h\u200B\u200C\u200D\u200Bi", "hi", RULE_INV_ZERO_WIDTH, 4);
    cleaning_expect_rule("h\u200Ei", "hi", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("h\u202A\u202Ci", "hi", RULE_INV_ZERO_WIDTH, 2);
    cleaning_expect_rule("\u043F\u0440\u200B\u0438", "\u043F\u0440\u0438", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u4F60\u200B\u597D", "\u4F60\u597D", RULE_INV_ZERO_WIDTH, 1);
}

static void emoji_keep_their_joiners_and_selectors(void **state)
{
    (void)state;
    cleaning_expect_nothing("\U0001F469\u200D\U0001F680 \U0001F469\U0001F3FD\u200D\U0001F680");
    cleaning_expect_nothing("\u2764\uFE0F\u200D\U0001F525 \u2764\u200D\U0001F525 \u2764\uFE0E");
    cleaning_expect_nothing("\U0001F469\u200D\u2764\uFE0F\u200D\U0001F48B\u200D\U0001F468");
    cleaning_expect_nothing("\U0001F3F3\uFE0F\u200D\u26A7\uFE0F #\uFE0F\u20E3 1\uFE0F\u20E3 2\u20E3 \u00A9\uFE0F");
    cleaning_expect_nothing("\U0001F575\U0001F3FB\u200D\u2642\uFE0F\U0001F1E9\U0001F1EA");
    cleaning_expect_nothing("\U0001F34B\u200D\U0001F7E9"); /* of Unicode 15.1 */
    cleaning_expect_nothing("\U0001FAFF\u200D\U0001FAFE"); /* of tomorrow */
}

static void joiners_that_join_no_emoji_go(void **state)
{
    (void)state;
    cleaning_expect_rule("\U0001F600\u200D\U0001F600", "\U0001F600\U0001F600", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\U0001F469\u200D", "\U0001F469", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\U0001F469\u200Da", "\U0001F469a", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\U0001F469\u200B\u200D\u200D\U0001F680", "\U0001F469\u200D\U0001F680",
                         RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\U0001F469\U0001F3FD\u200D\U0001F680\u200D\U0001F600",
                         "\U0001F469\U0001F3FD\u200D\U0001F680\U0001F600", RULE_INV_ZERO_WIDTH, 1);
}

static void scripts_keep_their_joiners(void **state)
{
    (void)state;
    cleaning_expect_nothing("\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645"); /* Persian: mi-khaham */
    cleaning_expect_nothing(
        "\u06A9\u0627\u0631\u200C\u0647\u0627 CD\u200C\u0647\u0627 \u06F3\u200C\u0628\u0639\u062F\u06CC");
    cleaning_expect_nothing(
        "\u0633\u0648\u0621\u200C\u0627\u0633\u062A \u0647\u200D");               /* hamza; an abbreviation */
    cleaning_expect_nothing("\u0645\u0650\u200C\u0646");                          /* over a vowel */
    cleaning_expect_nothing("\u0915\u094D\u200D\u0937 \u0915\u094D\u200C\u0937"); /* Devanagari conjuncts */
    cleaning_expect_nothing("\u0905\u200D\u0945\u091F");                          /* Marathi */
    cleaning_expect_nothing("\u09B0\u200D\u09CD\u09AF");                          /* Bengali, before the virama */
    cleaning_expect_nothing("\u0D05\u0D32\u0D4D\u200D\u200C\u0D17\u0D4B");        /* Malayalam, both */
    cleaning_expect_nothing("\u0C95\u0CC1\u200C\u0C97\u0CB3\u0CC1");              /* Kannada, before an ending */
    cleaning_expect_nothing("\u1820\u180E\u1820 \u1820\u180B");                   /* Mongolian */
    cleaning_expect_nothing("\u0B1B\u200D\u0B05 \u200D\u0B2E\u0B41 \u0B39\u0B4B\u200D\u0B07");
    cleaning_expect_rule("\u0B1B\u200D\u0B05\u0B2E\u200D\u0B32", "\u0B1B\u200D\u0B05\u0B2E\u0B32",
                         RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0915\u200D\u0937", "\u0915\u0937", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0645\u200D\u06CC", "\u0645\u06CC", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0645\u06CC\u200C\u200C\u062E", "\u0645\u06CC\u200C\u062E", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("a\u0301\u200D\u0301\u200D", "a\u0301\u0301", RULE_INV_ZERO_WIDTH, 1);
}

static void words_without_spaces_keep_their_borders(void **state)
{
    (void)state;
    cleaning_expect_nothing("\u0E04\u0E33\u200B\u0E44\u0E17\u0E22");             /* Thai */
    cleaning_expect_nothing("\u1797\u17B6\u179F\u17B6\u200B\u1781\u17D2\u1798"); /* Khmer */
    cleaning_expect_nothing("\u0F56\u0F7C\u0F51\u200B\u0F66");                   /* Tibetan */
    cleaning_expect_nothing("\u0E04\u0E33\u200B\u200B\u0E44\u0E17\u0E22 \u0CA8\u0CCD\u200C\u200C\u0CA8");
    cleaning_expect_rule("\u0E04\u200B\u200B\u200B\u200B\u0E44", "\u0E04\u0E44", RULE_INV_ZERO_WIDTH, 4);
    cleaning_expect("\u0E04\u200B\u0E44 \u200B\u0E44", "\u0E04\u0E44 \u0E44"); /* no border beside a space */
    cleaning_expect_rule("\u0E19\u200B\u0E49\u0E33", "\u0E19\u0E49\u0E33", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0E44\u200B\u0E17\u0E22", "\u0E44\u0E17\u0E22", RULE_INV_ZERO_WIDTH, 1);
}

static void arabic_itself_has_no_joiners(void **state)
{
    (void)state;
#define ARABIC_BOOK "\u0643\u062A\u0627\u0628"
    cleaning_expect("\u0633\u200C\u0647\u0645 " ARABIC_BOOK "\u200C", "\u0633\u0647\u0645 " ARABIC_BOOK);
    cleaning_expect(ARABIC_BOOK "\u200D \u200D" ARABIC_BOOK, ARABIC_BOOK " " ARABIC_BOOK);
    cleaning_expect_nothing("\u0647\u200D.\u0634");
    cleaning_expect_nothing("\u0645\u06CC\u200C\u0634\u0648\u062F \u0643");
    cleaning_expect_nothing("\u06AF\u0647\u200D \u06C6"); /* Kurdish as it was typed */
#undef ARABIC_BOOK
}

static void among_noise_a_joiner_stays_at_its_edge_only(void **state)
{
    (void)state;
    cleaning_expect("\u0645\u06CC\u200B\u200C\u200B\u200B\u0634", "\u0645\u06CC\u0634");
    cleaning_expect("\u0645\u06CC\u200C\u2062\u2064\u200B\u2062\u0634", "\u0645\u06CC\u200C\u0634");
    cleaning_expect("\u0645\u06CC\u200C\u200D\u200B\u200B\u0634", "\u0645\u06CC\u0634");
}

static void marks_of_direction_stay_near_letters_from_the_right(void **state)
{
    (void)state;
    cleaning_expect_nothing("C++\u200E \u05E9\u05DC\u05D5\u05DD");
    cleaning_expect_nothing("\u0645\u0631\u062D\u0628\u0627 (12)\u200F.\n");
    cleaning_expect_nothing("\u06F1\u06F2\u200E km/h");
    cleaning_expect_rule("plain \u200Etext", "plain text", RULE_INV_FILLER, 1);
    cleaning_expect_rule("\u05E9\u200F\u05DC\u05D5\u05DD", "\u05E9\u05DC\u05D5\u05DD", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("one\u200F \n\u05E9\u05DC", "one \n\u05E9\u05DC", RULE_INV_FILLER, 1);
}

static void soft_hyphens_stay_between_syllables(void **state)
{
    (void)state;
    cleaning_expect_nothing("Do\u00ADnau\u00ADdampf\u00ADschiff, \u043F\u0435\u00ADре\u00ADнос");
    cleaning_expect_nothing("\u00FCber\u00ADall \u00E9v\u00E9\u00ADne\u00ADment");
    cleaning_expect_nothing("trans\u00AD\nlation");
    cleaning_expect_rule("h\u00ADate", "hate", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("hate\u00ADs", "hates", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("ig\u00ADn\u00ADore", "ignore", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("hat\u00ADrd", "hatrd", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("word\u00AD next", "word next", RULE_INV_ZERO_WIDTH, 1);
}

static void a_byte_order_mark_goes_and_bound_dashes_stay(void **state)
{
    (void)state;
    cleaning_expect_rule("\uFEFFtext\nmore", "text\nmore", RULE_INV_FILLER, 1);
    cleaning_expect_rule("text\n\uFEFFmore", "text\nmore", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_nothing("this\u2060\u2014that");
    cleaning_expect_rule("-\u2060-option", "--option", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("well-\u2060known", "well-known", RULE_INV_ZERO_WIDTH, 1);
}

static void a_line_that_hides_something_has_no_benefit_of_the_doubt(void **state)
{
    (void)state;
    cleaning_expect_rule("one Do\u00ADnau t\u200Bwo\nDo\u00ADnau", "one Donau two\nDo\u00ADnau",
                         RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u845B\U000E0100\u57CE\U000E01EF", "\u845B\u57CE", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u845B\U000E0100\u57CE\u200B", "\u845B\U000E0100\u57CE", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u2764\uFE0F te\uFE0Fxt", "\u2764\uFE0F text", RULE_INV_VARSEL, 1);
}

static void hidden_tags_are_told(void **state)
{
    (void)state;
    cleaning_expect_rule("hi\U000E0068\U000E0065\U000E0079\U000E0020\U000E0021 you", "hi you", RULE_INV_TAG, 5);
    cleaning_expect_detail("hey !");
    assert_int_equal(cleaning_result.findings[0].range.begin, 2);
    assert_int_equal(cleaning_result.findings[0].range.end, 22);
    assert_int_equal(cleaning_result.findings[0].action, ACTION_DROPPED);
}

static void flags_keep_their_tags(void **state)
{
    (void)state;
#define ENGLAND "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F"
    cleaning_expect_nothing(ENGLAND " \U0001F3F4\U000E0075\U000E0073\U000E0074\U000E0078\U000E007F");
    cleaning_expect_rule(ENGLAND "\U000E0067\U000E0062", ENGLAND, RULE_INV_TAG, 2);
    cleaning_expect_detail("gb");
    /* no such region; no end */
    cleaning_expect_rule("\U0001F3F4\U000E0078\U000E0078\U000E0065\U000E007F", "\U0001F3F4", RULE_INV_TAG, 4);
    cleaning_expect_rule("\U0001F3F4\U000E0067\U000E0062\U000E0065", "\U0001F3F4", RULE_INV_TAG, 3);
}

static void hidden_bytes_are_told(void **state)
{
    (void)state;
    cleaning_expect_rule("\U0001F60A\U000E0158\U000E0159", "\U0001F60A", RULE_INV_VARSEL, 2); /* 'h', 'i' */
    cleaning_expect_detail("hi");
    cleaning_expect_rule("a\U000E0168\U000E0169", "a", RULE_INV_VARSEL,
                         2); /* by the distance from the first of the 240 */
    cleaning_expect_detail("xy");
    cleaning_expect_rule("x\uFE00\U000E01EF", "x", RULE_INV_VARSEL, 2);
    cleaning_expect_detail("00ff");
    cleaning_expect_rule("\u2764\uFE0F\U000E0158\U000E0159", "\u2764\uFE0F", RULE_INV_VARSEL, 2);
}

static void selectors_out_of_place_go(void **state)
{
    (void)state;
    cleaning_expect_rule("te\uFE0Fxt", "text", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("1\uFE0F first, #\uFE0E");
    cleaning_expect_rule("1\uFE0F2", "12", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u845B\U000E01EF", "\u845B", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\uFE0Fx", "x", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u845B\U000E0100\u57CE \u2229\uFE00 \u4FAE\uFE00");
}

/* The scan lets a line pass whose joiners and selectors are where these are: what it cannot know must not be hidden. */
static void joiners_and_selectors_that_pass_are_alone(void **state)
{
    (void)state;
    cleaning_expect_nothing("\u0645\u06CC\u200C\u062F \u2764\uFE0F \u0621\u200C\u06CC");
    cleaning_expect_rule("\u0645\u06CC\u200C\u200C\u062F", "\u0645\u06CC\u200C\u062F", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0645\u06CC\u200B\u200C\u062F", "\u0645\u06CC\u200C\u062F", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u0645\u06CC\u200C\u200B\u062F", "\u0645\u06CC\u200C\u062F", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u2764\uFE0F\uFE0F", "\u2764\uFE0F", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u2764\uFE0Fa\uFE0F", "\u2764\uFE0Fa", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u0645a\u200C", "\u0645a", RULE_INV_ZERO_WIDTH, 1);
    cleaning_expect_rule("\u2764\u200C", "\u2764", RULE_INV_ZERO_WIDTH, 1);
}

/* Beside an emoji's joiner, for which each line is looked at. */
static void what_passes_is_kept_where_it_is_looked_at(void **state)
{
    (void)state;
    uint32_t passed = 0;
    for (uint32_t code_point = 0x80; code_point <= 0x10FFFF; code_point++) {
        char text[64];
        uint32_t classes = classes_of(classes_table(), code_point);
        if (classes & (CLASSES_SUSPECT | CLASS_OF_ARABIC)) continue;
        if (!(classes & (CLASS_BEFORE_NON_JOINER | CLASS_BEFORE_SELECTOR))) continue;
        const char *hidden = classes & CLASS_BEFORE_NON_JOINER ? "\u200C" : "\uFE0F";
        char *end = text + utf8_write(code_point, text);
        snprintf(end, sizeof text - UTF8_BYTES_MAX, "%s \U0001F469\u200D\U0001F52C", hidden);
        cleaning_expect_nothing(text);
        passed++;
    }
    assert_true(passed > 1000);
}

static void forms_stay_where_the_line_has_them(void **state)
{
    (void)state;
    /* Names in Japanese, alone and in prose; an ideograph with one form has none to choose. */
    cleaning_expect_nothing("\u6E21\u9089\U000E0102 \u845B\U000E0101\u98FE\u533A");
    cleaning_expect_nothing("\u845B\U000E0100\u57CE\u306B\u884C\u304F\u3002");
    cleaning_expect_rule("\u6F14\U000E0100\u7B97\u306F", "\u6F14\u7B97\u306F", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u8A18\U000E0101\u7530");
    cleaning_expect_rule("\u540D\u8A18\U000E0101\u3092", "\u540D\u8A18\u3092", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u845B\U000E0102\u306F", "\u845B\u306F", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u6E21\u9089\U000E010E\u306F");
    /* Chinese: by an ideograph that Japanese has not, by its stops, by its length. */
    cleaning_expect_rule("\u53C2\U000E0100\u89C1\u65F6", "\u53C2\u89C1\u65F6", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u5247\u4E0D\uFE00\u80FD\uFF0C", "\u5247\u4E0D\u80FD\uFF0C", RULE_INV_VARSEL, 1);
    cleaning_expect_rule(
        "\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00"
        "\u4E00\u845B\U000E0100",
        "\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00"
        "\u4E00\u845B",
        RULE_INV_VARSEL, 1);
    /* A style of punctuation, of quotation marks and of letters. */
    cleaning_expect_nothing("\u4F60\u3001\uFE01\u6211\u3002\uFE01");
    cleaning_expect_rule("\u4F60\u3001\uFE01\u6211\u3002", "\u4F60\u3001\u6211\u3002", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u8A9E\u3002\uFE01", "\u8A9E\u3002", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u3002\uFE01\n\u1000\uFE00");
    cleaning_expect_rule("don\u2019\uFE00t", "don\u2019t", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u201C\uFE01\u4F60\u201D\uFE01");
    cleaning_expect_nothing("\u1000\uFE00\u1004\uFE00");
    cleaning_expect_rule("\u1000\uFE00\u1004", "\u1000\u1004", RULE_INV_VARSEL, 1);
    cleaning_expect_rule("\u2514\uFE0E\u2500", "\u2514\u2500", RULE_INV_VARSEL, 1);
    cleaning_expect_nothing("\u2713\uFE0E \u25B8\uFE0E");
}

static void fillers_go(void **state)
{
    (void)state;
    cleaning_expect_rule("h\u3164i\u034F t\u115F\uFFA0here\u180E", "hi there", RULE_INV_FILLER, 1);
    cleaning_expect_rule("a\u2062b", "ab", RULE_INV_FILLER, 1);
    cleaning_expect_rule("a\u206Ab\U000E0FFFc", "abc", RULE_INV_FILLER, 1);
    cleaning_expect_nothing("\U0001D453\u2061(\U0001D465) 2\u2062\U0001D465");
    cleaning_expect_rule("mmap(2\u2062)", "mmap(2)", RULE_INV_FILLER, 1);
    cleaning_expect_nothing("\u115F\u1161 \u1100\u1160");
    cleaning_expect_nothing("\u05D0\u05B7\u034F\u05B4");
}

static void a_flood_takes_linear_time(void **state)
{
    (void)state;
    enum { REPEATS = 20000 };
    static char text[REPEATS * 8 + 1];
    static const char *const parts[] = {"\u200D",  "\U0001F469\u200D", "\u00AD",
                                        "a\u00AD", "\uFE0F",           "\u0301\u200D"};
    for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
        Arena arena;
        size_t size = strlen(parts[part]);
        SanitizeOptions options = {.policy = SANITIZE_CLEAN, .level = SANITIZE_HIGH};
        for (size_t i = 0; i < REPEATS; i++) memcpy(text + i * size, parts[part], size);
        arena_init(&arena, 64 * MIB);
        assert_int_equal(sanitizer_run((TextView){text, REPEATS * size}, &options, &arena, &cleaning_result, NULL),
                         STATUS_OK);
        assert_true(cleaning_result.changed);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_width_characters_leave_words),
        cmocka_unit_test(emoji_keep_their_joiners_and_selectors),
        cmocka_unit_test(joiners_that_join_no_emoji_go),
        cmocka_unit_test(scripts_keep_their_joiners),
        cmocka_unit_test(words_without_spaces_keep_their_borders),
        cmocka_unit_test(arabic_itself_has_no_joiners),
        cmocka_unit_test(among_noise_a_joiner_stays_at_its_edge_only),
        cmocka_unit_test(marks_of_direction_stay_near_letters_from_the_right),
        cmocka_unit_test(soft_hyphens_stay_between_syllables),
        cmocka_unit_test(a_byte_order_mark_goes_and_bound_dashes_stay),
        cmocka_unit_test(a_line_that_hides_something_has_no_benefit_of_the_doubt),
        cmocka_unit_test(hidden_tags_are_told),
        cmocka_unit_test(flags_keep_their_tags),
        cmocka_unit_test(hidden_bytes_are_told),
        cmocka_unit_test(selectors_out_of_place_go),
        cmocka_unit_test(joiners_and_selectors_that_pass_are_alone),
        cmocka_unit_test(what_passes_is_kept_where_it_is_looked_at),
        cmocka_unit_test(forms_stay_where_the_line_has_them),
        cmocka_unit_test(fillers_go),
        cmocka_unit_test(a_flood_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
