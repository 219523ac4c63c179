/* Requests as plain structs: unpacked from the wire into the message's arena and checked as far as no model is
 * needed. The methods' door to protobuf, together with codec_reply.h. */
#pragma once

#include "base/arena.h"
#include "explain/explain.h"
#include "pipeline/pipeline.h"
#include "pipeline/task.h"
#include "rpc/codec_report.h"

enum { CODEC_FIELD_BYTES = 64 };

/* Why a request was refused: the error, the field it is about ("inputs[3].text"; empty: none), and what was found in
 * that (NULL: nothing). */
typedef struct CodecFault {
    Error error;
    char field[CODEC_FIELD_BYTES];
    const CodecReport *report;
} CodecFault;

typedef struct CodecText {
    TextView text; /* bytes as they came: whoever tokenizes proves that they are UTF-8 */
    TextView pair;
    bool has_pair;
} CodecText;

/* How the request names its texts, for faults. */
typedef enum CodecShape {
    CODEC_SHAPE_INPUTS,   /* inputs[i].text, inputs[i].pair */
    CODEC_SHAPE_INPUT,    /* input.text, input.pair */
    CODEC_SHAPE_PAIRS,    /* query with each of texts[i] */
    CODEC_SHAPE_QUESTION, /* question, context */
} CodecShape;

/* What a request asks the sanitizer for. */
typedef struct CodecSanitize {
    SanitizeOptions options; /* the loosest where nothing is given */
    bool policy_given;
    bool level_given;
    bool return_cleaned;
} CodecSanitize;

/* What every request for the encoder carries; first member of each. */
typedef struct CodecInputs {
    TextView model; /* valid UTF-8, as are all names here; empty: the default */
    uint32_t count;
    CodecText *texts; /* [count] */
    CodecShape shape;
    PrepareOptions prepare; /* all but the task */
    CodecSanitize sanitize;
    uint32_t vote_count; /* at most VOTE_COUNT_MAX */
    bool explains;
    ExplainSpec explain; /* explains */
} CodecInputs;

typedef struct CodecEmbedRequest {
    CodecInputs inputs;
    EmbedOptions embed;
} CodecEmbedRequest;

typedef struct CodecClassifyRequest {
    CodecInputs inputs;
    bool raw_scores;
    uint32_t top_k; /* UINT32_MAX: all */
} CodecClassifyRequest;

typedef struct CodecRerankRequest {
    CodecInputs inputs;
    bool raw_scores;
    bool return_text;
    uint32_t top_n; /* UINT32_MAX: all */
} CodecRerankRequest;

typedef struct CodecTagRequest {
    CodecInputs inputs;
    Aggregation aggregation;
} CodecTagRequest;

typedef struct CodecFillRequest {
    CodecInputs inputs;
    uint32_t top_k; /* 1 .. FILL_TOP_K_MAX */
} CodecFillRequest;

typedef struct CodecAnswerRequest {
    CodecInputs inputs;    /* one pair: question, context */
    AnswerOptions options; /* top_k is 1 .. ANSWER_TOP_K_MAX */
} CodecAnswerRequest;

typedef struct CodecExplainRequest {
    CodecInputs inputs; /* one; its task is the model's */
} CodecExplainRequest;

typedef struct CodecTokenizeRequest {
    CodecInputs inputs; /* without options */
    bool without_special_tokens;
} CodecTokenizeRequest;

typedef struct CodecSanitizeRequest {
    CodecInputs inputs; /* without options but `sanitize`; an empty model: none */
} CodecSanitizeRequest;

typedef struct CodecDetokenizeRequest {
    TextView model;
    uint32_t id_count;
    const uint32_t *ids; /* [id_count] */
    bool keep_special_tokens;
} CodecDetokenizeRequest;

/* Each reads `wire` ([size]) into `arena`, where everything in *out_request lives; `wire` is not needed
 * afterwards. `input_count_max` bounds the inputs. Any thread. Fail with INVALID_ARGUMENT (not such a message, no
 * inputs or too many, an unknown enum value or name, a name that is not UTF-8, a count beyond its limit),
 * RESOURCE_EXHAUSTED (the arena). */
CHECKED Status codec_request_embed(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                   CodecEmbedRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_classify(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                      CodecClassifyRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_rerank(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                    CodecRerankRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_tag(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                 CodecTagRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_fill(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                  CodecFillRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_answer(Arena *arena, const uint8_t *wire, size_t size,
                                    CodecAnswerRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_explain(Arena *arena, const uint8_t *wire, size_t size,
                                     CodecExplainRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_tokenize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                      CodecTokenizeRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_sanitize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                                      CodecSanitizeRequest *out_request, CodecFault *out_fault);
CHECKED Status codec_request_detokenize(Arena *arena, const uint8_t *wire, size_t size,
                                        CodecDetokenizeRequest *out_request, CodecFault *out_fault);

/* Says in `fault` that it is about the text (or the pair) at `index`: its field, and the message's beginning. Returns
 * its status. */
Status codec_request_fault(const CodecInputs *inputs, uint32_t index, bool of_pair, CodecFault *fault);
/* Bytes of all texts together, a query counted with each text: what tokenizing costs. */
uint64_t codec_request_text_bytes(const CodecInputs *inputs);
