/* The library's NormalizedString::transform: characters replace characters from left to right, and each takes the
 * origin of what it replaces, whatever it was made from. */
#pragma once

#include "tokenizer/normalized.h"

typedef struct Transform {
    const Normalized *from;
    Normalized *to;
    uint32_t at; /* in `from`: what is before has been replaced */
} Transform;

/* Appends `code_point`, which replaces the next character and -change that follow it; with a positive `change` it is
 * new and shares the origin of the character before. */
void transform_put(Transform *transform, uint32_t code_point, int64_t change);
/* Appends what is up to `end` unchanged. */
void transform_copy(Transform *transform, uint32_t end);
