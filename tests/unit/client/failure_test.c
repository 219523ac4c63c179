/* What a failed call is taken for: retried or not, when, and whose fault. */
#include "failure.h"

#include "base/clock.h"
#include "codec.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <headlight/v1/headlight.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads a reply whose details are one Any of `type` with `message` inside. */
static Failure read_details(int code, char *type, const ProtobufCMessage *message)
{
    uint8_t *packed, *details;
    size_t packed_size, details_size;
    assert_int_equal(codec_pack(message, &packed, &packed_size, NULL), STATUS_OK);
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    any.type_url = type;
    any.value = (ProtobufCBinaryData){packed_size, packed};
    Google__Protobuf__Any *list[] = {&any};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.n_details = 1;
    status.details = list;
    assert_int_equal(codec_pack(&status.base, &details, &details_size, NULL), STATUS_OK);
    ChannelReply reply = {.code = code, .message = "no", .details = details, .details_size = details_size};
    Failure failure;
    failure_read(&reply, &failure);
    free(packed);
    free(details);
    return failure;
}

static Failure read_delay(int64_t seconds, int32_t nanos)
{
    char type[] = "type.googleapis.com/google.rpc.RetryInfo";
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = seconds;
    delay.nanos = nanos;
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    info.retry_delay = &delay;
    return read_details(FAILURE_RESOURCE_EXHAUSTED, type, &info.base);
}

static void failure_is_retried_when_the_server_says_when(void **state)
{
    (void)state;
    Failure failure = read_delay(1, 500000000);
    assert_true(failure_retryable(&failure));
    assert_int_equal(failure.retry_after_ns, 3 * NS_PER_S / 2);
    for (uint64_t random = 0; random < 1000; random++) {
        assert_true(failure_backoff_ns(&failure, 1, random * 0x9E3779B97F4A7C15u) >= failure.retry_after_ns);
    }
    failure = read_delay(INT64_MAX, 0);
    assert_int_equal(failure.retry_after_ns, 3600 * NS_PER_S);
    failure = read_delay(-5, INT32_MIN);
    assert_int_equal(failure.retry_after_ns, 0);
}

static void failure_is_retried_by_its_code(void **state)
{
    (void)state;
    for (int code = 1; code <= 16; code++) {
        ChannelReply reply = {.code = code, .message = ""};
        Failure failure;
        failure_read(&reply, &failure);
        assert_true(failure_retryable(&failure) == (code == FAILURE_UNAVAILABLE));
    }
}

static void failure_backoff_doubles_up_to_a_limit(void **state)
{
    (void)state;
    Failure failure = {.code = FAILURE_UNAVAILABLE};
    uint64_t base_ns = 100 * NS_PER_MS;
    for (uint64_t attempt = 1; attempt < 70; attempt++) {
        for (uint64_t random = 0; random < 100; random++) {
            uint64_t wait_ns = failure_backoff_ns(&failure, attempt, random * 0x9E3779B97F4A7C15u);
            assert_true(wait_ns >= base_ns / 2 && wait_ns <= base_ns);
        }
        base_ns = 2 * base_ns < 10 * NS_PER_S ? 2 * base_ns : 10 * NS_PER_S;
    }
}

static void failure_names_the_input(void **state)
{
    (void)state;
    char type[] = "type.googleapis.com/google.rpc.BadRequest";
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
    request.n_field_violations = 1;
    request.field_violations = violations;
    violation.field = codec_text(text_view("inputs[17].text"));
    Failure failure = read_details(3, type, &request.base);
    uint64_t first, last;
    assert_true(failure_blame(&failure, 100, 32, &first, &last));
    assert_int_equal(first, 117);
    assert_int_equal(last, 117);
    assert_false(failure_blame(&failure, 100, 5, &first, &last)); /* a number that can't be */
    violation.field = codec_text(text_view("dimensions"));
    failure = read_details(3, type, &request.base);
    assert_false(failure_blame(&failure, 100, 32, &first, &last));
    failure = (Failure){.code = FAILURE_INVALID_ARGUMENT};
    assert_true(failure_blame(&failure, 100, 32, &first, &last));
    assert_int_equal(first, 100);
    assert_int_equal(last, 131);
    failure.code = 5;
    assert_false(failure_blame(&failure, 100, 1, &first, &last));
}

/* What a text was refused for comes along whole, or not at all. */
static void failure_carries_what_was_found(void **state)
{
    (void)state;
    char type[] = "type.googleapis.com/headlight.v1.SanitizeReport";
    static char text[FAILURE_REPORT_BYTES_MAX];
    memset(text, 'x', sizeof text);
    Headlight__V1__SanitizeReport report = HEADLIGHT__V1__SANITIZE_REPORT__INIT;
    report.policy = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_REJECT;
    Failure failure = read_details(FAILURE_INVALID_ARGUMENT, type, &report.base);
    assert_int_equal(failure.report_size, protobuf_c_message_get_packed_size(&report.base));
    report.maybe_cleaned_text_case = HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_TEXT_CLEANED_TEXT;
    report.cleaned_text = codec_text((TextView){text, sizeof text});
    failure = read_details(FAILURE_INVALID_ARGUMENT, type, &report.base);
    assert_int_equal(failure.report_size, 0);
}

static void failure_survives_any_details(void **state)
{
    (void)state;
    uint8_t bytes[256];
    uint64_t random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (size_t)(random >> 33) % sizeof bytes;
        for (size_t index = 0; index < size; index++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[index] = (uint8_t)(random >> 56) & 0x3F;
        }
        ChannelReply reply = {.code = 8, .message = "", .details = bytes, .details_size = size};
        Failure failure;
        failure_read(&reply, &failure);
        assert_int_equal(failure.code, 8);
    }
}

static void failure_text_says_what_to_do(void **state)
{
    (void)state;
    Error error;
    Failure failure = {.code = FAILURE_UNAVAILABLE,
                       .message =
                           "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
                           "connect to remote host: Connection refused"};
    failure_explain(&failure, "here:1", NULL, &error);
    assert_non_null(strstr(error.message, "cannot reach here:1: connection refused; is headlightd running?"));
    failure = (Failure){.code = 3, .message = "too long"};
    failure_explain(&failure, "here:1", "line 7 of a", &error);
    assert_string_equal(error.message, "line 7 of a: too long (INVALID_ARGUMENT)");
    failure = (Failure){.code = 13};
    failure_explain(&failure, "here:1", NULL, &error);
    assert_string_equal(error.message, "the server gave no reason (INTERNAL)");
    failure =
        (Failure){.code = FAILURE_RESOURCE_EXHAUSTED, .message = "Received message larger than max (9 vs. 4)"};
    failure_explain(&failure, "here:1", NULL, &error);
    assert_non_null(strstr(error.message, "(9 vs. 4) (RESOURCE_EXHAUSTED); send less at a time (--batch)"));
    failure = (Failure){.code = FAILURE_UNIMPLEMENTED, .message = "no method /headlight.v1.Models/Load"};
    failure_explain(&failure, "here:1", NULL, &error);
    assert_non_null(
        strstr(error.message, "(UNIMPLEMENTED); headlightd takes changes of its models with --admin on"));
    failure = (Failure){.code = FAILURE_UNAVAILABLE, .message = "failed to connect: "};
    failure_explain(&failure, "here:1", NULL, &error);
    assert_non_null(strstr(error.message, "no connection"));
}

static void codec_refuses_a_reply_that_amplifies(void **state)
{
    (void)state;
    enum { DETAILS = 1 << 21 };
    uint8_t *bytes = malloc(2 * DETAILS); /* google.rpc.Status with very many empty details */
    assert_non_null(bytes);
    for (size_t index = 0; index < DETAILS; index++) memcpy(bytes + 2 * index, "\x1A\x00", 2);
    Arena arena;
    ProtobufCMessage *message;
    Error error;
    Status status = codec_unpack(&arena, &google__rpc__status__descriptor, bytes, 2 * DETAILS, &message, &error);
    assert_int_equal(status, STATUS_CORRUPT);
    arena_free(&arena);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_is_retried_when_the_server_says_when),
        cmocka_unit_test(failure_is_retried_by_its_code),
        cmocka_unit_test(failure_backoff_doubles_up_to_a_limit),
        cmocka_unit_test(failure_names_the_input),
        cmocka_unit_test(failure_carries_what_was_found),
        cmocka_unit_test(failure_survives_any_details),
        cmocka_unit_test(failure_text_says_what_to_do),
        cmocka_unit_test(codec_refuses_a_reply_that_amplifies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
