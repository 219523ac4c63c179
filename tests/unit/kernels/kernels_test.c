/* Choosing a variant. */
#include "kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void select_gives_the_fastest_variant_of_the_mask(void **state)
{
    (void)state;
    uint32_t available = kernels_available();
    assert_true(available & KERNELS_REFERENCE);
    assert_int_equal(kernels_select(KERNELS_REFERENCE)->variant, KERNELS_REFERENCE);
    if (available & KERNELS_AVX2)
        assert_int_equal(kernels_select(KERNELS_AVX2 | KERNELS_REFERENCE)->variant, KERNELS_AVX2);
    uint32_t fastest = kernels_select(KERNELS_ALL)->variant;
    assert_true(fastest & available);
    assert_true(fastest > (available & ~fastest));
}

static void select_lowers_what_the_cpu_lacks_to_the_reference(void **state)
{
    (void)state;
    uint32_t lacking = KERNELS_ALL & ~kernels_available();
    assert_int_equal(kernels_select(lacking)->variant, KERNELS_REFERENCE);
    assert_int_equal(kernels_select(0)->variant, KERNELS_REFERENCE);
}

static void parse_reads_names_and_lists_them_when_it_cannot(void **state)
{
    (void)state;
    Error error;
    uint32_t mask = 0;
    assert_int_equal(kernels_parse("auto", &mask, &error), STATUS_OK);
    assert_int_equal(mask, KERNELS_ALL);
    assert_int_equal(kernels_parse("reference", &mask, &error), STATUS_OK);
    assert_int_equal(mask, KERNELS_REFERENCE);
    assert_int_equal(kernels_parse("avx1024", &mask, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "avx1024"));
    assert_non_null(strstr(error.message, "reference"));
    assert_int_equal(mask, KERNELS_REFERENCE);
}

static void open_refuses_an_unknown_backend(void **state)
{
    (void)state;
    Error error;
    const Kernels *kernels = NULL;
    assert_int_equal(kernels_open("auto", "cublas", &kernels, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "packed, openblas"));
    assert_null(kernels);
    assert_int_equal(kernels_open("reference", "packed", &kernels, &error), STATUS_OK);
    assert_string_equal(kernels_describe(kernels), "reference, packed");
}

static void open_with_openblas_keeps_the_variant(void **state)
{
    (void)state;
    Error error;
    const Kernels *kernels = NULL;
    Status status = kernels_open("reference", "openblas", &kernels, &error);
    if (status == STATUS_NOT_FOUND) skip();
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(kernels->backend, GEMM_OPENBLAS);
    assert_string_equal(kernels_describe(kernels), "reference, openblas");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(select_gives_the_fastest_variant_of_the_mask),
        cmocka_unit_test(select_lowers_what_the_cpu_lacks_to_the_reference),
        cmocka_unit_test(parse_reads_names_and_lists_them_when_it_cannot),
        cmocka_unit_test(open_refuses_an_unknown_backend),
        cmocka_unit_test(open_with_openblas_keeps_the_variant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
