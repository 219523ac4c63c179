/* What a tokenizer makes of texts, for tokenizer_parity.py:
 *     tokenizer_encodings DIRECTORY < questions > answers
 * A question is u32 size, pair's size (2^32 - 1: no pair), limit of tokens (0: none) and flags, then text and pair in
 * UTF-8. An answer is u32 count and of each token u32 id, begin, end and type id, then u32 size and UTF-8 of the text
 * decoded from them. What cannot be encoded has the count 2^32 - 1 and nothing more. */
#include "base/limits.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

enum { QUESTION_PLAIN = 1, QUESTION_PARSE = 2, QUESTION_LEFT = 4, QUESTION_SKIP = 8, QUESTION_STRATEGY = 16 };

typedef struct Question {
    uint32_t size, pair_size, limit, flags;
} Question;

static void encodings_write_number(uint32_t number)
{
    fwrite(&number, sizeof number, 1, stdout);
}

static void encodings_write(const Encoding *encoding, TextView decoded)
{
    encodings_write_number(encoding->count);
    for (uint32_t i = 0; i < encoding->count; i++) {
        const uint32_t token[4] = {encoding->ids[i], encoding->offsets[i].begin, encoding->offsets[i].end,
                                   encoding->type_ids[i]};
        fwrite(token, sizeof token, 1, stdout);
    }
    encodings_write_number((uint32_t)decoded.size);
    fwrite(decoded.bytes, 1, decoded.size, stdout);
}

static void encodings_answer(const Tokenizer *tokenizer, const Question *question, TextView text,
                             const TextView *pair)
{
    const EncodeOptions options = {
        .without_special_tokens = question->flags & QUESTION_PLAIN,
        .parse_special_tokens = question->flags & QUESTION_PARSE,
        .token_count_max = question->limit,
        .side = question->flags & QUESTION_LEFT ? TRUNCATION_LEFT : TRUNCATION_RIGHT,
        .strategy = (TruncationStrategy)(question->flags / QUESTION_STRATEGY),
    };
    Arena arena;
    Encoding encoding;
    TextView decoded;
    Error error;
    arena_init(&arena, 1 * GIB);
    if (tokenizer_encode(tokenizer, text, pair, &options, &arena, &encoding, &error) ||
        tokenizer_decode(tokenizer, encoding.ids, encoding.count, question->flags & QUESTION_SKIP, &arena,
                         &decoded, &error))
        encodings_write_number(UINT32_MAX);
    else
        encodings_write(&encoding, decoded);
    arena_free(&arena);
}

int main(int argument_count, char **arguments)
{
    static char texts[2][TEXT_BYTES_MAX];
    Tokenizer *tokenizer = NULL;
    Error error;
    Question question;
    if (argument_count != 2) return 2;
    if (tokenizer_open(arguments[1], &tokenizer, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    while (fread(&question, sizeof question, 1, stdin) == 1) {
        bool paired = question.pair_size != UINT32_MAX;
        uint32_t pair_size = paired ? question.pair_size : 0;
        if (question.size > sizeof texts[0] || pair_size > sizeof texts[1]) return 1;
        if (fread(texts[0], 1, question.size, stdin) != question.size) return 1;
        if (fread(texts[1], 1, pair_size, stdin) != pair_size) return 1;
        const TextView text = {texts[0], question.size}, pair = {texts[1], pair_size};
        encodings_answer(tokenizer, &question, text, paired ? &pair : NULL);
    }
    tokenizer_close(tokenizer);
    return 0;
}
