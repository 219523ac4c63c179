/* Explanations on the wire: how large they will be, and how they are built, whole or in parts. */
#pragma once

#include "pipeline/explain.h"
#include "rpc/codec_reply.h"

/* One sequence's explanation. */
struct CodecExplanation {
    const Pipeline *pipeline;
    const ExplainSpec *spec;
    const Prepared *whole;    /* the text that the sequence is, or is a chunk of */
    const Encoding *encoding; /* of the sequence */
    TextView text;            /* as it was sent: ranges are of it */
    TextView pair;
    TextView read_text; /* as the model reads it: words are of it */
    TextView read_pair;
    uint32_t chunk;
    const ExplainResult *result; /* once it is there */
};

/* What an Explanation takes on the wire, at most, with its tag; `result` is not looked at. It is at most some bytes for
 * each list and a byte for each column too much. */
uint64_t codec_explanation_wire_bytes(const CodecExplanation *explanation, const ExplainCounts *counts);
/* What building it takes of the arena, at most. */
uint64_t codec_explanation_bytes(const CodecExplanation *explanation, const ExplainCounts *counts);

/* How far a stream has come. Zeroed at first. */
typedef struct CodecExplainCursor {
    uint32_t explanation;
    uint32_t token;
    uint32_t weights; /* and of those */
    uint32_t row;
    uint32_t attribution;
    uint32_t surrogate;
    uint32_t summary; /* 1: it was sent */
    uint32_t index;   /* of the part */
} CodecExplainCursor;

enum {
    CODEC_EXPLAIN_PART_BYTES = 256 * 1024,
    /* What building a part takes of the arena, at most: tokens are the smallest of what it has. */
    CODEC_EXPLAIN_PART_ARENA_BYTES = 64 * CODEC_EXPLAIN_PART_BYTES,
};

/* The explanations of a text. */
typedef struct CodecExplainStream {
    CodecExplanations explanations;
    TextView model;
    const void *answer;  /* codec_explain_answer's, which goes with the first part; NULL: none */
    uint64_t part_bytes; /* at most, unless the answer, a row of attention, or an attribution is larger */
} CodecExplainStream;

/* What is answered, in `arena`; NULL: that is out. Explanations of `from` are left out. */
const void *codec_explain_answer(Arena *arena, const Pipeline *pipeline, TextView attention,
                                 const CodecClassification *from);
/* The next part, an ExplainChunk. `arena` may be freed once it is packed. *out_last: there are no more. */
CHECKED bool codec_explain_part(Arena *arena, const CodecExplainStream *stream, CodecExplainCursor *cursor,
                                CodecReply *out_reply, bool *out_last);
