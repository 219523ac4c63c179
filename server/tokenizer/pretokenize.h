/* From a text to its tokens: added tokens, normalization, words, model. */
#pragma once

#include "tokenizer/tokenizer_state.h"

/* Pushes all tokens of `text`, which is valid UTF-8. Fails with NO_MEMORY, RESOURCE_EXHAUSTED. */
CHECKED Status pretokenize_text(const Tokenizer *tokenizer, TextView text, AddedParse parse, Collector *collector,
                                Error *out_error);
