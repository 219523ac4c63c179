/* NFC, NFD, NFKC, NFKD. */
#pragma once

#include "tokenizer/normalized.h"

typedef struct Form {
    bool compatible; /* K */
    bool composed;   /* C */
} Form;

/* Replaces what `to` holds by `from` in this form. Out of memory: to->failed. Linear. */
void forms_run(Form form, const Normalized *from, Normalized *to);
