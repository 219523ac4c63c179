/* What the server says of its models, and the messages that change them; see codec_request.h. */
#pragma once

#include "rpc/codec_reply.h"
#include "rpc/codec_request.h"

typedef struct CodecModel {
    TextView name;
    TextView failure;
    const Pipeline *pipeline; /* whose tasks and labels; NULL: not ready, all that follows empty */
    TextView architecture;
    TextView attention;
    TextView precision;
    TextView weights_sha256;
    uint64_t memory_bytes;
    uint32_t token_count_max;
    uint32_t layer_count;
    uint32_t head_count;
    uint32_t hidden_size;
    bool loading;
    bool is_default;
} CodecModel;

CHECKED Status codec_models_read_list(Arena *arena, const uint8_t *wire, size_t size, CodecFault *out_fault);
/* What one of the replies below takes from the arena, at most. */
uint64_t codec_models_bytes(const CodecModel *models, size_t count);
/* Builds the ListModelsResponse. False when the arena is out, as all that follow. */
CHECKED bool codec_models_list(Arena *arena, const CodecModel *models, size_t count, CodecReply *out_reply);

/* A LoadModelRequest, UnloadModelRequest or ReloadModelRequest; what it does not have is empty. */
typedef struct CodecModelsRequest {
    TextView name;
    const char *directory; /* in the arena; NULL: none was given */
    bool force;
} CodecModelsRequest;

/* Each fails as codec_request_embed. */
CHECKED Status codec_models_read_load(Arena *arena, const uint8_t *wire, size_t size,
                                      CodecModelsRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_models_read_unload(Arena *arena, const uint8_t *wire, size_t size,
                                        CodecModelsRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_models_read_reload(Arena *arena, const uint8_t *wire, size_t size,
                                        CodecModelsRequest *out_request, CodecFault *out_fault);
CHECKED bool codec_models_load(Arena *arena, const CodecModel *model, CodecReply *out_reply);
CHECKED bool codec_models_unload(Arena *arena, CodecReply *out_reply);
CHECKED bool codec_models_reload(Arena *arena, const CodecModel *model, bool reloaded, CodecReply *out_reply);
