/* What changed between two texts: pieces that join to both, and few characters in changed ones. */
#include "diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Checks what holds for any two texts; gives the pieces' signs: "=" same, "~" changed. */
static void assert_pieces(TextView before, TextView after, DiffPiece **out_pieces, size_t *out_count)
{
    assert_int_equal(diff_texts(before, after, out_pieces, out_count, NULL), STATUS_OK);
    ByteRange at = {0, 0}; /* begin: in before; end: in after */
    for (size_t index = 0; index < *out_count; index++) {
        const DiffPiece *piece = &(*out_pieces)[index];
        assert_int_equal(piece->before.begin, at.begin);
        assert_int_equal(piece->after.begin, at.end);
        at = (ByteRange){piece->before.end, piece->after.end};
        uint32_t removed = at.begin - piece->before.begin, added = at.end - piece->after.begin;
        assert_true(removed + added > 0);
        if (index > 0) assert_int_not_equal(piece->same, (*out_pieces)[index - 1].same);
        if (piece->same) assert_int_equal(removed, added);
        if (piece->same)
            assert_memory_equal(before.bytes + piece->before.begin, after.bytes + piece->after.begin, added);
    }
    assert_int_equal(at.begin, before.size);
    assert_int_equal(at.end, after.size);
}

static void assert_marked(const char *before, const char *after, const char *expected)
{
    DiffPiece *pieces;
    size_t count;
    assert_pieces(text_view(before), text_view(after), &pieces, &count);
    char marked[256] = "";
    for (size_t index = 0; index < count; index++) {
        const DiffPiece *piece = &pieces[index];
        size_t used = strlen(marked);
        int removed = (int)(piece->before.end - piece->before.begin);
        int added = (int)(piece->after.end - piece->after.begin);
        if (piece->same)
            snprintf(marked + used, sizeof marked - used, "%.*s", removed, before + piece->before.begin);
        else
            snprintf(marked + used, sizeof marked - used, "[%.*s|%.*s]", removed, before + piece->before.begin,
                     added, after + piece->after.begin);
    }
    assert_string_equal(marked, expected);
    free(pieces);
}

static void diff_marks_what_changed(void **state)
{
    (void)state;
    assert_marked("", "", "");
    assert_marked("same", "same", "same");
    assert_marked("", "new", "[|new]");
    assert_marked("old", "", "[old|]");
    assert_marked("abXcd", "abcd", "ab[X|]cd");
    assert_marked("abcd", "abXcd", "ab[|X]cd");
    assert_marked("p\u0430yp\u0430l", "paypal", "p[\u0430|a]yp[\u0430|a]l");
    assert_marked("kitten", "sitting", "[k|s]itt[e|i]n[|g]");
}

static void diff_cuts_no_character(void **state)
{
    (void)state;
    assert_marked("\u0430", "\u0431", "[\u0430|\u0431]"); /* D0 B0, D0 B1 */
    assert_marked("a\xD0z", "a\uFFFDz", "a[\xD0|\uFFFD]z");
    assert_marked("\xC0\xAF", "/", "[\xC0\xAF|/]");
    assert_marked("\U0001F600", "\U0001F601", "[\U0001F600|\U0001F601]");
}

/* Far more edits than a stretch has, in one place and in many. */
static void diff_holds_for_long_changes(void **state)
{
    (void)state;
    enum { SIZE = 20 * DIFF_EDITS_MAX };
    char *before = malloc(SIZE), *after = malloc(SIZE);
    DiffPiece *pieces;
    size_t count;
    memset(before, 'x', SIZE);
    memcpy(before, "begin", 5);
    memcpy(before + SIZE - 3, "end", 3);
    assert_pieces((TextView){before, SIZE}, text_view("beginend"), &pieces, &count);
    assert_int_equal(count, 3);
    assert_int_equal(pieces[1].before.end - pieces[1].before.begin, SIZE - 8);
    free(pieces);
    assert_pieces(text_view("beginend"), (TextView){before, SIZE}, &pieces, &count);
    free(pieces);
    size_t size = 0;
    for (size_t index = 0; index < SIZE; index++) {
        before[index] = (char)(index % 5 == 4 ? '-' : 'a' + (char)(index * index % 23));
        if (before[index] != '-') after[size++] = before[index];
    }
    assert_pieces((TextView){before, SIZE}, (TextView){after, size}, &pieces, &count);
    assert_int_equal(count, 2 * (SIZE / 5));
    free(pieces);
    free(before);
    free(after);
}

static void diff_holds_for_any_texts(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 300; round++) {
        char texts[2][2000];
        size_t sizes[2];
        for (int side = 0; side < 2; side++) {
            random = random * 1664525 + 1013904223;
            sizes[side] = (random >> 8) % (round % 10 ? 40 : sizeof texts[side]);
            for (size_t index = 0; index < sizes[side]; index++) {
                random = random * 1664525 + 1013904223;
                texts[side][index] = "ab\xD0\xB0"[random >> 30];
            }
        }
        DiffPiece *pieces;
        size_t count;
        assert_pieces((TextView){texts[0], sizes[0]}, (TextView){texts[1], sizes[1]}, &pieces, &count);
        free(pieces);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diff_marks_what_changed),
        cmocka_unit_test(diff_cuts_no_character),
        cmocka_unit_test(diff_holds_for_long_changes),
        cmocka_unit_test(diff_holds_for_any_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
