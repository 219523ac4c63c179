/* Offsets through every rewrite. */
#include "sanitizer/offset_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void expect(ByteRange range, uint32_t begin, uint32_t end)
{
    assert_int_equal(range.begin, begin);
    assert_int_equal(range.end, end);
}

static void no_map_is_the_same_range(void **state)
{
    (void)state;
    expect(sanitizer_original_range(NULL, (ByteRange){3, 7}), 3, 7);
}

/* "ab" copied, 3 bytes dropped, "c" copied, a fullwidth letter of 3 bytes that became one, "d" copied. */
static void copied_dropped_and_mapped_bytes_find_their_originals(void **state)
{
    (void)state;
    OffsetMap map = {.original_size = 10};
    assert_true(offset_map_append(&map, NULL, 1, (ByteRange){0, 1}, true));
    assert_true(offset_map_append(&map, NULL, 1, (ByteRange){1, 2}, true));
    assert_true(offset_map_append(&map, NULL, 1, (ByteRange){5, 6}, true));
    assert_true(offset_map_append(&map, NULL, 1, (ByteRange){6, 9}, false));
    assert_true(offset_map_append(&map, NULL, 1, (ByteRange){9, 10}, true));
    assert_false(map.reordered);
    expect(sanitizer_original_range(&map, (ByteRange){0, 2}), 0, 2);
    expect(sanitizer_original_range(&map, (ByteRange){1, 3}), 1, 6);
    expect(sanitizer_original_range(&map, (ByteRange){3, 4}), 6, 9);
    expect(sanitizer_original_range(&map, (ByteRange){0, 5}), 0, 10);
    expect(sanitizer_original_range(&map, (ByteRange){2, 2}), 5, 5);
    expect(sanitizer_original_range(&map, (ByteRange){5, 5}), 10, 10);
    offset_map_close(&map);
}

static void reordered_bytes_map_to_the_range_that_holds_them(void **state)
{
    (void)state;
    OffsetMap map = {.original_size = 4};
    for (uint32_t i = 4; i-- > 0;) assert_true(offset_map_append(&map, NULL, 1, (ByteRange){i, i + 1}, true));
    assert_true(map.reordered);
    expect(sanitizer_original_range(&map, (ByteRange){0, 1}), 3, 4);
    expect(sanitizer_original_range(&map, (ByteRange){1, 3}), 1, 3);
    offset_map_close(&map);
}

/* Spans of all sizes, some of them out of order, against a plain list of where each byte came from. */
static void long_maps_find_every_byte(void **state)
{
    (void)state;
    enum { SPANS = 3000, SIZE_MAX_BITS = 9 };
    static ByteRange origins[SPANS << SIZE_MAX_BITS];
    uint32_t size = 0, at = 0, random = 1;
    OffsetMap map = {.original_size = UINT32_MAX};
    for (uint32_t i = 0; i < SPANS; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t bits = random >> 28, cleaned = 1 + (random >> 8 & ((1u << bits % SIZE_MAX_BITS) - 1));
        bool copied = random >> 24 & 1;
        at += bits % 3 ? 0 : 1u << bits;
        if (bits == 7 && at > 1000) at -= 1000;
        uint32_t original = copied ? cleaned : 1 + (random >> 16 & 15);
        assert_true(offset_map_append(&map, NULL, cleaned, (ByteRange){at, at + original}, copied));
        for (uint32_t k = 0; k < cleaned; k++)
            origins[size++] = copied ? (ByteRange){at + k, at + k + 1} : (ByteRange){at, at + original};
        at += original;
    }
    assert_true(map.reordered && map.block_count > 10 && map.cleaned_size == size);
    OffsetCursor cursor = {0};
    for (uint32_t i = 0; i < size; i++) {
        ByteRange byte = {i, i + 1}, next = offset_map_next(&map, &cursor, byte);
        expect(sanitizer_original_range(&map, byte), origins[i].begin, origins[i].end);
        expect(next, origins[i].begin, origins[i].end);
    }
    Arena arena;
    arena_init(&arena, 16 * 1024 * 1024);
    const OffsetMap *stored = offset_map_store(&map, &arena);
    assert_non_null(stored);
    offset_map_close(&map);
    for (uint32_t begin = 0; begin + 700 < size; begin += 699) {
        ByteRange whole = origins[begin];
        for (uint32_t i = begin; i < begin + 700; i++) {
            if (origins[i].begin < whole.begin) whole.begin = origins[i].begin;
            if (origins[i].end > whole.end) whole.end = origins[i].end;
        }
        expect(sanitizer_original_range(stored, (ByteRange){begin, begin + 700}), whole.begin, whole.end);
    }
    arena_free(&arena);
}

/* A letter in two is another one: the map is smaller than the text. */
static void maps_of_many_changes_are_small(void **state)
{
    (void)state;
    OffsetMap map = {0};
    for (uint32_t at = 0; at < 300000; at += 3) {
        assert_true(offset_map_append(&map, NULL, 1, (ByteRange){at, at + 1}, true));
        assert_true(offset_map_append(&map, NULL, 1, (ByteRange){at + 1, at + 3}, false));
    }
    assert_true(offset_map_bytes(&map) < 300000);
    offset_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_map_is_the_same_range),
        cmocka_unit_test(copied_dropped_and_mapped_bytes_find_their_originals),
        cmocka_unit_test(reordered_bytes_map_to_the_range_that_holds_them),
        cmocka_unit_test(long_maps_find_every_byte),
        cmocka_unit_test(maps_of_many_changes_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
