/* From a text to its tokens: added tokens, normalization, words, model. */
#pragma once

#include "tokenizer/tokenizer_state.h"

/* Pushes all tokens of `text`, which is valid UTF-8. Fails with NO_MEMORY. */
CHECKED Status pretokenize_text(const Tokenizer *tokenizer, TextView text, bool parse_special,
                                Collector *collector, Error *out_error);
