/* Reports: packed as they are, within their bound; refusals within what a trailer takes. */
#include "rpc/codec_report.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SLACK_BYTES = 64 * 1024 };

static Finding finding(SanitizeRule rule, uint32_t begin, uint32_t end, const char *detail)
{
    Finding made = {.rule = rule, .range = {begin, end}, .count = end - begin, .action = ACTION_DROPPED};
    made.detail_size = (uint8_t)snprintf(made.detail, sizeof made.detail, "%s", detail);
    return made;
}

/* The reply as a client unpacks it. */
static Headlight__V1__SanitizeResponse *replied(const CodecReport *reports, uint32_t count, uint64_t part_count)
{
    Arena arena;
    CodecReply reply;
    arena_init(&arena, codec_reply_sanitize_bytes(count, part_count) + SLACK_BYTES);
    assert_true(codec_reply_sanitize(&arena, reports, count, &reply));
    size_t size = codec_reply_size(reply);
    uint8_t *bytes = malloc(size + 1);
    codec_reply_pack(reply.message, bytes);
    arena_free(&arena);
    void *message = headlight__v1__sanitize_response__unpack(NULL, size, bytes);
    free(bytes);
    assert_non_null(message);
    return message;
}

static void assert_data(ProtobufCBinaryData data, const char *text)
{
    assert_true(text_equal((TextView){(const char *)data.data, data.len}, text_view(text)));
}

static void codec_report_tells_what_was_found_in_both(void **state)
{
    (void)state;
    const Finding text[] = {finding(RULE_INV_TAG, 3, 7, "hi"), finding(RULE_INV_ZERO_WIDTH, 9, 12, "")};
    const Finding pair[] = {finding(RULE_INV_ZERO_WIDTH, 0, 3, "")};
    const CodecTotal text_totals[] = {{RULE_INV_ZERO_WIDTH, 40}, {RULE_INV_TAG, 1}};
    const CodecTotal pair_totals[] = {{RULE_INV_ZERO_WIDTH, 2}};
    const CodecReport report = {
        .policy = SANITIZE_CLEAN,
        .level = SANITIZE_STRICT,
        .changed = true,
        .has_cleaned = true,
        .has_pair = true,
        .text = {text, text_totals, 2, 2},
        .pair = {pair, pair_totals, 1, 1},
        .cleaned_text = text_view("clean"),
        .cleaned_pair = text_view(""),
    };
    Headlight__V1__SanitizeResponse *response = replied(&report, 1, 6);
    const Headlight__V1__SanitizeReport *told = response->reports[0];
    assert_int_equal(told->policy, HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN);
    assert_int_equal(told->level, HEADLIGHT__V1__SANITIZE_LEVEL__SANITIZE_LEVEL_STRICT);
    assert_true(told->changed);
    assert_int_equal(told->n_findings, 2);
    assert_data(told->findings[0]->code, "INV_TAG");
    assert_int_equal(told->findings[0]->severity, HEADLIGHT__V1__SEVERITY__SEVERITY_CRITICAL);
    assert_int_equal(told->findings[0]->byte_begin, 3);
    assert_int_equal(told->findings[0]->byte_end, 7);
    assert_int_equal(told->findings[0]->count, 4);
    assert_data(told->findings[0]->action, "dropped");
    assert_data(told->findings[0]->detail, "hi");
    assert_int_equal(told->n_pair_findings, 1);
    assert_int_equal(told->n_totals, 2);
    assert_data(told->totals[0]->code, "INV_ZERO_WIDTH");
    assert_int_equal(told->totals[0]->count, 42);
    assert_data(told->cleaned_text, "clean");
    assert_int_equal(told->maybe_cleaned_pair_case,
                     HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_PAIR_CLEANED_PAIR);
    headlight__v1__sanitize_response__free_unpacked(response, NULL);
}

static void codec_report_of_off_tells_only_that(void **state)
{
    (void)state;
    const CodecReport report = {.policy = SANITIZE_OFF, .level = SANITIZE_MODERATE};
    Headlight__V1__SanitizeResponse *response = replied(&report, 1, 0);
    const Headlight__V1__SanitizeReport *told = response->reports[0];
    assert_int_equal(told->policy, HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_OFF);
    assert_int_equal(told->maybe_cleaned_text_case, 0);
    assert_int_equal(told->n_findings + told->n_pair_findings + told->n_totals, 0);
    headlight__v1__sanitize_response__free_unpacked(response, NULL);
}

/* 1,000 reports, as full as they may be, take no more than their bound; `replied` fails otherwise. */
static void codec_report_keeps_its_bound(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static Finding items[SANITIZE_FINDINGS_MAX];
    static CodecReport reports[COUNT];
    CodecTotal totals[RULE_COUNT];
    for (int i = 0; i < SANITIZE_FINDINGS_MAX; i++) items[i] = finding(RULE_INV_TAG, 1, 2, "x");
    for (int rule = 0; rule < RULE_COUNT; rule++) totals[rule] = (CodecTotal){(SanitizeRule)rule, UINT32_MAX / 2};
    for (uint32_t full = 0; full <= 1; full++) {
        const CodecFindings findings = {items, totals, full ? SANITIZE_FINDINGS_MAX : 1, full ? RULE_COUNT : 1};
        for (int i = 0; i < COUNT; i++)
            reports[i] = (CodecReport){.policy = SANITIZE_REPORT, .text = findings, .pair = findings};
        uint64_t part_count = 2 * COUNT * (uint64_t)(findings.count + findings.total_count);
        headlight__v1__sanitize_response__free_unpacked(replied(reports, COUNT, part_count), NULL);
    }
}

/* The largest details, the longest code, the largest numbers: some are left out, from the end. */
static void codec_refusal_fits_its_trailer(void **state)
{
    (void)state;
    Finding items[SANITIZE_FINDINGS_MAX];
    CodecTotal totals[RULE_COUNT];
    uint8_t buffer[CODEC_REFUSAL_BYTES_MAX];
    Arena arena;
    for (int i = 0; i < SANITIZE_FINDINGS_MAX; i++) {
        items[i] =
            finding(i == 0 ? RULE_INV_TAG : RULE_PRIVATE_UNASSIGNED, (uint32_t)TEXT_BYTES_MAX, UINT32_MAX, "");
        memset(items[i].detail, 'x', sizeof items[i].detail);
        items[i].detail_size = sizeof items[i].detail;
        items[i].action = ACTION_ENCODED_AS_TEXT;
    }
    for (int rule = 0; rule < RULE_COUNT; rule++) totals[rule] = (CodecTotal){(SanitizeRule)rule, UINT32_MAX / 2};
    const CodecFindings findings = {items, totals, SANITIZE_FINDINGS_MAX, RULE_COUNT};
    const CodecReport report = {
        .policy = SANITIZE_REJECT,
        .has_cleaned = true,
        .text = findings,
        .pair = findings,
        .cleaned_text = text_view("never told"),
    };
    arena_init(&arena, MIB);
    size_t size = codec_refusal_pack(&arena, &report, buffer);
    assert_in_range(size, CODEC_REFUSAL_BYTES_MAX / 2, CODEC_REFUSAL_BYTES_MAX);
    Headlight__V1__SanitizeReport *told = headlight__v1__sanitize_report__unpack(NULL, size, buffer);
    assert_non_null(told);
    assert_in_range(told->n_findings, 4, SANITIZE_FINDINGS_MAX - 1);
    assert_data(told->findings[0]->code, "INV_TAG");
    assert_int_equal(told->n_totals, RULE_COUNT);
    assert_int_equal(told->maybe_cleaned_text_case, 0);
    headlight__v1__sanitize_report__free_unpacked(told, NULL);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_report_tells_what_was_found_in_both),
        cmocka_unit_test(codec_report_of_off_tells_only_that),
        cmocka_unit_test(codec_report_keeps_its_bound),
        cmocka_unit_test(codec_refusal_fits_its_trailer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
