/* Links headlight_rpc. Any bytes as a SanitizeRequest: refused with a reason, or sanitized with and without a model,
 * and packed, as a reply and as a refusal. */
#include "request_fuzz.h"

#include "pipeline/sanitize.h"

static void sanitize_text(const Pipeline *pipeline, TextView text, const SanitizeOptions *options, Arena *arena,
                          Sanitized *out_sanitized)
{
    Error error = {0};
    Status status = pipeline_sanitize(pipeline, TASK_EMBED, text, options, arena, out_sanitized, &error);
    assert(status == STATUS_OK || status == STATUS_INVALID_ARGUMENT);
    assert(status == error.status);
    for (uint32_t i = 0; i < out_sanitized->finding_count; i++) {
        ByteRange range = out_sanitized->findings[i].range;
        assert(range.begin <= range.end && range.end <= text.size);
    }
}

static CodecFindings findings_of(const Sanitized *sanitized, CodecTotal totals[RULE_COUNT])
{
    CodecFindings findings = {sanitized->findings, totals, sanitized->finding_count, 0};
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (sanitized->totals[rule])
            totals[findings.total_count++] = (CodecTotal){(SanitizeRule)rule, sanitized->totals[rule]};
    }
    return findings;
}

static void input_check(const Pipeline *pipeline, const CodecText *input, const SanitizeOptions *options)
{
    static Sanitized found[2];
    CodecTotal totals[2][RULE_COUNT];
    CodecReply reply;
    uint8_t refusal[CODEC_REFUSAL_BYTES_MAX];
    Arena arena;
    arena_init(&arena, 64 * MIB);
    sanitize_text(pipeline, input->text, options, &arena, &found[0]);
    sanitize_text(pipeline, input->pair, options, &arena, &found[1]);
    const CodecReport report = {
        .policy = options->policy,
        .level = options->level,
        .has_cleaned = true,
        .has_pair = input->has_pair,
        .text = findings_of(&found[0], totals[0]),
        .pair = findings_of(&found[1], totals[1]),
        .cleaned_text = found[0].text,
        .cleaned_pair = found[1].text,
    };
    uint64_t part_count =
        report.text.count + report.text.total_count + report.pair.count + report.pair.total_count;
    Arena answer;
    arena_init(&answer, codec_reply_sanitize_bytes(1, part_count) + 64 * KIB);
    bool built = codec_reply_sanitize(&answer, &report, 1, &reply);
    assert(built);
    request_pack(reply);
    size_t size = codec_refusal_pack(&arena, &report, refusal);
    assert(size > 0 && size <= sizeof refusal);
    arena_free(&answer);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecSanitizeRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_sanitize(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (status) {
        request_check_fault(status, &fault);
    } else {
        for (uint32_t i = 0; i < request.inputs.count; i++) {
            input_check(NULL, &request.inputs.texts[i], &request.inputs.sanitize.options);
            input_check(request_pipeline(), &request.inputs.texts[i], &request.inputs.sanitize.options);
        }
    }
    arena_free(&arena);
    return 0;
}
