/* Errors as gRPC sends them: legal, complete, within what clients take. */
#include "rpc/verdict.h"

#include "base/clock.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "rpc/codec_details.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void verdict_of_no_error_is_ok(void **state)
{
    (void)state;
    RpcVerdict verdict = rpc_verdict_of(NULL);
    assert_int_equal(verdict.code, GRPC_STATUS_OK);
    assert_int_equal(GRPC_SLICE_LENGTH(verdict.text) + GRPC_SLICE_LENGTH(verdict.details), 0);
    rpc_verdict_release(&verdict);
}

static void verdict_has_the_code_of_every_status(void **state)
{
    (void)state;
    for (Status status = STATUS_OK + 1; status < STATUS_COUNT; status++) {
        Error error;
        (void)error_set(&error, status, "cause");
        RpcVerdict verdict = rpc_verdict_of(&error);
        assert_int_equal(verdict.code, status_grpc_code(status));
        assert_true(verdict.code > 0 && verdict.code <= 16);
        assert_memory_equal(GRPC_SLICE_START_PTR(verdict.text), "cause", 5);
        assert_int_equal(GRPC_SLICE_LENGTH(verdict.details), 0);
        rpc_verdict_release(&verdict);
    }
}

static void verdict_sends_only_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *message, *sent;
    } cases[] = {
        {"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80", "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"a\xFF"
         "b",
         "a?b"},
        {"\xC3", "?"},
        {"\xE2\x82", "??"},
        {"\xED\xA0\x80", "???"},     /* a surrogate */
        {"\xC0\xAF", "??"},          /* overlong */
        {"\xF4\x90\x80\x80", "????"} /* beyond U+10FFFF */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error error = {.status = STATUS_INTERNAL};
        strcpy(error.message, cases[i].message);
        RpcVerdict verdict = rpc_verdict_of(&error);
        assert_int_equal(GRPC_SLICE_LENGTH(verdict.text), strlen(cases[i].sent));
        assert_memory_equal(GRPC_SLICE_START_PTR(verdict.text), cases[i].sent, strlen(cases[i].sent));
        rpc_verdict_release(&verdict);
    }
}

static void verdict_details_say_when_to_retry_and_what_is_wrong(void **state)
{
    (void)state;
    Error error;
    (void)error_set(&error, STATUS_RESOURCE_EXHAUSTED, "the queue is full");
    error.retry_after_ns = 2 * NS_PER_S + 5;
    RpcVerdict verdict = rpc_verdict_detailed(&error, "inputs[3].text", NULL);
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, GRPC_SLICE_LENGTH(verdict.details),
                                                              GRPC_SLICE_START_PTR(verdict.details));
    assert_non_null(status);
    assert_int_equal(status->code, 8);
    assert_int_equal(status->message.len, strlen(error.message));
    assert_int_equal(status->n_details, 2);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    assert_string_equal(status->details[1]->type_url, "type.googleapis.com/google.rpc.BadRequest");
    Google__Rpc__RetryInfo *retry =
        google__rpc__retry_info__unpack(NULL, status->details[0]->value.len, status->details[0]->value.data);
    assert_int_equal(retry->retry_delay->seconds, 2);
    assert_int_equal(retry->retry_delay->nanos, 5);
    Google__Rpc__BadRequest *bad =
        google__rpc__bad_request__unpack(NULL, status->details[1]->value.len, status->details[1]->value.data);
    assert_memory_equal(bad->field_violations[0]->field.data, "inputs[3].text", 14);
    google__rpc__bad_request__free_unpacked(bad, NULL);
    google__rpc__retry_info__free_unpacked(retry, NULL);
    google__rpc__status__free_unpacked(status, NULL);
    rpc_verdict_release(&verdict);
}

static void verdict_of_the_longest_error_fits_a_client(void **state)
{
    (void)state;
    Error error = {.status = STATUS_INVALID_ARGUMENT, .retry_after_ns = UINT64_MAX};
    memset(error.message, 'x', sizeof error.message - 1);
    char field[2000];
    memset(field, 'f', sizeof field);
    field[sizeof field - 1] = '\0';
    static const uint8_t bytes[RPC_DETAIL_BYTES_MAX];
    const RpcDetail detail = {"type.googleapis.com/headlight.v1.SanitizeReport", bytes, sizeof bytes};
    RpcVerdict verdict = rpc_verdict_detailed(&error, field, &detail);
    assert_in_range(GRPC_SLICE_LENGTH(verdict.details), 1000 + sizeof bytes, CODEC_DETAILS_BYTES_MAX);
    rpc_verdict_release(&verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_of_no_error_is_ok),
        cmocka_unit_test(verdict_has_the_code_of_every_status),
        cmocka_unit_test(verdict_sends_only_utf8),
        cmocka_unit_test(verdict_details_say_when_to_retry_and_what_is_wrong),
        cmocka_unit_test(verdict_of_the_longest_error_fits_a_client),
    };
    grpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    grpc_shutdown_blocking();
    return failed;
}
