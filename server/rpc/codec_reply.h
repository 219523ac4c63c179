/* Replies as plain structs, packed to the wire; see codec_request.h. */
#pragma once

#include "base/arena.h"
#include "pipeline/pipeline.h"

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
    uint64_t tokenize_ns;
    uint64_t compute_ns;
    uint64_t total_ns;
    uint32_t batch_sequences;
    uint32_t batch_tokens;
} CodecTiming;

/* What codec_reply_embed takes from the arena, at most, for `count` items with `row_count` token rows together. */
uint64_t codec_reply_embed_bytes(uint32_t count, uint64_t row_count);
/* Builds the EmbedResponse of `count` items ahead of the computation, so that nothing can fail after it: the
 * items' buffers are pointed at, not copied, and read when the reply is packed. `items` need `prepared` and
 * buffers only. `vector_size` is the size of a whole vector, `row_size` of a token's row. False when the arena is
 * out. */
CHECKED bool codec_reply_embed(Arena *arena, TextView model, const PipelineItem *const *items, uint32_t count,
                               uint32_t vector_size, uint32_t row_size, CodecReply *out_reply);
/* Fills in the timing of a reply made by codec_reply_embed. */
void codec_reply_embed_timing(CodecReply reply, const CodecTiming *timing);

/* What codec_reply_tokenize takes from the arena, at most. */
uint64_t codec_reply_tokenize_bytes(uint32_t count, uint64_t token_count);
/* Builds the TokenizeResponse of `count` encodings by `tokenizer`, which must outlive the packing. False when the
 * arena is out. */
CHECKED bool codec_reply_tokenize(Arena *arena, const Tokenizer *tokenizer, const Encoding *encodings,
                                  uint32_t count, CodecReply *out_reply);
CHECKED bool codec_reply_detokenize(Arena *arena, TextView text, CodecReply *out_reply);

typedef struct CodecModel {
    TextView name;
    TextView architecture; /* empty while loading, as all that follows */
    TextView task;
    TextView attention;
    TextView precision;
    TextView weights_sha256;
    uint32_t token_count_max;
    uint32_t layer_count;
    uint32_t head_count;
    uint32_t hidden_size;
    bool ready;
} CodecModel;

/* What codec_reply_list_models takes from the arena, at most. */
uint64_t codec_reply_list_models_bytes(size_t count);
/* Builds the ListModelsResponse. False when the arena is out. */
CHECKED bool codec_reply_list_models(Arena *arena, const CodecModel *models, size_t count, CodecReply *out_reply);
