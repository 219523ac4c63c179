/* Requests as plain structs: unpacked from the wire into the message's arena and checked as far as no model is
 * needed. The methods' door to protobuf, together with codec_reply.h. */
#pragma once

#include "base/arena.h"
#include "pipeline/pipeline.h"

enum { CODEC_FIELD_BYTES = 64 };

/* Why a request was refused: the error, and the field it is about ("inputs[3].text"; empty: none). */
typedef struct CodecFault {
    Error error;
    char field[CODEC_FIELD_BYTES];
} CodecFault;

typedef struct CodecText {
    TextView text; /* bytes as they came: whoever tokenizes proves that they are UTF-8 */
    TextView pair;
    bool has_pair;
} CodecText;

typedef struct CodecEmbedRequest {
    TextView model; /* valid UTF-8, as are all names here; empty: the default */
    uint32_t input_count;
    CodecText *inputs; /* [input_count] */
    PrepareOptions prepare;
    EmbedOptions embed;
} CodecEmbedRequest;

typedef struct CodecTokenizeRequest {
    TextView model;
    uint32_t input_count;
    CodecText *inputs; /* [input_count] */
    bool without_special_tokens;
} CodecTokenizeRequest;

typedef struct CodecDetokenizeRequest {
    TextView model;
    uint32_t id_count;
    const uint32_t *ids; /* [id_count] */
    bool keep_special_tokens;
} CodecDetokenizeRequest;

/* Each reads `wire` ([size]) into `arena`, where everything in *out_request lives; `wire` is not needed
 * afterwards. `input_count_max` bounds the inputs. Any thread. Fail with INVALID_ARGUMENT (not such a message, no
 * inputs or too many, an unknown enum value, a name that is not UTF-8), UNIMPLEMENTED (an option of a later
 * version), RESOURCE_EXHAUSTED (the arena). */
CHECKED Status codec_request_embed(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                   CodecEmbedRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_tokenize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                      CodecTokenizeRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_detokenize(Arena *arena, const uint8_t *wire, size_t size,
                                        CodecDetokenizeRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_list_models(Arena *arena, const uint8_t *wire, size_t size, CodecFault *out_fault);
