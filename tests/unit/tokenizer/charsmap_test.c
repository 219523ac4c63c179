/* SentencePiece's character map, built by hand: keys of one to three bytes, shared ends, and files that lie. */
#include "tokenizer/charsmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { UNITS = 1024, BLOB_MAX = 4 + 4 * UNITS + 64 };

static const char REPLACEMENTS[] =
    "x\0\xC3\xA9\0\0zz"; /* at 0: x, at 2: U+00E9, at 5: nothing, at 6: zz, unended */

typedef struct Map {
    uint32_t units[UNITS];
    uint32_t count;
} Map;

/* A child block's place as an offset from `at`, which bit 9 would scale. */
static uint32_t offset_to(uint32_t at, uint32_t base)
{
    return (at ^ base) << 10;
}

/* Keys: "a" -> x; "bc" -> U+00E9; "bd" -> nothing; U+00C9 -> zz. */
static Map map_make(void)
{
    Map map = {.count = UNITS};
    map.units[0] = offset_to(0, 256);
    uint32_t a = 256 ^ 'a', b = 256 ^ 'b', c = 512 ^ 'c', d = 512 ^ 'd', first = 256 ^ 0xC3, second = 768 ^ 0x89;
    map.units[a] = 'a' | 0x100 | offset_to(a, 1);
    map.units[1] = 0x80000000u | 0;
    map.units[b] = 'b' | offset_to(b, 512);
    map.units[c] = 'c' | 0x100 | offset_to(c, 2);
    map.units[2] = 0x80000000u | 2;
    map.units[d] = 'd' | 0x100 | offset_to(d, 3);
    map.units[3] = 0x80000000u | 5;
    map.units[first] = 0xC3 | offset_to(first, 768);
    map.units[second] = 0x89 | 0x100 | offset_to(second, 4);
    map.units[4] = 0x80000000u | 6;
    return map;
}

static void put_u32(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(value >> 8 * i);
}

static size_t base64_encode(const unsigned char *bytes, size_t size, char *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = 0;
    for (size_t at = 0; at < size; at += 3) {
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) group = group << 8 | (at + i < size ? bytes[at + i] : 0);
        for (size_t i = 0; i < 4; i++) out[count++] = at + i <= size ? DIGITS[group >> (18 - 6 * i) & 63] : '=';
    }
    return count;
}

static Status map_open(const Map *map, Charsmap **out_charsmap, Error *error)
{
    static unsigned char blob[BLOB_MAX];
    static char text[BLOB_MAX * 2];
    put_u32(blob, map->count * 4);
    for (uint32_t i = 0; i < map->count; i++) put_u32(blob + 4 + 4 * i, map->units[i]);
    size_t size = 4 + 4 * (size_t)map->count + sizeof REPLACEMENTS - 1;
    memcpy(blob + 4 + 4 * (size_t)map->count, REPLACEMENTS, sizeof REPLACEMENTS - 1);
    return charsmap_open((TextView){text, base64_encode(blob, size, text)}, out_charsmap, error);
}

static void check(const Charsmap *charsmap, const char *text, const char *expected)
{
    TextView found;
    bool any = charsmap_transform(charsmap, text_view(text), &found);
    assert_int_equal(any, expected != NULL);
    if (any) assert_true(text_equal(found, text_view(expected)));
}

static void charsmap_replaces_by_the_shortest_key(void **state)
{
    (void)state;
    Map map = map_make();
    Charsmap *charsmap = NULL;
    Error error = {.message = ""};
    assert_int_equal(map_open(&map, &charsmap, &error), STATUS_OK);
    check(charsmap, "a", "x");
    check(charsmap, "aaa", "x");
    check(charsmap, "b", NULL);
    check(charsmap, "bc", "\xC3\xA9");
    check(charsmap, "bd", "");
    check(charsmap, "\xC3\x89", "zz");
    check(charsmap, "\xC3\x8A", NULL);
    check(charsmap, "", NULL);
    check(charsmap, "c", NULL);
    assert_false(charsmap_kept_ascii(charsmap)['a']);
    assert_true(charsmap_kept_ascii(charsmap)['b']);
    charsmap_close(charsmap);
}

static void check_refused(const Map *map, const char *expected)
{
    Charsmap *charsmap = NULL;
    Error error = {.message = ""};
    assert_int_equal(map_open(map, &charsmap, &error), STATUS_CORRUPT);
    if (!strstr(error.message, expected)) fail_msg("%s", error.message);
    assert_null(charsmap);
}

static void charsmap_refuses_what_points_outside(void **state)
{
    (void)state;
    Map map = map_make();
    map.units[0] = offset_to(0, 1024);
    check_refused(&map, "the root's children lie outside");
    map = map_make();
    map.units[256 ^ 'b'] = 'b' | 0x1FFFFFu << 10;
    check_refused(&map, "a unit's children lie outside");
    map = map_make();
    map.units[1] = 0x80000000u | sizeof REPLACEMENTS;
    check_refused(&map, "a replacement lies outside");
    map = map_make();
    map.units[1] = 0x80000000u | 3; /* within U+00E9 */
    check_refused(&map, "a replacement lies outside");
    map = map_make();
    map.count = 300;
    check_refused(&map, "lie outside");
    map.count = 0;
    check_refused(&map, "empty");
}

/* A key that goes on for ever is as long as the text. */
static void charsmap_ends_in_a_loop(void **state)
{
    (void)state;
    Map map = map_make();
    Charsmap *charsmap = NULL;
    Error error;
    map.units[256 ^ 'b'] = 'b' | offset_to(256 ^ 'b', 256);
    assert_int_equal(map_open(&map, &charsmap, &error), STATUS_OK);
    check(charsmap, "bbbbbbbb", NULL);
    check(charsmap, "bbbbbbbba", "x");
    charsmap_close(charsmap);
}

static void charsmap_refuses_what_is_no_base64(void **state)
{
    (void)state;
    static const char *const BROKEN[] = {
        "", "A", "AAA", "AAAA=", "====", "A===", "AB==", "AAB=", "AA!A", "BAAAAAAAAAA=", "/////w==", "AAAAAA=="};
    for (size_t i = 0; i < sizeof BROKEN / sizeof BROKEN[0]; i++) {
        Charsmap *charsmap = NULL;
        Error error;
        assert_int_equal(charsmap_open(text_view(BROKEN[i]), &charsmap, &error), STATUS_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charsmap_replaces_by_the_shortest_key),
        cmocka_unit_test(charsmap_refuses_what_points_outside),
        cmocka_unit_test(charsmap_ends_in_a_loop),
        cmocka_unit_test(charsmap_refuses_what_is_no_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
