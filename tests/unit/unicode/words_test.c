#include "unicode/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* The words, each in brackets. */
static void expect_words(const char *bytes, const char *expected)
{
    char found[512] = "";
    size_t used = 0;
    ByteRange word;
    UnicodeWords words = unicode_words_open(text_view(bytes), 0);
    while (unicode_words_next(&words, &word)) {
        used += (size_t)snprintf(found + used, sizeof found - used, "[%.*s]", (int)(word.end - word.begin),
                                 bytes + word.begin);
    }
    assert_false(unicode_words_next(&words, &word));
    unicode_words_close(&words);
    assert_string_equal(found, expected);
}

/* As Python's re.findall(r"\w+", text). */
static void words_end_where_letters_do(void **state)
{
    (void)state;
    expect_words("", "");
    expect_words(" -- !", "");
    expect_words("It's a well-made_film, 3.5 of 5!", "[It][s][a][well][made_film][3][5][of][5]");
    expect_words("naïve Ærø Москва", "[naïve][Ærø][Москва]");
}

static void words_keep_their_marks(void **state)
{
    (void)state;
    expect_words("नमस्ते दुनिया", "[नमस्ते][दुनिया]");
    expect_words("e\xCC\x81t\xC3\xA9", "[e\xCC\x81t\xC3\xA9]");
}

static void words_of_scripts_without_spaces_are_the_dictionarys(void **state)
{
    (void)state;
    expect_words("我喜欢这部电影。", "[我][喜欢][这][部][电影]");
    expect_words("ภาพยนตร์ดีมาก", "[ภาพยนตร์][ดี][มาก]");
    expect_words("an iPhone手机!", "[an][iPhone][手机]");
    expect_words("映画。good", "[映画][good]");
}

static void words_are_walked_from_any_character(void **state)
{
    (void)state;
    ByteRange word;
    UnicodeWords words = unicode_words_open(text_view("good film"), 2);
    assert_true(unicode_words_next(&words, &word));
    assert_int_equal(word.begin, 2);
    assert_int_equal(word.end, 4);
    unicode_words_close(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_end_where_letters_do),
        cmocka_unit_test(words_keep_their_marks),
        cmocka_unit_test(words_of_scripts_without_spaces_are_the_dictionarys),
        cmocka_unit_test(words_are_walked_from_any_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
