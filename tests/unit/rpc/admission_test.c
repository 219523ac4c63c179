/* The memory that requests hold together stays within its limit, and comes back. */
#include "rpc/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void admission_grows_holds_up_to_the_limit(void **state)
{
    (void)state;
    Admission admission;
    AdmissionHold first = 0;
    AdmissionHold second = 0;
    Error error;
    admission_init(&admission, 1000);
    assert_int_equal(admission_hold(&admission, &first, 400, &error), STATUS_OK);
    assert_int_equal(admission_hold(&admission, &first, 300, &error), STATUS_OK);
    assert_int_equal(first, 400);
    assert_int_equal(admission_hold(&admission, &second, 600, &error), STATUS_OK);
    assert_int_equal(admission_hold(&admission, &first, 401, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(first, 400);
    assert_true(error.retry_after_ns > 0);
    admission_release(&admission, &second);
    admission_release(&admission, &second);
    assert_int_equal(admission_hold(&admission, &first, 1000, &error), STATUS_OK);
    admission_release(&admission, &first);
    assert_int_equal(atomic_load(&admission.bytes), 0);
}

static void admission_never_fits_means_no_retry(void **state)
{
    (void)state;
    Admission admission;
    AdmissionHold hold = 0;
    Error error;
    admission_init(&admission, 1000);
    assert_int_equal(admission_hold(&admission, &hold, 1001, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(error.retry_after_ns, 0);
    assert_non_null(strstr(error.message, "send fewer inputs"));
    assert_int_equal(admission_hold(&admission, &hold, UINT64_MAX, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(hold, 0);
    assert_int_equal(atomic_load(&admission.bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(admission_grows_holds_up_to_the_limit),
        cmocka_unit_test(admission_never_fits_means_no_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
