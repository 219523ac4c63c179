/* What a tokenizer makes of texts, for tokenizer_parity.py:
 *     tokenizer_encodings DIRECTORY < texts > encodings
 * A text is u32 size and UTF-8; its encoding, without what the template adds, u32 count and of each token u32 id,
 * begin, end. A text that cannot be encoded has the count 2^32 - 1. */
#include "base/limits.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

static void encodings_write(const Encoding *encoding)
{
    fwrite(&encoding->count, sizeof encoding->count, 1, stdout);
    for (uint32_t i = 0; i < encoding->count; i++) {
        uint32_t token[3] = {encoding->ids[i], encoding->offsets[i].begin, encoding->offsets[i].end};
        fwrite(token, sizeof token, 1, stdout);
    }
}

int main(int argument_count, char **arguments)
{
    static char text[TEXT_BYTES_MAX];
    const EncodeOptions options = {.without_special_tokens = true};
    const uint32_t failed = UINT32_MAX;
    Tokenizer *tokenizer = NULL;
    Error error;
    uint32_t size;
    if (argument_count != 2) return 2;
    if (tokenizer_open(arguments[1], &tokenizer, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while (fread(&size, sizeof size, 1, stdin) == 1) {
        if (size > sizeof text || fread(text, 1, size, stdin) != size) return 1;
        Arena arena;
        Encoding encoding;
        arena_init(&arena, 1 * GIB);
        if (tokenizer_encode(tokenizer, (TextView){text, size}, NULL, &options, &arena, &encoding, &error))
            fwrite(&failed, sizeof failed, 1, stdout);
        else
            encodings_write(&encoding);
        arena_free(&arena);
    }
    tokenizer_close(tokenizer);
    return 0;
}
