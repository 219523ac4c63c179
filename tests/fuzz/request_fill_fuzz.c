/* Links headlight_rpc. Any bytes as a FillMaskRequest: refused with a reason, or filled with made-up ids and packed. */
#include "request_fuzz.h"

static void fill_reply(const CodecFillRequest *request, const Prepared *prepared, Arena *arena)
{
    const Tokenizer *tokenizer = pipeline_tokenizer(request_pipeline());
    CodecFill results[REQUEST_INPUT_COUNT_MAX];
    static FillScore fills[FILL_TOP_K_MAX];
    const FillScore *const mask = fills;
    assert(request->top_k >= 1 && request->top_k <= FILL_TOP_K_MAX);
    for (uint32_t i = 0; i < request->top_k; i++) fills[i] = (FillScore){i * 2654435761U >> (i % 32), 0.5F};
    uint64_t bytes = codec_reply_fill_bytes(request->inputs.count, request->inputs.count, request->top_k);
    for (uint32_t i = 0; i < request->inputs.count; i++) {
        results[i] = (CodecFill){.usage = {.token_count = prepared[i].encoding.count},
                                 .masks = &mask,
                                 .mask_count = 1,
                                 .fill_count = request->top_k};
        for (uint32_t fill = 0; fill < request->top_k; fill++)
            bytes += codec_reply_fill_text_bytes(tokenizer, fills[fill].token_id);
    }
    arena->budget_bytes += bytes + 64 * KIB;
    const CodecHead head = {.model = request->inputs.model};
    CodecReply reply;
    bool built = codec_reply_fill(arena, &head, tokenizer, results, request->inputs.count, &reply);
    assert(built);
    request_pack(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecFillRequest request;
    CodecFault fault = {.field = ""};
    Prepared prepared[REQUEST_INPUT_COUNT_MAX];
    Status status = codec_request_fill(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) status = request_prepare(&request.inputs, &arena, prepared, &fault);
    if (status)
        request_check_fault(status, &fault);
    else
        fill_reply(&request, prepared, &arena);
    arena_free(&arena);
    return 0;
}
