/* Every code point's properties against the tokenizers library's, whatever Unicode version ICU has. */
#include "base/file.h"
#include "tokenizer/characters.h"
#include "unit/tokenizer/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* character() of tests/golden/tokenizer/make.py. */
static uint32_t character_check(uint32_t check, uint32_t code_point)
{
    unsigned flags = characters_flags(code_point);
    uint32_t parts[UNICODE_DECOMPOSITION_MAX], lower[UNICODE_LOWERCASE_MAX];
    unsigned part_count = characters_decompose(code_point, false, parts);
    unsigned lower_count = characters_lowercase(code_point, lower);
    bool decomposes = part_count > 1 || parts[0] != code_point;
    assert_int_equal((flags & CHARACTER_DECOMPOSES) != 0, decomposes);
    assert_int_equal((flags & CHARACTER_CAPITAL) != 0, lower_count > 1 || lower[0] != code_point);
    uint8_t combining_class = characters_combining_class(code_point);
    assert_int_equal((flags & CHARACTER_COMBINES) != 0, combining_class != 0);
    bool mark = (flags & CHARACTER_MARK) != 0 && !decomposes;
    unsigned answers = ((flags & CHARACTER_CONTROL) != 0) | ((flags & CHARACTER_WHITE_SPACE) != 0) << 1 |
                       ((flags & CHARACTER_CHINESE) != 0) << 2 | ((flags & CHARACTER_PUNCTUATION) != 0) << 3 |
                       (unsigned)mark << 4 | ((flags & CHARACTER_WORD) != 0) << 5;
    check = check_u8(check, answers);
    check = check_u8(check, decomposes ? 0 : combining_class);
    check = check_u8(check, part_count);
    for (unsigned i = 0; i < part_count; i++) check = check_u32(check, parts[i]);
    check = check_u8(check, lower_count);
    for (unsigned i = 0; i < lower_count; i++) check = check_u32(check, lower[i]);
    return check;
}

static void characters_of_every_block_are_the_librarys(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size;
    Error error;
    if (file_read(TESTS_DATA "/golden/tokenizer/characters.bin", 1 << 20, &bytes, &size, &error)) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(size, 0x110000 / 256 * 4);
    int wrong = 0;
    for (uint32_t block = 0; block < 0x110000 / 256; block++) {
        uint32_t check = 0;
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t code_point = block * 256 + i;
            if (code_point < 0xD800 || code_point >= 0xE000) check = character_check(check, code_point);
        }
        if (check == check_read_u32((const unsigned char *)bytes + 4 * block)) continue;
        print_message("a character of U+%04X to U+%04X differs from the library\n", block * 256,
                      block * 256 + 255);
        wrong++;
    }
    free(bytes);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(characters_of_every_block_are_the_librarys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
