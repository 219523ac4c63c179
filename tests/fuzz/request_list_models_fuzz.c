/* Links headlight_rpc. Any bytes as a ListModelsRequest: refused with a reason, or answered. */
#include "request_fuzz.h"

#include "rpc/codec_models.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecFault fault = {.field = ""};
    Status status = codec_models_read_list(&arena, bytes, size, &fault);
    const CodecModel model = {.name = text_view("m"), .pipeline = request_pipeline()};
    arena.budget_bytes += codec_models_bytes(&model, 1);
    CodecReply reply;
    if (status) {
        request_check_fault(status, &fault);
    } else if (codec_models_list(&arena, &model, 1, &reply)) {
        request_pack(reply);
    }
    arena_free(&arena);
    return 0;
}
