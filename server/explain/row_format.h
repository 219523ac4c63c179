/* Rows of weights as a request wants them: whole, the greatest, or those of visible keys; as floats or in fewer bits.
 */
#pragma once

#include "explain/explain.h"

/* Bytes of a weight. */
size_t row_format_size(ExplainFormat format);
/* Entries that are returned of a row that sees `key_count` of `token_count` keys. */
uint32_t row_format_count(const ExplainSpec *spec, uint32_t token_count, uint32_t key_count);

/* Takes the weights of the head at place `index` of `head_count` into those of all together: joined[count]. */
void row_format_join(const ExplainSpec *spec, uint32_t head_count, uint32_t index, const float *weights,
                     size_t count, float *joined);

/* A row of one head or of several together. */
typedef struct FormatRow {
    const float *weights;
    const uint32_t *keys; /* [key_count] of the weights, ascending; NULL: they are of the tokens in order */
    uint32_t key_count;
    uint32_t token_count;
    uint32_t *chosen; /* [top_k], to work in */
} FormatRow;

/* Where it goes. */
typedef struct FormatPlace {
    void *weights; /* of the whole list, in the spec's format */
    size_t first;  /* of the row's entries */
    /* Its columns, from the row's first on. SPARSE: read, where the weights are of all tokens; TOP_K: written,
     * ascending. */
    uint32_t *columns;
    uint32_t column_count; /* row_format_count, or fewer than key_count of SPARSE */
    float *dropped;
} FormatPlace;

/* Writes the row and what is left out of it: 1 - the sum of what a reader of the format sees. */
void row_format_write(const ExplainSpec *spec, const FormatRow *row, const FormatPlace *place);
