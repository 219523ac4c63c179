/* Replies as plain structs, packed to the wire; see codec_request.h. A reply is built in the arena of its request once
 * its results are there: what it points at (texts, vectors, the model's labels) is read when it is packed. Each
 * builder has a bound beside it, so that its memory can be admitted before anything is computed. */
#pragma once

#include "base/arena.h"
#include "pipeline/pipeline.h"
#include "pipeline/task.h"
#include "rpc/codec_report.h"

/* A reply built in an arena, ready to be packed; a value, valid as long as what it was built from. */
typedef struct CodecReply {
    void *message;
} CodecReply;

/* Exactly what codec_reply_pack writes. Any thread. */
size_t codec_reply_size(CodecReply reply);
/* `message` is that of a CodecReply; `buffer` has codec_reply_size bytes. */
void codec_reply_pack(void *message, uint8_t *buffer);

typedef struct CodecTiming {
    uint64_t queue_ns;
    uint64_t sanitize_ns;
    uint64_t tokenize_ns;
    uint64_t compute_ns;
    uint64_t total_ns;
    uint32_t batch_sequences;
    uint32_t batch_tokens;
} CodecTiming;

/* What every reply of the encoder begins with. */
typedef struct CodecHead {
    TextView model;
    TextView attention; /* of the usage of each input that was not cut */
    CodecTiming timing;
} CodecHead;

typedef struct CodecExplanation CodecExplanation; /* rpc/codec_explain.h */

/* One for each sequence that an input became; none unless they were asked for. */
typedef struct CodecExplanations {
    const CodecExplanation *items;
    uint32_t count;
} CodecExplanations;

/* What was done with one input. */
typedef struct CodecUsage {
    uint32_t token_count; /* of all chunks together */
    uint32_t text_token_count;
    uint32_t chunk_count;
    bool truncated;
    bool chunked; /* it was cut */
} CodecUsage;

/* How an EmbedResponse's vectors look. */
typedef struct CodecVectors {
    uint32_t size;     /* of a vector */
    uint32_t row_size; /* of a token's row */
    bool sparse;       /* entries that are not 0, with their indices */
} CodecVectors;

typedef struct CodecChunk {
    ByteRange range;
    uint32_t token_count;
    float weight;
    float *values; /* NULL: not asked for */
} CodecChunk;

typedef struct CodecEmbedding {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    float *values;
    float *const *rows; /* [row_count] of tokens, if they are asked for */
    uint32_t row_count;
    const CodecChunk *chunks; /* [chunk_count] */
    uint32_t chunk_count;
    TextView text; /* of the chunks' ranges */
} CodecEmbedding;

/* What codec_reply_embed takes from the arena, at most, for `count` embeddings with `row_count` token rows and
 * `chunk_count` chunks together. */
uint64_t codec_reply_embed_bytes(const CodecVectors *vectors, uint32_t count, uint64_t row_count,
                                 uint64_t chunk_count);
/* Explanations come on top: codec_explanation_bytes. A sparse vector is compacted in its own buffer. False when the
 * arena is out; so with all that follow. */
CHECKED bool codec_reply_embed(Arena *arena, const CodecHead *head, const CodecVectors *vectors,
                               const CodecEmbedding *embeddings, uint32_t count, CodecReply *out_reply);

typedef struct CodecClassification {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    const LabelScore *scores; /* [score_count] in the order of the answer */
    uint32_t score_count;
} CodecClassification;

/* For `score_count` labels of all inputs together. */
uint64_t codec_reply_classify_bytes(uint32_t count, uint64_t score_count);
/* `pipeline` names the labels. */
CHECKED bool codec_reply_classify(Arena *arena, const CodecHead *head, const Pipeline *pipeline,
                                  const CodecClassification *classifications, uint32_t count,
                                  CodecReply *out_reply);

typedef struct CodecRank {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    const CodecChunk *best; /* NULL: the text was not cut */
    TextView text;
    uint32_t index;
    float score;
} CodecRank;

uint64_t codec_reply_rerank_bytes(uint32_t count);
/* `ranks` are in the order of the answer. */
CHECKED bool codec_reply_rerank(Arena *arena, const CodecHead *head, const CodecRank *ranks, uint32_t count,
                                bool return_text, CodecReply *out_reply);

typedef struct CodecTagging {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    TextView text;
    const Entity *entities; /* [entity_count] */
    uint32_t entity_count;
} CodecTagging;

/* For `entity_count` entities of all inputs together. */
uint64_t codec_reply_tag_bytes(uint32_t count, uint64_t entity_count);
CHECKED bool codec_reply_tag(Arena *arena, const CodecHead *head, const CodecTagging *taggings, uint32_t count,
                             CodecReply *out_reply);

typedef struct CodecFill {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    const FillScore *const *masks; /* [mask_count][fill_count] */
    uint32_t mask_count;
    uint32_t fill_count;
} CodecFill;

/* For `mask_count` masks of all inputs together, `fill_count` candidates each; the candidates' texts come on top. */
uint64_t codec_reply_fill_bytes(uint32_t count, uint64_t mask_count, uint32_t fill_count);
/* What the text of `id` takes from the arena, at most. */
uint64_t codec_reply_fill_text_bytes(const Tokenizer *tokenizer, uint32_t id);
/* A candidate's text is what `tokenizer` decodes its id to; empty for an id that only the model has. */
CHECKED bool codec_reply_fill(Arena *arena, const CodecHead *head, const Tokenizer *tokenizer,
                              const CodecFill *results, uint32_t count, CodecReply *out_reply);

typedef struct CodecAnswers {
    CodecUsage usage;
    CodecReport report;
    CodecExplanations explanations;
    const AnswerScore *answers; /* [answer_count] */
    uint32_t answer_count;
    TextView context;
} CodecAnswers;

uint64_t codec_reply_answer_bytes(uint32_t answer_count);
CHECKED bool codec_reply_answer(Arena *arena, const CodecHead *head, const CodecAnswers *answers,
                                CodecReply *out_reply);

/* What codec_reply_sanitize takes from the arena, at most, for reports of `part_count` findings and totals together. */
uint64_t codec_reply_sanitize_bytes(uint32_t count, uint64_t part_count);
CHECKED bool codec_reply_sanitize(Arena *arena, const CodecReport *reports, uint32_t count, CodecReply *out_reply);

/* What codec_reply_tokenize takes from the arena, at most. */
uint64_t codec_reply_tokenize_bytes(uint32_t count, uint64_t token_count);
/* Builds the TokenizeResponse of `count` encodings by `tokenizer`, which must outlive the packing. */
CHECKED bool codec_reply_tokenize(Arena *arena, const Tokenizer *tokenizer, const Encoding *encodings,
                                  uint32_t count, CodecReply *out_reply);
CHECKED bool codec_reply_detokenize(Arena *arena, TextView text, CodecReply *out_reply);
