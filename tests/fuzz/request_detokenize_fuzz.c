/* Links headlight_rpc. Any bytes as a DetokenizeRequest: refused with a reason, or text that is UTF-8. */
#include "request_fuzz.h"
#include "unicode/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecDetokenizeRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_detokenize(&arena, bytes, size, &request, &fault);
    TextView text = {0};
    if (!status) {
        status = tokenizer_decode(pipeline_tokenizer(request_pipeline()), request.ids, request.id_count,
                                  !request.keep_special_tokens, &arena, &text, &fault.error);
    }
    CodecReply reply;
    size_t position;
    if (status) {
        request_check_fault(status, &fault);
    } else if (codec_reply_detokenize(&arena, text, &reply)) {
        assert(utf8_valid(text, &position));
        request_pack(reply);
    }
    arena_free(&arena);
    return 0;
}
