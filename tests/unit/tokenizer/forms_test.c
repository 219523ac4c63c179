/* The four normal forms of tokenizers, which are those of Unicode 9.0, and the decompositions that the sanitizer asks
 * for, which are ICU's, by Unicode's own cases: a sample of NormalizationTest.txt. The whole file takes its place where
 * NORMALIZATION_TEST names it; then what it does not list has to stay as it is. */
#include "tokenizer/normalizer.h"
#include "unicode/property.h"
#include "unicode/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unicode/uchar.h>

enum { FORMS_UNICODE_MAJOR = 9 };
enum { CASE_POINTS_MAX = 32, CASE_FIELDS = 5, CODE_POINTS = 0x110000 };

/* One field of a case: the source, NFC, NFD, NFKC, NFKD. */
typedef struct Field {
    uint32_t points[CASE_POINTS_MAX];
    uint32_t count;
    char bytes[UTF8_BYTES_MAX * CASE_POINTS_MAX];
    size_t size;
} Field;

static Normalized out, spare;
static bool listed[CODE_POINTS];

static void read_field(char **at, Field *field)
{
    *field = (Field){0};
    for (; **at && **at != ';' && **at != '\n'; field->count++) {
        assert_true(field->count < CASE_POINTS_MAX);
        field->points[field->count] = (uint32_t)strtoul(*at, at, 16);
        field->size += utf8_write(field->points[field->count], field->bytes + field->size);
        while (**at == ' ') (*at)++;
    }
    if (**at == ';') (*at)++;
}

static bool becomes(Form form, const Field *from, const Field *to)
{
    static NormalizerList list = {.count = 1};
    TextView text = {from->bytes, from->size};
    list.items[0] = (Normalizer){.kind = NORMALIZER_FORM, .form = form};
    assert_int_equal(normalizer_run(&list, text, (ByteRange){0, (uint32_t)text.size}, &out, &spare, NULL),
                     STATUS_OK);
    return out.size == to->size && memcmp(out.bytes, to->bytes, to->size) == 0;
}

static bool decomposes(uint32_t code_point, bool compatible, const Field *to)
{
    uint32_t parts[UNICODE_DECOMPOSITION_MAX];
    unsigned count = unicode_decompose(code_point, compatible, parts);
    return count == to->count && memcmp(parts, to->points, count * sizeof parts[0]) == 0;
}

/* Whether all characters of the case were there already. */
static bool is_old(const Field fields[CASE_FIELDS])
{
    for (int i = 0; i < CASE_FIELDS; i++) {
        for (uint32_t k = 0; k < fields[i].count; k++) {
            UVersionInfo version;
            u_charAge((UChar32)fields[i].points[k], version);
            if (version[0] > FORMS_UNICODE_MAJOR) return false;
        }
    }
    return true;
}

static bool case_holds(const Field fields[CASE_FIELDS])
{
    static const Form nfc = {false, true}, nfd = {false, false}, nfkc = {true, true}, nfkd = {true, false};
    bool holds = true;
    for (int i = 0; i < CASE_FIELDS && is_old(fields); i++) {
        holds &= becomes(nfc, &fields[i], &fields[i < 3 ? 1 : 3]);
        holds &= becomes(nfd, &fields[i], &fields[i < 3 ? 2 : 4]);
        holds &= becomes(nfkc, &fields[i], &fields[3]) && becomes(nfkd, &fields[i], &fields[4]);
    }
    if (fields[0].count > 1) return holds;
    uint32_t source = fields[0].points[0];
    listed[source] = true;
    return holds && decomposes(source, false, &fields[2]) && decomposes(source, true, &fields[4]);
}

static void unicodes_cases_are_normalized_as_it_says(void **state)
{
    (void)state;
    static char line[4096];
    const char *path = getenv("NORMALIZATION_TEST");
    FILE *file = fopen(path ? path : TESTS_DATA "/unit/tokenizer/forms_cases.txt", "r");
    uint32_t cases = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        static Field fields[CASE_FIELDS];
        if (line[0] == '#' || line[0] == '@' || line[0] == '\n') continue;
        char *at = line;
        for (int i = 0; i < CASE_FIELDS; i++) read_field(&at, &fields[i]);
        if (!case_holds(fields)) fail_msg("%s", line);
        cases++;
    }
    fclose(file);
    print_message("%u cases\n", cases);
    assert_true(cases > 1000);
    for (uint32_t point = 0x80; path && point < CODE_POINTS; point++) {
        Field itself = {.points = {point}, .count = 1};
        if (listed[point] || (point >= 0xD800 && point < 0xE000)) continue;
        itself.size = utf8_write(point, itself.bytes);
        for (int form = 0; form < 4; form++) assert_true(becomes((Form){form & 1, form >> 1}, &itself, &itself));
        assert_true(decomposes(point, false, &itself) && decomposes(point, true, &itself));
    }
    normalized_close(&out);
    normalized_close(&spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unicodes_cases_are_normalized_as_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
