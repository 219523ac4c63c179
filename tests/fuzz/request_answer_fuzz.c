/* Links headlight_rpc. Any bytes as an AnswerRequest: refused with a reason, or answered by spans that lie anywhere. */
#include "request_fuzz.h"

static void answer_reply(const CodecAnswerRequest *request, Arena *arena)
{
    static AnswerScore scores[ANSWER_TOP_K_MAX];
    assert(request->options.top_k >= 1 && request->options.top_k <= ANSWER_TOP_K_MAX);
    assert(request->inputs.count == 1 && request->inputs.texts[0].has_pair);
    TextView context = request->inputs.texts[0].pair;
    assert(context.size > 0 && request->inputs.texts[0].text.size > 0);
    for (uint32_t i = 0; i < request->options.top_k; i++) {
        uint32_t begin = i * 7919 % (uint32_t)context.size;
        scores[i].range = (ByteRange){begin, begin + (uint32_t)(context.size - begin) / (i + 1)};
    }
    const CodecAnswers answers = {.answers = scores, .answer_count = request->options.top_k, .context = context};
    arena->budget_bytes += codec_reply_answer_bytes(request->options.top_k) + 64 * KIB;
    const CodecHead head = {.model = request->inputs.model};
    CodecReply reply;
    bool built = codec_reply_answer(arena, &head, &answers, &reply);
    assert(built);
    request_pack(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecAnswerRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_answer(&arena, bytes, size, &request, &fault);
    if (status)
        request_check_fault(status, &fault);
    else
        answer_reply(&request, &arena);
    arena_free(&arena);
    return 0;
}
