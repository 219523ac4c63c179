/* Words that mix scripts, and words that read as another script's. */
#include "cleaning.h"

static void a_letter_of_another_script_becomes_the_words_own(void **state)
{
    (void)state;
    static const CleaningCase cases[] = {
        {"h\u0435llo w\u043Erld", "hello world"},
        {"\u03BF\u03C1en \u0391ll", "open All"},
        {"\u0570ello \u0578ice", "hello nice"},
        {"\u13A1ead \uA4EEpple", "Read Apple"},
        {"E\u0432\u0440o\u043Fa", "\u0415\u0432\u0440\u043E\u043F\u0430"},
        {"c\u0438\u043D\u0438\u0439", "\u0441\u0438\u043D\u0438\u0439"},
        {"\u0435\u0449\u00EB", "\u0435\u0449\u0451"},
        {"\u03BA\u03B1\u03BB\u03B7\u03BC\u03AD\u03C1a", "\u03BA\u03B1\u03BB\u03B7\u03BC\u03AD\u03C1\u03B1"},
        {"\u0434\u0430\u029C\u0456 \u043F\u0440\u043E\u0299\u0435\u0440\u043A\u0438",
         "\u0434\u0430\u043D\u0456 \u043F\u0440\u043E\u0432\u0435\u0440\u043A\u0438"},
        {"\u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430 Linu\u0445",
         "\u043F\u0440\u043E\u0433\u0440\u0430\u043C\u043C\u0430 Linux"},
        {"\u0431\u044B\u1D2B\u0438", "\u0431\u044B\u043B\u0438"},
        {"\u1D0Da\u1D2B\u043E", "\u043C\u0430\u043B\u043E"},
        {"practi\u03F2ally", "practically"},
        {"\u0437\u0430\u029C\u044F\u0442\u0438\u0435", "\u0437\u0430\u043D\u044F\u0442\u0438\u0435"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cleaning_expect(cases[i].text, cases[i].cleaned);
        assert_true(cleaning_result.totals[RULE_HOMO_MIXED] > 0);
    }
}

static void one_letter_left_is_enough(void **state)
{
    (void)state;
    /* r and l have no like among the letters put in. */
    cleaning_expect("\u0440\u0430\u0440\u0435r", "paper");
    cleaning_expect("\u0455\u04BB\u0435ll", "shell");
}

static void a_word_of_letters_that_all_scripts_have_goes_by_its_neighbours(void **state)
{
    (void)state;
    cleaning_expect("the \u0441\u043Ep\u0443 of it", "the copy of it");
    cleaning_expect("\u0431\u043E\u043B\u044C\u0448\u043E\u0439 \u0445\u043Ep \u0438\u0434\u0451\u0442",
                    "\u0431\u043E\u043B\u044C\u0448\u043E\u0439 \u0445\u043E\u0440 \u0438\u0434\u0451\u0442");
}

/* Around are more letters of Cyrillic, or of Latin, which would have it otherwise. */
static void a_word_of_letters_that_all_scripts_have_may_say_which_it_is_of(void **state)
{
    (void)state;
#define CYRILLIC "\u0438 \u0431\u043E\u043B\u044C\u0448\u0438\u0435 \u0438\u043C\u0435\u043D\u0430 "
    cleaning_expect(CYRILLIC "\u0421\u0410P_NET", CYRILLIC "CAP_NET");
    cleaning_expect(CYRILLIC "\u0422y\u0440e=x", CYRILLIC "Type=x");
    cleaning_expect(CYRILLIC "r\u0430\u0441e:tcattr(fd)", CYRILLIC "race:tcattr(fd)");
    cleaning_expect(CYRILLIC "10\u0445x\u0445x", CYRILLIC "10xxxx");
    cleaning_expect(CYRILLIC "oom a\u0501\u0458", CYRILLIC "oom adj");
    cleaning_expect(CYRILLIC "\u0420\u0421I", CYRILLIC "PCI");
    cleaning_expect("\u043F\u0456\u0434 \u0456\u0441\u0442\u043E\u0440\u0456\u0457 \u0438 \u0438 \u0456x",
                    "\u043F\u0456\u0434 \u0456\u0441\u0442\u043E\u0440\u0456\u0457 \u0438 \u0438 \u0456\u0445");
    cleaning_expect("DIFF in words \"p\u043E\u0138y", "DIFF in words \"\u0440\u043E\u043A\u0443");
    cleaning_expect("a word in words \u0438\u0437-\u0445a", "a word in words \u0438\u0437-\u0445\u0430");
#undef CYRILLIC
}

static void letters_of_two_scripts_that_neither_has_whole_are_latin(void **state)
{
    (void)state;
    cleaning_expect("end \u0391\u039D\u0405\u0399 end", "end ANSI end");
    cleaning_expect("\u5F53\u0399\u03A1\u0421\u03A1\u534F with words", "\u5F53IPCP\u534F with words");
    cleaning_expect("\u663E\u793A\u0399\u03A1\u6570 or number", "\u663E\u793AIP\u6570 or number");
    cleaning_expect_nothing("\u663E\u793A\u03A1\u6570 or number");
}

static void strokes_take_the_case_of_their_word(void **state)
{
    (void)state;
    cleaning_expect("he\u0406\u0406o \u0406nternet A\u0406", "hello Internet AI");
    cleaning_expect("RebootKeyIgnore\u0399nhibited Aq\u0399D", "RebootKeyIgnoreInhibited AqID");
}

static void an_exclamation_mark_is_no_click(void **state)
{
    (void)state;
    cleaning_expect("hello\u01C3\u01C3", "hello!!");
    cleaning_expect_nothing("\u01C3Kung and \u01C3X\u00F3\u00F5");
}

static void honest_mixtures_are_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "I love \u041C\u043E\u0441\u043A\u0432\u0430",
        "\u03B1-helix, 5\u03A9, 10k\u03A9, \u03BCm, \u0394T, \u0394E, \u0394\u0394G, 2\u03C0r\u00B2",
        "sin\u03B1cos\u03B2 + cos\u03B1sin\u03B2, \u03B3\u03B4T and \u03B1\u03B2T cells, H\u03B1, Ly\u03B1",
        "C++ \u65E5\u672C, T\u30B7\u30E3\u30C4, \u5361\u62C9OK",
        "camelCase, https://example.com/path?q=1, foo_bar, DAN metode",
        "SMS\u043A\u0430, e\u0411\u0430\u043D\u043A, "
        "T-\u043A\u043B\u0435\u0442\u043A\u0438",
        "\\fI\u0391\u03A1\u03A7\u0395\u0399\u039F\\fP \u03C4\u03BF\u03C5",
        "a\u03B3ec", /* Berber, with gamma for its own letter */
        "\u05D5Google, Windows\u0578\u0582\u0574",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) cleaning_expect_nothing(texts[i]);
}

static void greek_letters_of_formulas_and_names_stay(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "NF\u03BAB and I\u03BAB\u03B1 are activated by TNF\u03B1, PPAR\u03B3 by \u03B3H2AX",
        "let d\u03B1 = 0 and dx = 1; the vector \u03B1t + \u03B2u is in V",
        "if \u03B1n converges, then so does \u03B2n, and \u0394G = kT - k\u03B2",
        "tamazi\u03B3t taqbaylit yi\u03B3il n", /* Berber, with gamma for its own letter */
        "\u03BBx.\u03BBy.x y",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) cleaning_expect_nothing(texts[i]);
}

static void greek_letters_in_prose_are_repaired(void **state)
{
    (void)state;
    cleaning_expect("a f\u03B9ne film \u03B1nd the\u03B3 know", "a fine film and they know");
    cleaning_expect("\u03B9t is \u03BD\u03BF\u03B9d o\u0584 all sense", "it is void of all sense");
    cleaning_expect("wi\u0399\u0399 they", "will they");
}

static void strokes_are_read_by_what_stands_around_them(void **state)
{
    (void)state;
    cleaning_expect("we \u0399ike \u0399taly, a\u0399\u0399 of it", "we like Italy, all of it");
    cleaning_expect("O\u0406d f\u04CFsh and mi\u04CFk", "Old fish and milk");
    cleaning_expect("\u0399'm here", "I'm here");
    cleaning_expect("part I\u0399\u0399 and \u0399\u0399I", "part III and III");
    cleaning_expect("he'\u0406\u0406 call McCa\u04C0\u0399, A\u04C0l", "he'll call McCall, All");
    cleaning_expect("nobody \u042C\u0406ames who a\u0433\u0435 \u0422h\u0435\u0433e",
                    "nobody blames who are There");
}

static void small_letters_among_capitals_are_capitals(void **state)
{
    (void)state;
    cleaning_expect("\u041E\u0427\u0415\u041Db \u042E", "\u041E\u0427\u0415\u041D\u042C \u042E");
    cleaning_expect("\u042F\u041Al \u0404", "\u042F\u041A\u0406 \u0404");
    cleaning_expect("\u039C\u0399\u0391 TA \u03A0\u039B\u0397\u0398\u0397 T\u0391",
                    "\u039C\u0399\u0391 TA \u03A0\u039B\u0397\u0398\u0397 \u03A4\u0391");
}

static void words_with_accents_of_greek_are_greek(void **state)
{
    (void)state;
    cleaning_expect("A\u03A0\u038C", "\u0391\u03A0\u038C");
    cleaning_expect_nothing("\u0394T");
}

static void endings_of_russian_behind_latin_names_stay(void **state)
{
    (void)state;
#define RUSSIAN " \u0432\u0441\u0451 \u0436\u0435 \u0438 \u044F"
    cleaning_expect_nothing("RULEZ'\u0430" RUSSIAN);
    cleaning_expect_nothing("KEY'\u0435\u0432, Google\u2019\u043E\u043C" RUSSIAN);
    cleaning_expect("c'\u0457\u0437\u0434" RUSSIAN, "\u0441'\u0457\u0437\u0434" RUSSIAN);
    cleaning_expect("O'\u041A\u043E\u043D\u043D\u043E\u0440" RUSSIAN,
                    "\u041E'\u041A\u043E\u043D\u043D\u043E\u0440" RUSSIAN);
    cleaning_expect("they said it'\u0455 fine", "they said it's fine");
    cleaning_expect("60-\u0435: Sex, Drugs and more of it", "60-\u0435: Sex, Drugs and more of it");
#undef RUSSIAN
}

static void a_whole_word_is_reported_and_at_the_strict_level_repaired(void **state)
{
    (void)state;
    static const char text[] = "the company \u0430\u0440\u0440\u04CF\u0435 sells\n\u043B\u044F";
    cleaning_expect(text, text);
    assert_int_equal(cleaning_result.totals[RULE_HOMO_WHOLE], 1);
    assert_int_equal(cleaning_result.findings[0].range.begin, 12);
    assert_int_equal(cleaning_result.findings[0].range.end, 22);
    assert_memory_equal(cleaning_result.findings[0].detail, "apple", 5);
    cleaning_expect_at(text, "the company apple sells\n\u043B\u044F", SANITIZE_STRICT, 0);
}

static void whole_words_of_a_script_that_the_text_has_nowhere_else_are_repaired(void **state)
{
    (void)state;
    cleaning_expect("it was \u0430 movie, \u0455\u0435\u0435, \u0399 know \u039D\u03BF amount",
                    "it was a movie, see, I know No amount");
    assert_int_equal(cleaning_result.totals[RULE_HOMO_MIXED], 4);
    cleaning_expect("0410 \u0410 CYRILLIC CAPITAL LETTER A", "0410 \u0410 CYRILLIC CAPITAL LETTER A");
    static const char text[] = "the Cyrillic letter \"\u0430\" and the \u0421\u0421\u0421\u0420";
    cleaning_expect(text, text);
    assert_int_equal(cleaning_result.totals[RULE_HOMO_MIXED], 0);
}

static void what_else_there_is_among_ideographs_is_latin(void **state)
{
    (void)state;
    cleaning_expect("\u5373T\u0421P\u7684\u5730\u5740", "\u5373TCP\u7684\u5730\u5740");
    cleaning_expect("\u7684\u0399\u03A1\u5730\u5740", "\u7684IP\u5730\u5740");
    cleaning_expect("\u6240\u6709\u03A1\u0421\u0399\u603B\u7EBF", "\u6240\u6709PCI\u603B\u7EBF");
    cleaning_expect("M\u0391\u0421 \u30A2\u30C9\u30EC\u30B9", "MAC \u30A2\u30C9\u30EC\u30B9");
    cleaning_expect_nothing("\u5E0C\u814A\u6587 \u03B1 \u548C \u03B2");
    cleaning_expect_nothing("\u4FC4\u6587\u201C\u0434\u0430\u201D\u662F");
}

static void whole_words_among_their_own_are_honest(void **state)
{
    (void)state;
    cleaning_expect_nothing(
        "\u0421\u043E\u0440\u043E\u043A \u043E\u0441\u0430 \u0441\u0443\u0445\u043E \u0445\u043E\u0440");
    cleaning_expect_nothing("PC, CEO, HP, IP: \u0432 \u0442\u0435\u043A\u0441\u0442\u0435");
    cleaning_expect_nothing("he said \u043E\u043D \u0430 \u044F and left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_of_another_script_becomes_the_words_own),
        cmocka_unit_test(one_letter_left_is_enough),
        cmocka_unit_test(a_word_of_letters_that_all_scripts_have_goes_by_its_neighbours),
        cmocka_unit_test(a_word_of_letters_that_all_scripts_have_may_say_which_it_is_of),
        cmocka_unit_test(letters_of_two_scripts_that_neither_has_whole_are_latin),
        cmocka_unit_test(strokes_take_the_case_of_their_word),
        cmocka_unit_test(an_exclamation_mark_is_no_click),
        cmocka_unit_test(honest_mixtures_are_left_alone),
        cmocka_unit_test(greek_letters_of_formulas_and_names_stay),
        cmocka_unit_test(greek_letters_in_prose_are_repaired),
        cmocka_unit_test(strokes_are_read_by_what_stands_around_them),
        cmocka_unit_test(small_letters_among_capitals_are_capitals),
        cmocka_unit_test(words_with_accents_of_greek_are_greek),
        cmocka_unit_test(endings_of_russian_behind_latin_names_stay),
        cmocka_unit_test(a_whole_word_is_reported_and_at_the_strict_level_repaired),
        cmocka_unit_test(whole_words_of_a_script_that_the_text_has_nowhere_else_are_repaired),
        cmocka_unit_test(what_else_there_is_among_ideographs_is_latin),
        cmocka_unit_test(whole_words_among_their_own_are_honest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
