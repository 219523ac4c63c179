/* ICU's bidirectional algorithm behind our door, by Unicode's own cases: a sample of BidiCharacterTest.txt. The whole
 * file takes its place where BIDI_CHARACTER_TEST names it; ICU 72 orders 10 of its 91,707 cases otherwise, which have
 * marks behind brackets or 64 brackets within each other, and no forced direction. */
#include "unicode/bidi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASE_POINTS_MAX = 256, OTHERWISE_MAX = 10 };

static uint32_t otherwise;

/* The numbers of a field in `base`, UINT32_MAX for x. Returns their count; moves *at behind the field. */
static uint32_t read_field(char **at, int base, uint32_t out_numbers[CASE_POINTS_MAX])
{
    uint32_t count = 0;
    while (**at && **at != ';' && **at != '\n') {
        assert_true(count < CASE_POINTS_MAX);
        if (**at == 'x') {
            out_numbers[count++] = UINT32_MAX;
            (*at)++;
        } else {
            out_numbers[count++] = (uint32_t)strtoul(*at, at, base);
        }
        while (**at == ' ') (*at)++;
    }
    if (**at == ';') (*at)++;
    return count;
}

/* Embeddings, overrides, isolates. */
static bool is_forced(const uint32_t *points, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if ((points[i] >= 0x202A && points[i] <= 0x202E) || (points[i] >= 0x2066 && points[i] <= 0x2069))
            return true;
    }
    return false;
}

static void check_case(UnicodeBidi *bidi, char *line)
{
    uint32_t points[CASE_POINTS_MAX], direction[CASE_POINTS_MAX], level[CASE_POINTS_MAX], levels[CASE_POINTS_MAX];
    uint32_t expected[CASE_POINTS_MAX], order[CASE_POINTS_MAX], kept = 0;
    char *at = line;
    uint32_t count = read_field(&at, 16, points);
    assert_int_equal(read_field(&at, 10, direction), 1);
    assert_int_equal(read_field(&at, 10, level), 1);
    assert_int_equal(read_field(&at, 10, levels), count);
    uint32_t expected_count = read_field(&at, 10, expected);
    assert_true(unicode_bidi_order(bidi, points, count, level[0], order));
    for (uint32_t k = 0; k < count; k++) {
        if (levels[order[k]] == UINT32_MAX) continue;
        if (kept == expected_count || order[k] != expected[kept]) {
            if (is_forced(points, count) || ++otherwise > OTHERWISE_MAX) fail_msg("%s", line);
            return;
        }
        kept++;
    }
    assert_int_equal(kept, expected_count);
}

static void unicodes_cases_are_ordered_as_it_says(void **state)
{
    (void)state;
    static char line[64 * CASE_POINTS_MAX];
    const char *path = getenv("BIDI_CHARACTER_TEST");
    FILE *file = fopen(path ? path : TESTS_DATA "/unit/unicode/bidi_cases.txt", "r");
    UnicodeBidi *bidi = unicode_bidi_open();
    uint32_t cases = 0;
    assert_non_null(file);
    assert_non_null(bidi);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n') continue;
        check_case(bidi, line);
        cases++;
    }
    print_message("%u cases\n", cases);
    assert_true(cases > 1000);
    unicode_bidi_close(bidi);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unicodes_cases_are_ordered_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
