/* Replacing parts of a cleaned text, for the files of pipeline/ only. */
#pragma once

#include "sanitizer/sanitizer.h"

typedef struct TextEdit {
    ByteRange range;      /* of the cleaned text, not empty, on borders of characters */
    TextView replacement; /* empty: it is left out */
} TextEdit;

/* Makes `count` edits, in order and apart from each other, to sanitized->text, its map with it. What is new comes from
 * all of what it replaces. Fails with RESOURCE_EXHAUSTED; `sanitized` is then as it was. */
CHECKED Status text_edits_apply(const TextEdit *edits, uint32_t count, uint32_t original_size, Arena *arena,
                                Sanitized *sanitized, Error *out_error);
