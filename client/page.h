/* Explanations as one self-contained page: it loads nothing and sends nothing. */
#pragma once

#include "explanation.h"

/* What the model answered, for the page's head; a label and its score, the best first. */
typedef struct PageAnswer {
    TextView model;
    TextView details; /* "bert, dense attention, 12 layers of 12 heads" */
    Headlight__V1__Label *const *labels;
    size_t label_count;
    TextView location; /* "text 2", or "line 7 of a.txt" */
} PageAnswer;

/* The page's beginning, on stdout. Fails with NO_MEMORY, INTERNAL. */
CHECKED Status page_begin(Error *out_error);
/* One explanation; `text` and `pair` are as they were sent, and need not be UTF-8. Fails with NO_MEMORY. */
CHECKED Status page_add(const Explanation *explanation, TextView text, TextView pair, const PageAnswer *answer,
                        Error *out_error);
void page_end(void);
