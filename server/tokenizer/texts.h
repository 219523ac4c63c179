/* A list of texts in one block: the tokens on their way through the decoders. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* Zeroed is empty, but for size_max. One thread. */
typedef struct Texts {
    char *bytes; /* [capacity] */
    size_t size;
    size_t capacity;
    size_t size_max;
    size_t *ends; /* [ends_capacity]: where each text ends */
    uint32_t count;
    uint32_t ends_capacity;
    bool failed;    /* out of memory, or: */
    bool too_large; /* beyond size_max */
} Texts;

void texts_close(Texts *texts);
void texts_clear(Texts *texts);
/* Appends to the text that is being written, which texts_end adds to the list. */
void texts_write(Texts *texts, TextView part);
void texts_end(Texts *texts);
TextView texts_get(const Texts *texts, uint32_t index);
