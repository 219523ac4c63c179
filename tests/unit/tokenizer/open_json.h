/* A tokenizer from the text of its tokenizer.json, and what it makes of a text. */
#pragma once

#include "tokenizer/tokenizer.h"
#include "unit/model/scratch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline Status open_json_status(const char *json, Tokenizer **out_tokenizer, Error *out_error)
{
    Scratch scratch;
    scratch_open(&scratch);
    scratch_write_text(&scratch, "tokenizer.json", json);
    Status status = tokenizer_open(scratch.path, out_tokenizer, out_error);
    scratch_close(&scratch);
    return status;
}

static inline Tokenizer *open_json(const char *json)
{
    Tokenizer *tokenizer = NULL;
    Error error;
    if (open_json_status(json, &tokenizer, &error)) fail_msg("%s", error.message);
    return tokenizer;
}

static inline void assert_refused(const char *json, Status status, const char *message)
{
    Tokenizer *tokenizer = NULL;
    Error error = {.message = ""};
    assert_int_equal(open_json_status(json, &tokenizer, &error), status);
    if (!strstr(error.message, message)) fail_msg("\"%s\" is not in \"%s\"", message, error.message);
    assert_null(tokenizer);
}

/* `expected`: "id:begin-end" of each token. */
static inline void assert_encoded(const char *json, const char *text, const char *expected)
{
    char found[1024] = "";
    size_t size = 0;
    Arena arena;
    Encoding encoding;
    EncodeOptions options = {0};
    Error error;
    Tokenizer *tokenizer = open_json(json);
    arena_init(&arena, 1 << 20);
    if (tokenizer_encode(tokenizer, text_view(text), NULL, &options, &arena, &encoding, &error)) {
        fail_msg("%s", error.message);
    }
    for (uint32_t i = 0; i < encoding.count && size < sizeof found; i++) {
        size += (size_t)snprintf(found + size, sizeof found - size, "%s%u:%u-%u", i ? " " : "", encoding.ids[i],
                                 encoding.offsets[i].begin, encoding.offsets[i].end);
    }
    arena_free(&arena);
    tokenizer_close(tokenizer);
    assert_string_equal(found, expected);
}
