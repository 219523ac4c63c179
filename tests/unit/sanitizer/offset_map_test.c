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
    expect(sanitizer_cleaned_range(NULL, (ByteRange){3, 7}), 3, 7);
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
    assert_int_equal(map.span_count, 4);
    assert_false(map.reordered);
    expect(sanitizer_original_range(&map, (ByteRange){0, 2}), 0, 2);
    expect(sanitizer_original_range(&map, (ByteRange){1, 3}), 1, 6);
    expect(sanitizer_original_range(&map, (ByteRange){3, 4}), 6, 9);
    expect(sanitizer_original_range(&map, (ByteRange){0, 5}), 0, 10);
    expect(sanitizer_original_range(&map, (ByteRange){2, 2}), 5, 5);
    expect(sanitizer_original_range(&map, (ByteRange){5, 5}), 10, 10);
    expect(sanitizer_cleaned_range(&map, (ByteRange){2, 5}), 2, 2);
    expect(sanitizer_cleaned_range(&map, (ByteRange){1, 6}), 1, 3);
    expect(sanitizer_cleaned_range(&map, (ByteRange){7, 8}), 3, 4);
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
    expect(sanitizer_cleaned_range(&map, (ByteRange){0, 2}), 2, 4);
    offset_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_map_is_the_same_range),
        cmocka_unit_test(copied_dropped_and_mapped_bytes_find_their_originals),
        cmocka_unit_test(reordered_bytes_map_to_the_range_that_holds_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
