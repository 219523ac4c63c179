/* Links headlight_rpc. Any bytes as a RerankRequest: refused with a reason, or ranked by made-up scores and packed. */
#include "request_fuzz.h"

static void rerank_reply(const CodecRerankRequest *request, const Prepared *prepared, Arena *arena)
{
    const CodecInputs *inputs = &request->inputs;
    CodecRank ranks[REQUEST_INPUT_COUNT_MAX];
    for (uint32_t i = 0; i < inputs->count; i++) {
        assert(inputs->texts[i].has_pair && text_equal(inputs->texts[i].text, inputs->texts[0].text));
        ranks[i] = (CodecRank){.usage = {.token_count = prepared[i].encoding.count},
                               .text = inputs->texts[i].pair,
                               .index = i,
                               .score = 1};
    }
    uint32_t count = request->top_n < inputs->count ? request->top_n : inputs->count;
    assert(count >= 1);
    arena->budget_bytes += codec_reply_rerank_bytes(count) + 64 * KIB;
    const CodecHead head = {.model = inputs->model};
    CodecReply reply;
    bool built = codec_reply_rerank(arena, &head, ranks, count, request->return_text, &reply);
    assert(built);
    request_pack(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecRerankRequest request;
    CodecFault fault = {.field = ""};
    Prepared prepared[REQUEST_INPUT_COUNT_MAX];
    Status status = codec_request_rerank(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) status = request_prepare(&request.inputs, &arena, prepared, &fault);
    if (status)
        request_check_fault(status, &fault);
    else
        rerank_reply(&request, prepared, &arena);
    arena_free(&arena);
    return 0;
}
