/* Links headlight_rpc. Any bytes as a TokenizeRequest: refused with a reason, or tokenized and packed. */
#include "request_fuzz.h"

static void tokenize_check(const Encoding *encoding, const CodecText *input)
{
    const Tokenizer *tokenizer = pipeline_tokenizer(request_pipeline());
    for (uint32_t i = 0; i < encoding->count; i++) {
        assert(encoding->ids[i] < tokenizer_vocabulary_size(tokenizer));
        assert(encoding->offsets[i].begin <= encoding->offsets[i].end);
        if (encoding->segments[i] == ENCODING_SEGMENT_NONE) continue;
        size_t text_size = encoding->segments[i] == 0 ? input->text.size : input->pair.size;
        assert(encoding->offsets[i].end <= text_size);
        assert(!tokenizer_token_special(tokenizer, encoding->ids[i]) ||
               text_equal(tokenizer_token_text(tokenizer, encoding->ids[i]), text_view("[UNK]")));
    }
}

static Status tokenize_request(const CodecTokenizeRequest *request, Arena *arena, CodecFault *fault)
{
    Encoding encodings[REQUEST_INPUT_COUNT_MAX];
    const EncodeOptions options = {.without_special_tokens = request->without_special_tokens};
    uint64_t token_count = 0;
    for (uint32_t i = 0; i < request->inputs.count; i++) {
        const CodecText *input = &request->inputs.texts[i];
        encodings[i] = (Encoding){0};
        Status status = pipeline_encode(request_pipeline(), input->text, input->has_pair ? &input->pair : NULL,
                                        &options, arena, &encodings[i], &fault->error);
        if (status) return status;
        tokenize_check(&encodings[i], input);
        token_count += encodings[i].count;
    }
    arena->budget_bytes += codec_reply_tokenize_bytes(request->inputs.count, token_count) + 64 * KIB;
    CodecReply reply;
    bool built = codec_reply_tokenize(arena, pipeline_tokenizer(request_pipeline()), encodings,
                                      request->inputs.count, &reply);
    assert(built);
    request_pack(reply);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecTokenizeRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_tokenize(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) status = tokenize_request(&request, &arena, &fault);
    if (status) request_check_fault(status, &fault);
    arena_free(&arena);
    return 0;
}
