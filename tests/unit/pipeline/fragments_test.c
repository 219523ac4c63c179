/* Words taken apart stand out; prose, figures and signs do not. */
#include "pipeline/fragments.h"

#include "unit/pipeline/golden.h"

#include <string.h>

enum { TOKENS_MAX = 1024 };

/* What a tokenizer that takes a third of a token a Latin letter may reach at most. */
static const FragmentRates RATES = {.rates = {[LETTER_LATIN] = 0.6f}};

/* Tokens of `size` bytes each, blanks left out. */
static bool find(const char *text, uint32_t size, TokenRange *out_range)
{
    static ByteRange offsets[TOKENS_MAX];
    Encoding encoding = {.offsets = offsets};
    uint32_t end = (uint32_t)strlen(text);
    for (uint32_t at = 0; at < end;) {
        if (text[at] == ' ') {
            at++;
            continue;
        }
        uint32_t stop = at + 1;
        while (stop < end && text[stop] != ' ' && stop - at < size) stop++;
        offsets[encoding.count++] = (ByteRange){at, stop};
        at = stop;
    }
    return fragments_find(&RATES, text_view(text), &encoding, (TokenRange){0, encoding.count}, 0, out_range);
}

static void letters_that_stand_alone_are_found_where_they_are(void **state)
{
    (void)state;
    TokenRange range;
    char text[512] = "plain words before them ";
    for (int i = 0; i < 60; i++) strcat(text, i % 2 ? "x " : "q ");
    strcat(text, "plain words behind them");
    assert_true(find(text, 3, &range));
    assert_int_equal(range.begin, 7); /* pla in wor ds bef ore the m */
    assert_int_equal(range.end, 68);
}

static void prose_and_figures_are_none(void **state)
{
    (void)state;
    TokenRange range;
    char prose[2048] = "", figures[1024] = "";
    for (int i = 0; i < 40; i++) strcat(prose, "words of several letters, and signs. ");
    for (int i = 0; i < 100; i++) strcat(figures, "3.14159 ");
    assert_false(find(prose, 3, &range));
    assert_false(find(figures, 1, &range));
    assert_false(find("i n i t i a l s", 1, &range));
}

/* Here a tokenizer takes half the words of any language apart anyway. */
static void what_a_tokenizer_always_takes_apart_is_not_looked_at(void **state)
{
    (void)state;
    Pipeline *pipeline = golden_pipeline("queries", 0);
    FragmentRates rates;
    Error error;
    assert_int_equal(fragments_calibrate(pipeline, &rates, &error), STATUS_OK);
    for (int kind = 0; kind < LETTER_KIND_COUNT; kind++) assert_true(rates.rates[kind] < 0.81f);
    assert_true(rates.rates[LETTER_LATIN] == 0);
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_that_stand_alone_are_found_where_they_are),
        cmocka_unit_test(prose_and_figures_are_none),
        cmocka_unit_test(what_a_tokenizer_always_takes_apart_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
