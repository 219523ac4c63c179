/* Links headlight_rpc. Any bytes as an ExplainRequest: refused with a reason, or planned, and its tokens streamed. */
#include "request_fuzz.h"

#include "rpc/codec_explain.h"

static void explain_stream(const CodecExplanation *explanation, uint64_t bytes_max)
{
    const CodecExplainStream stream = {.explanations = {explanation, 1}, .part_bytes = CODEC_EXPLAIN_PART_BYTES};
    CodecExplainCursor cursor = {0};
    bool last = false;
    uint64_t bytes = 0;
    while (!last) {
        Arena arena;
        CodecReply reply;
        arena_init(&arena, CODEC_EXPLAIN_PART_ARENA_BYTES);
        bool built = codec_explain_part(&arena, &stream, &cursor, &reply, &last);
        assert(built);
        bytes += codec_reply_size(reply);
        request_pack(reply);
        arena_free(&arena);
    }
    assert(bytes <= bytes_max + (uint64_t)cursor.index * 32);
}

/* Of what the request asks for, what no method has to find. */
static Status explain_request(const CodecInputs *inputs, Arena *arena, CodecFault *fault)
{
    static const ExplainResult nothing;
    const Pipeline *pipeline = request_pipeline();
    const char *field;
    Prepared prepared;
    Status status = pipeline_check_explain(pipeline, TASK_EMBED, &inputs->explain, &field, &fault->error);
    if (!status) status = request_prepare(inputs, arena, &prepared, fault);
    if (status) return status;
    const CodecExplanation explanation = {
        .pipeline = pipeline,
        .spec = &inputs->explain,
        .whole = &prepared,
        .encoding = &prepared.encoding,
        .text = inputs->texts[0].text,
        .pair = inputs->texts[0].pair,
        .result = &nothing,
    };
    if (!pipeline_is_cut(&prepared)) {
        ExplainCost cost = pipeline_explain_cost(pipeline, TASK_EMBED, &inputs->explain, &prepared);
        uint64_t bytes = codec_explanation_wire_bytes(&explanation, &cost.counts);
        assert(bytes > 0 && codec_explanation_bytes(&explanation, &cost.counts) >= bytes / 64);
    }
    explain_stream(&explanation, codec_explanation_wire_bytes(&explanation, &(ExplainCounts){0}));
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecExplainRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_explain(&arena, bytes, size, &request, &fault);
    if (!status) status = explain_request(&request.inputs, &arena, &fault);
    if (status) request_check_fault(status, &fault);
    arena_free(&arena);
    return 0;
}
