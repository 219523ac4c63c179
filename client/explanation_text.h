/* Explanations for people on a terminal, and lines for pipes. */
#pragma once

#include "explanation.h"

/* The text with its tokens coloured, a picture a method, and what else was found. `text` and `pair` are as they were
 * sent; ranges beyond them are cut. Without colours, what counts is in brackets: [film +0.42]. Fails with NO_MEMORY. */
CHECKED Status explanation_print_heat(const Explanation *explanation, TextView text, TextView pair, bool colours,
                                      Error *out_error);
/* Lines of fields with tabs between them: the text's number and the method; then of an attribution the token's number,
 * its begin and end in bytes, the token and its score; of surrogates what they consist of. Fails with NO_MEMORY. */
CHECKED Status explanation_print_lines(const Explanation *explanation, uint64_t index, Error *out_error);
