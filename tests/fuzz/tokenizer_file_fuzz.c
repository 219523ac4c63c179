/* Links headlight_tokenizer. Any bytes as tokenizer.json: what is accepted encodes and decodes within its limits. */
#include "fuzz.h"
#include "tokenizer/read.h"

#include <assert.h>
#include <stdlib.h>

static void tokenizer_fuzz_use(const Tokenizer *tokenizer)
{
    const TextView text = text_view("The [SEP] quick-brown \xC3\x89\xCC\xA3\xE4\xB8\xAD ##ing  foo\n");
    Arena arena;
    Encoding encoding;
    TextView decoded;
    Error error;
    for (int i = 0; i < 4; i++) {
        EncodeOptions options = {.parse_special_tokens = i & 1, .token_count_max = i & 2 ? 70 : 0};
        arena_init(&arena, 1 << 20);
        Status status =
            tokenizer_encode(tokenizer, text, i & 1 ? &text : NULL, &options, &arena, &encoding, &error);
        if (status == STATUS_OK) {
            for (uint32_t k = 0; k < encoding.count; k++) {
                assert(encoding.ids[k] < tokenizer_vocabulary_size(tokenizer));
                assert(encoding.offsets[k].begin <= encoding.offsets[k].end &&
                       encoding.offsets[k].end <= text.size);
            }
            status = tokenizer_decode(tokenizer, encoding.ids, encoding.count, i & 1, &arena, &decoded, &error);
            assert(status == STATUS_OK || status == STATUS_RESOURCE_EXHAUSTED);
        }
        arena_free(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    JsonDocument *document = NULL;
    Error error = {.message = ""};
    if (json_document_parse((TextView){(const char *)bytes, size}, &document, &error) != STATUS_OK) return 0;
    Tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    assert(tokenizer);
    Reader reader = {.tokenizer = tokenizer, .path = "tokenizer.json", .error = &error};
    if (read_root(&reader, json_document_root(document)) == STATUS_OK)
        tokenizer_fuzz_use(tokenizer);
    else
        assert(error.message[0]);
    json_document_close(document);
    tokenizer_close(tokenizer);
    return 0;
}
