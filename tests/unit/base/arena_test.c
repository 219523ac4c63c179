/* The arena: aligned, bounded by its budget, freed at once. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void arena_gives_aligned_memory_that_does_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    unsigned char *blocks[COUNT];
    size_t sizes[COUNT];
    Arena arena;
    arena_init(&arena, 64 * 1024 * 1024);
    for (int i = 0; i < COUNT; i++) {
        sizes[i] = (size_t)rand_r(&seed) % (i % 10 ? 300 : 60000);
        blocks[i] = arena_allocate(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], i & 0xFF, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        for (size_t byte = 0; byte < sizes[i]; byte++) assert_int_equal(blocks[i][byte], i & 0xFF);
    }
    arena_free(&arena);
}

static void arena_never_exceeds_its_budget(void **state)
{
    (void)state;
    for (size_t budget = 0; budget < 70000; budget += 997) {
        Arena arena;
        arena_init(&arena, budget);
        while (arena_allocate(&arena, 1000)) assert_true(arena.used_bytes <= budget);
        assert_true(arena.used_bytes <= budget);
        assert_null(arena_allocate(&arena, budget));
        assert_null(arena_allocate(&arena, SIZE_MAX));
        arena_free(&arena);
    }
}

static void arena_reserves_room_for_many_without_rests(void **state)
{
    (void)state;
    enum { BLOCK_COUNT = 100 };
    Arena arena;
    arena_init(&arena, 600 * 1024);
    assert_non_null(arena_allocate(&arena, 1));
    assert_true(arena_reserve(&arena, BLOCK_COUNT * 5008));
    size_t used_bytes = arena.used_bytes;
    for (int i = 0; i < BLOCK_COUNT; i++) assert_non_null(arena_allocate(&arena, 5000));
    assert_int_equal(arena.used_bytes, used_bytes);
    assert_false(arena_reserve(&arena, 600 * 1024));
    assert_false(arena_reserve(&arena, SIZE_MAX));
    arena_free(&arena);
}

static void arena_reserves_no_more_than_it_is_asked_for(void **state)
{
    (void)state;
    enum { RESERVE_COUNT = 100, RESERVE_BYTES = 9008, HEADER_BYTES = 64 };
    Arena arena;
    arena_init(&arena, RESERVE_COUNT * (RESERVE_BYTES + HEADER_BYTES));
    for (int i = 0; i < RESERVE_COUNT; i++) {
        assert_true(arena_reserve(&arena, RESERVE_BYTES));
        assert_non_null(arena_allocate(&arena, RESERVE_BYTES));
    }
    arena_free(&arena);
}

static void arena_without_budget_gives_nothing(void **state)
{
    (void)state;
    Arena arena = {0};
    assert_null(arena_allocate(&arena, 1));
    assert_null(arena_copy_text(&arena, text_view("x")));
    arena_free(&arena);
}

static void arena_zeroes_and_refuses_an_overflowing_product(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 100000);
    unsigned char *dirty = arena_allocate(&arena, 5000);
    assert_non_null(dirty);
    memset(dirty, 0xFF, 5000);
    arena_free(&arena);
    unsigned char *clean = arena_allocate_zeroed(&arena, 50, 100);
    assert_non_null(clean);
    for (int i = 0; i < 5000; i++) assert_int_equal(clean[i], 0);
    assert_null(arena_allocate_zeroed(&arena, SIZE_MAX / 2, 3));
    assert_non_null(arena_allocate_zeroed(&arena, 0, 3));
    assert_non_null(arena_allocate(&arena, 0));
    arena_free(&arena);
}

static void arena_copies_text_with_a_terminator(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 100000);
    const char *copy = arena_copy_text(&arena, (TextView){"ab\0cd", 5});
    assert_non_null(copy);
    assert_memory_equal(copy, "ab\0cd", 6);
    assert_string_equal(arena_copy_text(&arena, (TextView){NULL, 0}), "");
    arena_free(&arena);
}

static void arena_adopts_what_its_budget_pays_for(void **state)
{
    (void)state;
    Arena arena;
    arena_init(&arena, 100000);
    char *small = malloc(60000), *large = malloc(60000);
    assert_true(small && large);
    size_t before = arena.used_bytes;
    assert_true(arena_adopt(&arena, small, 60000)); /* it is freed with the arena: leak checkers say */
    assert_true(arena.used_bytes >= before + 60000);
    assert_false(arena_adopt(&arena, large, 60000));
    memset(large, 1, 60000);
    free(large);
    arena_free(&arena);
    assert_int_equal(arena.used_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(arena_never_exceeds_its_budget),
        cmocka_unit_test(arena_reserves_room_for_many_without_rests),
        cmocka_unit_test(arena_reserves_no_more_than_it_is_asked_for),
        cmocka_unit_test(arena_without_budget_gives_nothing),
        cmocka_unit_test(arena_zeroes_and_refuses_an_overflowing_product),
        cmocka_unit_test(arena_copies_text_with_a_terminator),
        cmocka_unit_test(arena_adopts_what_its_budget_pays_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
