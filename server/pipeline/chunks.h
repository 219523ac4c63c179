/* How a text that is longer than the model takes is cut: into overlapping ranges of its tokens, which a batch sees as
 * sequences of their own, each with all that stands around the cut tokens: what the template adds, the prompt, the
 * other text of a pair. And how one result is made of theirs. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"
#include "tokenizer/tokenizer.h"

typedef struct Pipeline Pipeline;
typedef struct Prepared Prepared;
typedef struct EmbedOptions EmbedOptions;
typedef struct PrepareOptions PrepareOptions;

typedef enum ChunkAggregate { CHUNK_MEAN, CHUNK_ATTENTION } ChunkAggregate; /* defined in headlight.proto */

#define CHUNK_OVERLAP_DEFAULT UINT32_MAX

typedef struct ChunkOptions {
    uint32_t token_count; /* of a chunk at most, with what it repeats; 0: the model's limit */
    uint32_t overlap; /* of its tokens at most, shared with the chunk before; CHUNK_OVERLAP_DEFAULT: an eighth */
    ChunkAggregate aggregate;
} ChunkOptions;

/* Tokens of the whole text's encoding, half open. */
typedef struct TokenRange {
    uint32_t begin;
    uint32_t end;
} TokenRange;

typedef struct Chunk {
    TokenRange tokens;
    TokenRange own; /* those of them that stand farther from a border here than in any other chunk */
} Chunk;

/* Plain data in the arena of the request. */
typedef struct ChunkPlan {
    Chunk *items; /* [count]; NULL: there are none. Of FILL, those that have a mask of their own */
    uint32_t count;
    bool late;      /* the text goes through in one piece, and chunks are pooled of its rows */
    bool of_pair;   /* the pair is cut, not the text */
    TokenRange cut; /* what the chunks cover */
} ChunkPlan;

/* Fails with INVALID_ARGUMENT when chunks are to be larger than the model's limit. */
CHECKED Status pipeline_check_chunk_size(const Pipeline *pipeline, const ChunkOptions *options, Error *out_error);
/* Fails with FAILED_PRECONDITION when the checkpoint's vectors have no chunks, or none that are pooled of rows. */
CHECKED Status pipeline_check_chunk_vectors(const Pipeline *pipeline, const PrepareOptions *options,
                                            Error *out_error);

/* Whether the text's chunks are what runs. */
bool pipeline_is_cut(const Prepared *whole);
/* What all chunks of a text that is cut take of the arena, at most. */
uint64_t pipeline_chunk_bytes(const Prepared *whole);
/* The chunk `index` of a text that was prepared for `options`, for a batch. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status pipeline_chunk(const Pipeline *pipeline, const PrepareOptions *options, const Prepared *whole,
                              uint32_t index, Arena *arena, Prepared *out_chunk, Error *out_error);
/* Bytes of the text as it was sent, or of its pair where that is cut; may begin or end within a character. */
ByteRange pipeline_chunk_range(const Prepared *whole, uint32_t index);

/* Where a token of a text is computed. */
typedef struct ChunkPlace {
    uint32_t chunk; /* 0 when the text is not cut */
    uint32_t row;   /* of the chunk's encoding */
} ChunkPlace;

/* `hint` is the chunk of a token before this one, or 0. */
ChunkPlace pipeline_chunk_place(const Prepared *whole, uint32_t token, uint32_t hint);

/* Shares of the tokens of all chunks together. */
void pipeline_chunk_weights(const Prepared *whole, float *out_weights);
/* One vector of the chunks' [count of the plan], which are as `options` want the whole's; out_weights[count] are theirs
 * in it. Sparse ones are merged by the greatest value, and weigh by tokens. */
void pipeline_merge_vectors(const Pipeline *pipeline, const EmbedOptions *options, ChunkAggregate aggregate,
                            const Prepared *whole, const float *const *vectors, float *out_weights,
                            float *out_vector);
/* The mean of the chunks' logits by tokens; of a text that is not cut, its own. */
void pipeline_merge_logits(const Pipeline *pipeline, const Prepared *whole, const float *const *logits,
                           float *out_logits);
