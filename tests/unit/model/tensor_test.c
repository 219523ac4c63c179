/* Stored values become floats exactly, from any address. */
#include "model/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Every 16-bit pattern, one byte off alignment. */
static void read_all_patterns(TensorType type, float out_values[65536])
{
    unsigned char *bytes = malloc(1 + 2 * 65536);
    assert_non_null(bytes);
    for (uint32_t pattern = 0; pattern < 65536; pattern++) {
        bytes[1 + 2 * pattern] = (unsigned char)pattern;
        bytes[2 + 2 * pattern] = (unsigned char)(pattern >> 8);
    }
    const Tensor tensor = {.type = type, .rank = 1, .shape = {65536}, .element_count = 65536, .data = bytes + 1};
    tensor_read(&tensor, 0, 65536, out_values);
    free(bytes);
}

static float values[65536];

/* The value by the definition of binary16: (-1)^s 2^(e - 15) (1 + f / 1024), subnormal below 2^-14. */
static double half_value(uint32_t pattern)
{
    int exponent = (int)(pattern >> 10 & 31);
    double fraction = pattern & 1023;
    double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return pattern & 0x8000 ? -magnitude : magnitude;
}

static void tensor_reads_every_f16_exactly(void **state)
{
    (void)state;
    read_all_patterns(TENSOR_F16, values);
    for (uint32_t pattern = 0; pattern < 65536; pattern++) {
        uint32_t bits = bits_of(values[pattern]);
        assert_int_equal(bits >> 31, pattern >> 15);
        if ((pattern & 0x7C00) == 0x7C00) {
            assert_int_equal(bits & 0x7FFFFFFF, 0x7F800000 | (pattern & 1023) << 13);
        } else {
            assert_true((double)values[pattern] == half_value(pattern));
        }
    }
    assert_true(values[0x3C00] == 1 && values[0x7BFF] == 65504 && values[1] == 0x1p-24F && isinf(values[0xFC00]));
    assert_true(isnan(values[0x7E00]) && signbit(values[0x8000]));
}

static void tensor_reads_every_bf16_exactly(void **state)
{
    (void)state;
    read_all_patterns(TENSOR_BF16, values);
    for (uint32_t pattern = 0; pattern < 65536; pattern++)
        assert_int_equal(bits_of(values[pattern]), pattern << 16);
}

static void tensor_reads_f32_from_any_address_and_index(void **state)
{
    (void)state;
    static const float stored[5] = {0, 1.5F, -2, 3e38F, 1e-40F};
    unsigned char bytes[sizeof stored + 3];
    float read[3];
    for (size_t shift = 0; shift < 4; shift++) {
        memcpy(bytes + shift, stored, sizeof stored);
        const Tensor tensor = {
            .type = TENSOR_F32, .rank = 1, .shape = {5}, .element_count = 5, .data = bytes + shift};
        tensor_read(&tensor, 2, 3, read);
        assert_memory_equal(read, stored + 2, sizeof read);
        tensor_read(&tensor, 5, 0, read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensor_reads_every_f16_exactly),
        cmocka_unit_test(tensor_reads_every_bf16_exactly),
        cmocka_unit_test(tensor_reads_f32_from_any_address_and_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
