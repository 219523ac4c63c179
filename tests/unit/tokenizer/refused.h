/* tokenizer.json in small pieces, and files that are to be refused. */
#pragma once

#include "unit/tokenizer/open_json.h"

#define HEAD "{\"version\":\"1.0\",\"added_tokens\":["
#define MODEL(vocab) \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\"," \
    "\"max_input_chars_per_word\":100,\"vocab\":" vocab "}}"
#define VOCAB "{\"[UNK]\":0,\"a\":1,\"b\":2,\"##b\":3}"

typedef struct Refused {
    const char *json;
    Status status;
    const char *field; /* the message holds it, */
    const char *found; /* and this */
} Refused;

static inline Tokenizer *open_directory(const char *directory)
{
    Tokenizer *tokenizer = NULL;
    Error error;
    if (tokenizer_open(directory, &tokenizer, &error)) fail_msg("%s", error.message);
    return tokenizer;
}

static inline void assert_refusal(const Refused *refused)
{
    Tokenizer *tokenizer = NULL;
    Error error = {.message = ""};
    Status status = open_json_status(refused->json, &tokenizer, &error);
    bool named = strstr(error.message, "tokenizer.json") && strstr(error.message, refused->field) &&
                 strstr(error.message, refused->found);
    if (status != refused->status || tokenizer || !named) {
        fail_msg("%.300s: status \"%s\", message \"%s\"", refused->json, status_name(status), error.message);
    }
}
