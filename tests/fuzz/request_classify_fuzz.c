/* Links headlight_rpc. Any bytes as a ClassifyRequest: refused with a reason, or texts that can be prepared. */
#include "request_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecClassifyRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_classify(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) {
        assert(request.top_k == UINT32_MAX || (request.top_k >= 1 && request.top_k <= MODEL_LABEL_COUNT_MAX));
        Prepared prepared[REQUEST_INPUT_COUNT_MAX];
        status = request_prepare(&request.inputs, &arena, prepared, &fault);
    }
    if (status) request_check_fault(status, &fault);
    arena_free(&arena);
    return 0;
}
