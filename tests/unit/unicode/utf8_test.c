/* Strict UTF-8: every scalar value survives, everything else is refused where it starts. */
#include "unicode/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void utf8_round_trips_every_scalar_value(void **state)
{
    (void)state;
    for (uint32_t code_point = 0; code_point < 0x110000; code_point++) {
        char bytes[UTF8_BYTES_MAX];
        uint32_t read, decoded;
        if (code_point >= 0xD800 && code_point < 0xE000) continue;
        size_t size = utf8_write(code_point, bytes);
        assert_int_equal(utf8_read(bytes, size, &read), size);
        assert_int_equal(utf8_decode(bytes, &decoded), size);
        assert_int_equal(utf8_previous(bytes, size), 0);
        if (size > 1) assert_int_equal(utf8_read(bytes, size - 1, &read), 0);
        assert_int_equal(read, code_point);
        assert_int_equal(decoded, code_point);
    }
}

/* All pairs of a lead and a second byte, with good bytes after them: the rows of table 3-7 one by one. */
static void utf8_refuses_overlong_surrogate_and_too_large_forms(void **state)
{
    (void)state;
    for (unsigned lead = 0x80; lead < 0x100; lead++) {
        for (unsigned second = 0; second < 0x100; second++) {
            char bytes[] = {(char)lead, (char)second, (char)0x80, (char)0x80};
            bool tail = second >= 0x80 && second < 0xC0;
            size_t expected = 0;
            if (lead >= 0xC2 && lead <= 0xDF && tail) expected = 2;
            if (lead >= 0xE0 && lead <= 0xEF && tail) expected = 3;
            if (lead >= 0xF0 && lead <= 0xF4 && tail) expected = 4;
            if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) expected = 0;
            if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) expected = 0;
            uint32_t code_point;
            assert_int_equal(utf8_read(bytes, 4, &code_point), expected);
        }
    }
}

/* Texts of a few bytes that matter, long enough to have borders of blocks anywhere in a sequence. */
static void utf8_valid_agrees_with_sequences_one_by_one(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "a",        "\xC3\xA4", "\xE4\xB8\x80", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xE4\xB8",
        "\xF0\x9F", "\x80",     "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE0\x80\x80"};
    enum { PART_COUNT = sizeof parts / sizeof parts[0], VALID_COUNT = 5 };
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        char bytes[256];
        size_t size = 0, expected = 0, position = 0;
        for (uint32_t i = 0; i < 50; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t pick = (uint32_t)(random >> 33);
            const char *part = parts[pick % 64 == 0 ? pick / 64 % PART_COUNT : pick / 64 % VALID_COUNT];
            memcpy(bytes + size, part, strlen(part));
            size += strlen(part);
        }
        for (size_t step = 1; step && expected < size; expected += step)
            step = text_utf8_size(bytes + expected, size - expected);
        assert_int_equal(utf8_valid((TextView){bytes, size}, &position), expected == size);
        if (expected < size) assert_int_equal(position, expected);
    }
}

static void utf8_says_where_a_text_becomes_invalid(void **state)
{
    (void)state;
    static const char *const broken[] = {"\x80", "\xFF", "\xC3", "\xE4\xB8", "\xF0\x9F\x98", "\xC0\x80"};
    for (size_t prefix = 0; prefix < 40; prefix++) {
        for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
            char text[64];
            size_t size = strlen(broken[i]), position = 99;
            memset(text, 'a', prefix);
            memcpy(text + prefix, broken[i], size);
            assert_false(utf8_valid((TextView){text, prefix + size}, &position));
            assert_int_equal(position, prefix);
            assert_true(utf8_valid((TextView){text, prefix}, &position));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_round_trips_every_scalar_value),
        cmocka_unit_test(utf8_refuses_overlong_surrogate_and_too_large_forms),
        cmocka_unit_test(utf8_valid_agrees_with_sequences_one_by_one),
        cmocka_unit_test(utf8_says_where_a_text_becomes_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
