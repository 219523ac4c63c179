#include "rpc/codec_request.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_request_fields.h"

static Status embed_options_read(const Headlight__V1__EmbedRequest *message, EmbedOptions *out_options,
                                 CodecFault *out_fault);
static Status aggregation_read(ProtobufCBinaryData name, Aggregation *out_aggregation, CodecFault *out_fault);

Status codec_request_embed(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                           CodecEmbedRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__EmbedRequest *message =
        codec_field_message(&headlight__v1__embed_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecEmbedRequest){0};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) {
        status = codec_field_name(message->prompt_name, "prompt_name", &inputs->prepare.prompt_name, out_fault);
    }
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) status = embed_options_read(message, &out_request->embed, out_fault);
    if (status) return status;
    inputs->prepare.late_chunks = message->return_chunk_embeddings;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_classify(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                              CodecClassifyRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__ClassifyRequest *message =
        codec_field_message(&headlight__v1__classify_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecClassifyRequest){.raw_scores = message->raw_scores};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) {
        status = codec_field_count(message->top_k, UINT32_MAX, MODEL_LABEL_COUNT_MAX, "top_k", &out_request->top_k,
                                   out_fault);
    }
    if (status) return status;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_rerank(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                            CodecRerankRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__RerankRequest *message =
        codec_field_message(&headlight__v1__rerank_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecRerankRequest){.raw_scores = message->raw_scores, .return_text = message->return_text};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) {
        status = codec_field_count(message->top_n, UINT32_MAX, INPUT_COUNT_MAX_LIMIT, "top_n", &out_request->top_n,
                                   out_fault);
    }
    if (status) return status;
    return codec_field_pairs(arena, message->query, message->texts, message->n_texts, input_count_max, inputs,
                             out_fault);
}

Status codec_request_tag(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                         CodecTagRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__TagTokensRequest *message =
        codec_field_message(&headlight__v1__tag_tokens_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecTagRequest){0};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) status = aggregation_read(message->aggregation, &out_request->aggregation, out_fault);
    if (status) return status;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_fill(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                          CodecFillRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__FillMaskRequest *message =
        codec_field_message(&headlight__v1__fill_mask_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecFillRequest){0};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) {
        status = codec_field_count(message->top_k, FILL_TOP_K_DEFAULT, FILL_TOP_K_MAX, "top_k",
                                   &out_request->top_k, out_fault);
    }
    if (status) return status;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_answer(Arena *arena, const uint8_t *wire, size_t size, CodecAnswerRequest *out_request,
                            CodecFault *out_fault)
{
    const Headlight__V1__AnswerRequest *message =
        codec_field_message(&headlight__v1__answer_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecAnswerRequest){.options.allow_no_answer = message->allow_no_answer};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (!status) {
        status = codec_field_count(message->top_k, ANSWER_TOP_K_DEFAULT, ANSWER_TOP_K_MAX, "top_k",
                                   &out_request->options.top_k, out_fault);
    }
    if (status) return status;
    return codec_field_question(arena, message->question, message->context, inputs, out_fault);
}

Status codec_request_explain(Arena *arena, const uint8_t *wire, size_t size, CodecExplainRequest *out_request,
                             CodecFault *out_fault)
{
    const Headlight__V1__ExplainRequest *message =
        codec_field_message(&headlight__v1__explain_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecExplainRequest){0};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_options(message->options, inputs, out_fault);
    if (status) return status;
    if (!inputs->explains) {
        inputs->explains = true;
        status = codec_field_explanation(NULL, &inputs->explain, out_fault);
        if (status) return status;
    }
    return codec_field_input(arena, message->input, inputs, out_fault);
}

Status codec_request_tokenize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                              CodecTokenizeRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__TokenizeRequest *message =
        codec_field_message(&headlight__v1__tokenize_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecTokenizeRequest){.without_special_tokens = message->without_special_tokens};
    CodecInputs *inputs = &out_request->inputs;
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (status) return status;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_sanitize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                              CodecSanitizeRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__SanitizeRequest *message =
        codec_field_message(&headlight__v1__sanitize_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecSanitizeRequest){.inputs.sanitize.return_cleaned = true};
    CodecInputs *inputs = &out_request->inputs;
    const CodecSanitizeFields fields = {
        .policy = {message->policy, "policy"},
        .level = {message->sanitize_level, "sanitize_level"},
        .enable_count = message->n_sanitize_enable,
        .enable = message->sanitize_enable,
        .enable_field = "sanitize_enable",
    };
    Status status = codec_field_name(message->model, "model", &inputs->model, out_fault);
    if (!status) status = codec_field_sanitize(&fields, &inputs->sanitize, out_fault);
    if (status) return status;
    return codec_field_inputs(arena, message->inputs, message->n_inputs, input_count_max, inputs, out_fault);
}

Status codec_request_detokenize(Arena *arena, const uint8_t *wire, size_t size,
                                CodecDetokenizeRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__DetokenizeRequest *message =
        codec_field_message(&headlight__v1__detokenize_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecDetokenizeRequest){
        .id_count = (uint32_t)message->n_ids,
        .ids = message->ids,
        .keep_special_tokens = message->keep_special_tokens,
    };
    return codec_field_name(message->model, "model", &out_request->model, out_fault);
}

static Status embed_options_read(const Headlight__V1__EmbedRequest *message, EmbedOptions *out_options,
                                 CodecFault *out_fault)
{
    *out_options = (EmbedOptions){
        .return_tokens = message->return_token_embeddings,
        .return_chunks = message->return_chunk_embeddings,
    };
    if (message->maybe_normalize_case == HEADLIGHT__V1__EMBED_REQUEST__MAYBE_NORMALIZE_NORMALIZE) {
        out_options->normalize = message->normalize ? NORMALIZE_YES : NORMALIZE_NO;
    }
    if (message->maybe_dimensions_case == HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS) {
        if (message->dimensions == 0) {
            return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "dimensions",
                                   "dimensions must be at least 1: leave it out for the whole vector");
        }
        out_options->dimensions = message->dimensions;
    }
    return STATUS_OK;
}

static Status aggregation_read(ProtobufCBinaryData data, Aggregation *out_aggregation, CodecFault *out_fault)
{
    static const char *const names[] = {
        [AGGREGATION_NONE] = "none",       [AGGREGATION_SIMPLE] = "simple", [AGGREGATION_FIRST] = "first",
        [AGGREGATION_AVERAGE] = "average", [AGGREGATION_MAX] = "max",
    };
    TextView name;
    Status status = codec_field_name(data, "aggregation", &name, out_fault);
    if (status) return status;
    *out_aggregation = AGGREGATION_SIMPLE;
    if (name.size == 0) return STATUS_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!text_equal(name, text_view(names[i]))) continue;
        *out_aggregation = (Aggregation)i;
        return STATUS_OK;
    }
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "aggregation",
                           "unknown aggregation '%.*s': there are none, simple, first, average and max",
                           (int)name.size, name.bytes);
}
