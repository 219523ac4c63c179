/* Random hostile texts come to rest. SANITIZER_TEXTS says how many (20,000), SANITIZER_SEED the first seed. */
#include "invariants.h"

#include "unicode/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* SplitMix64 (Steele et al. 2014). */
static uint64_t seed;

static uint32_t pick(uint32_t count)
{
    uint64_t x = seed += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((x ^ x >> 31) % count);
}

typedef struct PointRange {
    uint32_t first;
    uint32_t last;
} PointRange;

/* What families look at, and what stands beside it in honest text. */
static const PointRange RANGES[] = {
    {'a', 'z'},         {'A', 'Z'},         {' ', '@'},         {0x00, 0x1F},       {0x7F, 0xA0},
    {0x200B, 0x200F},   {0x202A, 0x202E},   {0x2060, 0x206F},   {0xFE00, 0xFE0F},   {0xE0000, 0xE007F},
    {0xE0100, 0xE01EF}, {0x0300, 0x036F},   {0x0391, 0x03C9},   {0x0410, 0x044F},   {0x0531, 0x0586},
    {0x05D0, 0x05EA},   {0x0620, 0x064A},   {0x0905, 0x094D},   {0x0E01, 0x0E3A},   {0x1780, 0x17D3},
    {0x1F3F4, 0x1F3F4}, {0x1F466, 0x1F469}, {0x1F3FB, 0x1F3FF}, {0x2764, 0x2764},   {0xFF01, 0xFF5E},
    {0x1D400, 0x1D7FF}, {0x2460, 0x24FF},   {0x3041, 0x3096},   {0x4E00, 0x4E10},   {0xAC00, 0xAC10},
    {0x1100, 0x11FF},   {0x115F, 0x1160},   {0x3164, 0x3164},   {0x00AD, 0x00AD},   {0x034F, 0x034F},
    {0x180B, 0x180F},   {0xE000, 0xE010},   {0xFFF9, 0xFFFF},   {0x1F1E6, 0x1F1FF}, {0xFB00, 0xFB06},
    {0x1AB0, 0x1ACE},   {0xFDFA, 0xFDFB},   {0x13A0, 0x13F5},   {0x10D0, 0x10FF},   {0x1F600, 0x1F64F},
    {'\n', '\n'},
};

enum { RANGE_COUNT = sizeof RANGES / sizeof RANGES[0], TEXT_POINTS_MAX = 48, KINDS_MAX = 5 };

/* A text of a few kinds of code points, so that kinds meet; now and then a broken byte. */
static TextView make_text(char *bytes)
{
    uint32_t kinds[KINDS_MAX], kind_count = 1 + pick(KINDS_MAX), count = 1 + pick(TEXT_POINTS_MAX), size = 0;
    for (uint32_t i = 0; i < kind_count; i++) kinds[i] = pick(RANGE_COUNT);
    kinds[0] = pick(3) ? 0 : kinds[0];
    if (kind_count > 2 && pick(2)) kinds[1] = RANGE_COUNT - 1; /* lines bear on each other */
    for (uint32_t i = 0; i < count; i++) {
        const PointRange *range = &RANGES[kinds[pick(kind_count)]];
        size += (uint32_t)utf8_write(range->first + pick(range->last - range->first + 1), bytes + size);
        if (pick(200) == 0) bytes[size++] = (char)(0x80 + pick(0x80));
    }
    return (TextView){bytes, size};
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void random_texts_come_to_rest(void **state)
{
    (void)state;
    static Sanitized first, second;
    char bytes[5 * TEXT_POINTS_MAX];
    uint64_t begin = setting("SANITIZER_SEED", 1), count = setting("SANITIZER_TEXTS", 20000);
    for (uint64_t i = begin; i < begin + count; i++) {
        seed = i;
        TextView text = make_text(bytes);
        SanitizeLevel level = (SanitizeLevel)pick(3);
        uint64_t enabled = pick(2) ? UINT64_MAX : 0;
        if (getenv("SANITIZER_PRINT")) print_message("seed %llu\n", (unsigned long long)i);
        invariants_check_clean(text, level, enabled, &first, &second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_texts_come_to_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
