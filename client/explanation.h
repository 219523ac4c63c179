/* Explanations of one text, gathered from the parts that a server sends and proved: whatever prints them need not look
 * at sizes again. */
#pragma once

#include "codec.h"

#include <headlight/v1/headlight.pb-c.h>

/* What a server may send for one text, in bytes on the wire. */
#define EXPLANATION_BYTES_MAX ((uint64_t)1 << 30)
/* Nodes of a tree, which is walked recursively; the API's trees have 15. */
enum { EXPLANATION_NODES_MAX = 1024 };

typedef struct ExplanationPart {
    Arena arena;
    const Headlight__V1__Explanation *message;
    size_t token_begin; /* of its own, in all tokens that came */
} ExplanationPart;

/* A plain value; zeroed is empty. One thread. */
typedef struct Explanations {
    ExplanationPart *parts;                    /* [count], in the order of their arrival */
    const Headlight__V1__ExplainChunk *answer; /* the first, with what the model answers; NULL before it */
    size_t count, capacity;
    size_t last;                            /* the part that began the last explanation */
    bool told;                              /* something was said of its tokens */
    Headlight__V1__ExplainedToken **tokens; /* [token_count], of all parts */
    size_t token_count;
    uint64_t bytes;
} Explanations;

/* One of them: the explanation of a text, or of a chunk of it. */
typedef struct Explanation {
    const ExplanationPart *parts; /* [part_count] */
    size_t part_count;
    uint32_t chunk;
    Headlight__V1__ExplainedToken *const *tokens; /* [token_count] */
    size_t token_count;
} Explanation;

void explanation_clear(Explanations *explanations);
/* Takes an ExplainChunk on the wire. Fails with CORRUPT (it is none, or holds together with nothing that came before),
 * RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status explanation_add(Explanations *explanations, const uint8_t *bytes, size_t size, Error *out_error);
/* The explanation that begins at part *position, which moves behind it; false at the end. */
bool explanation_next(const Explanations *explanations, size_t *position, Explanation *out_explanation);

/* The sentence; empty: none was asked for. */
TextView explanation_summary(const Explanation *explanation);

/* All weights that came for one layer and head. */
typedef struct ExplanationHead {
    const Headlight__V1__HeadAttention *const *pieces; /* [piece_count], each of some rows */
    size_t piece_count;
    uint32_t layer, head;
} ExplanationHead;

/* The pieces of all heads by layer and head, in the order of their rows; the caller frees *out_pieces with free().
 * Fails with NO_MEMORY. */
CHECKED Status explanation_sort(const Explanation *explanation, const Headlight__V1__HeadAttention ***out_pieces,
                                size_t *out_count, Error *out_error);
/* The head whose pieces begin at *position of the sorted ones, which moves behind them; false at the end. */
bool explanation_next_head(const Headlight__V1__HeadAttention *const *pieces, size_t count, size_t *position,
                           ExplanationHead *out_head);

/* Rows of a piece: 1 where it is the mean of those that the answer is read from, and `rows` is empty. */
size_t explanation_row_count(const Headlight__V1__HeadAttention *piece);
/* Where row `row` of a piece stands in its weights. */
ByteRange explanation_row(const Headlight__V1__HeadAttention *piece, size_t row, size_t token_count);
/* The weight at `index` of a piece, whatever its format. */
float explanation_weight(const Headlight__V1__HeadAttention *piece, size_t token_count, size_t index);

/* The API's names in the command's words: "value-norm"; a newer server's: "unknown". */
const char *explanation_method_name(Headlight__V1__ExplanationMethod method);
