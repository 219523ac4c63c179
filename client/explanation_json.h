/* Explanations as JSON: all that the server sent, or what the Python package bertviz draws. */
#pragma once

#include "explanation.h"

#include <stdio.h>

/* An object with the members of the API's Explanation; weights are numbers, whatever their format on the wire. */
void explanation_print_json(FILE *stream, const Explanation *explanation);
/* Those members but for `chunk` and `attention`, each with a comma before it. */
void explanation_print_members(FILE *stream, const Explanation *explanation);
/* The arguments of bertviz' head_view and model_view: `attention` [layers][1][heads][tokens][tokens], `tokens`, and of
 * a pair `sentence_b_start`; which layers and heads they are stands in `layers` and `heads`. Fails with CORRUPT (not
 * every row of every head is there), NO_MEMORY. */
CHECKED Status explanation_print_bertviz(const Explanation *explanation, Error *out_error);
