/* Edits of a text carry its map along. */
#include "pipeline/text_edits.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void edit(Sanitized *sanitized, const TextEdit *edits, uint32_t count, uint32_t size, Arena *arena)
{
    Error error;
    if (text_edits_apply(edits, count, size, arena, sanitized, &error)) fail_msg("%s", error.message);
}

static void assert_origin(const Sanitized *sanitized, uint32_t begin, uint32_t end, uint32_t from, uint32_t to)
{
    ByteRange range = sanitizer_original_range(sanitized->map, (ByteRange){begin, end});
    assert_int_equal(range.begin, from);
    assert_int_equal(range.end, to);
}

static void ranges_lead_back_through_two_rewrites(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, MIB);
    const TextView original = text_view("one twwo three");
    Sanitized sanitized = {.text = original};
    const TextEdit first[] = {{{4, 8}, text_view("two")}};
    edit(&sanitized, first, 1, (uint32_t)original.size, &arena);
    assert_true(text_equal(sanitized.text, text_view("one two three")));
    assert_origin(&sanitized, 4, 7, 4, 8);
    assert_origin(&sanitized, 5, 6, 4, 8); /* any part of it comes from all of what it replaced */
    assert_origin(&sanitized, 8, 13, 9, 14);
    const TextEdit second[] = {{{0, 4}, {0}}, {{7, 13}, text_view("!")}};
    edit(&sanitized, second, 2, (uint32_t)original.size, &arena);
    assert_true(text_equal(sanitized.text, text_view("two!")));
    assert_origin(&sanitized, 0, 3, 4, 8);
    assert_origin(&sanitized, 3, 4, 8, 14);
    assert_origin(&sanitized, 0, 4, 4, 14);
    arena_free(&arena);
}

static void a_full_arena_leaves_the_text_as_it_is(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 64);
    Sanitized sanitized = {.text = text_view("some words")};
    const TextEdit edits[] = {{{0, 4}, text_view("many")}};
    Error error;
    assert_int_equal(text_edits_apply(edits, 1, 10, &arena, &sanitized, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_true(text_equal(sanitized.text, text_view("some words")));
    assert_null(sanitized.map);
    assert_false(sanitized.changed);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_lead_back_through_two_rewrites),
        cmocka_unit_test(a_full_arena_leaves_the_text_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
