#include "rpc/codec_request.h"

#include "base/limits.h"
#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_unpack.h"
#include "unicode/utf8.h"

#include <stdarg.h>
#include <stdio.h>

static const void *request_unpack(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *wire,
                                  size_t size, CodecFault *out_fault);
static Status name_read(ProtobufCBinaryData data, const char *field, TextView *out_name, CodecFault *out_fault);
static Status options_read(const Headlight__V1__Options *options, LengthPolicy *out_policy, CodecFault *out_fault);
static Status embed_options_read(const Headlight__V1__EmbedRequest *message, EmbedOptions *out_options,
                                 CodecFault *out_fault);
static Status inputs_read(Arena *arena, Headlight__V1__Text *const *texts, size_t count, uint32_t count_max,
                          CodecText **out_inputs, CodecFault *out_fault);
static Status fault_set(CodecFault *out_fault, Status status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

Status codec_request_embed(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                           CodecEmbedRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__EmbedRequest *message =
        request_unpack(&headlight__v1__embed_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecEmbedRequest){.input_count = (uint32_t)message->n_inputs};
    Status status = name_read(message->model, "model", &out_request->model, out_fault);
    if (status) return status;
    status = name_read(message->prompt_name, "prompt_name", &out_request->prepare.prompt_name, out_fault);
    if (status) return status;
    status = options_read(message->options, &out_request->prepare.length_policy, out_fault);
    if (status) return status;
    status = embed_options_read(message, &out_request->embed, out_fault);
    if (status) return status;
    return inputs_read(arena, message->inputs, message->n_inputs, input_count_max, &out_request->inputs,
                       out_fault);
}

Status codec_request_tokenize(Arena *arena, const uint8_t *wire, size_t size, uint32_t input_count_max,
                              CodecTokenizeRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__TokenizeRequest *message =
        request_unpack(&headlight__v1__tokenize_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecTokenizeRequest){
        .input_count = (uint32_t)message->n_inputs,
        .without_special_tokens = message->without_special_tokens,
    };
    Status status = name_read(message->model, "model", &out_request->model, out_fault);
    if (status) return status;
    return inputs_read(arena, message->inputs, message->n_inputs, input_count_max, &out_request->inputs,
                       out_fault);
}

Status codec_request_detokenize(Arena *arena, const uint8_t *wire, size_t size,
                                CodecDetokenizeRequest *out_request, CodecFault *out_fault)
{
    const Headlight__V1__DetokenizeRequest *message =
        request_unpack(&headlight__v1__detokenize_request__descriptor, arena, wire, size, out_fault);
    if (!message) return out_fault->error.status;
    *out_request = (CodecDetokenizeRequest){
        .id_count = (uint32_t)message->n_ids,
        .ids = message->ids,
        .keep_special_tokens = message->keep_special_tokens,
    };
    return name_read(message->model, "model", &out_request->model, out_fault);
}

Status codec_request_list_models(Arena *arena, const uint8_t *wire, size_t size, CodecFault *out_fault)
{
    const void *message =
        request_unpack(&headlight__v1__list_models_request__descriptor, arena, wire, size, out_fault);
    return message ? STATUS_OK : out_fault->error.status;
}

/* The message, or NULL when *out_fault says why not. */
static const void *request_unpack(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *wire,
                                  size_t size, CodecFault *out_fault)
{
    ProtobufCMessage *message = NULL;
    out_fault->field[0] = '\0';
    Status status = codec_unpack(descriptor, wire, size, arena, &message, &out_fault->error);
    return status ? NULL : message;
}

/* Names are echoed in error messages, so they must be text, and short. */
static Status name_read(ProtobufCBinaryData data, const char *field, TextView *out_name, CodecFault *out_fault)
{
    *out_name = (TextView){(const char *)data.data, data.len};
    if (data.len > MODEL_NAME_BYTES_MAX) {
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s has %zu bytes, at most %u make sense",
                         field, data.len, (unsigned)MODEL_NAME_BYTES_MAX);
    }
    size_t position;
    if (!utf8_valid(*out_name, &position)) {
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s is not UTF-8 from byte %zu on", field,
                         position);
    }
    return STATUS_OK;
}

static Status length_policy_read(Headlight__V1__LengthPolicy policy, LengthPolicy *out_policy,
                                 CodecFault *out_fault)
{
    switch ((int)policy) {
    case HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO: /* as long as nothing is chunked, AUTO refuses */
    case HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_REFUSE:
        *out_policy = LENGTH_REFUSE;
        return STATUS_OK;
    case HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_RIGHT:
        *out_policy = LENGTH_TRUNCATE_RIGHT;
        return STATUS_OK;
    case HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_LEFT:
        *out_policy = LENGTH_TRUNCATE_LEFT;
        return STATUS_OK;
    case HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_CHUNK:
        return fault_set(out_fault, STATUS_UNIMPLEMENTED, "options.length_policy",
                         "this version does not chunk: use REFUSE, TRUNCATE_RIGHT or TRUNCATE_LEFT");
    default:
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.length_policy", "unknown length policy %d",
                         (int)policy);
    }
}

static Status sanitize_policy_check(Headlight__V1__SanitizePolicy policy, CodecFault *out_fault)
{
    switch ((int)policy) {
    case HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_SERVER_DEFAULT:
    case HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_OFF:
        return STATUS_OK;
    case HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_REPORT:
    case HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN:
    case HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_REJECT:
        return fault_set(out_fault, STATUS_UNIMPLEMENTED, "options.sanitize",
                         "this version does not sanitize: use SERVER_DEFAULT or OFF");
    default:
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.sanitize", "unknown sanitize policy %d",
                         (int)policy);
    }
}

/* What this version cannot do is refused, never ignored: who asked for it would take its absence for an answer. */
static Status options_read(const Headlight__V1__Options *options, LengthPolicy *out_policy, CodecFault *out_fault)
{
    *out_policy = LENGTH_REFUSE;
    if (!options) return STATUS_OK;
    Status status = length_policy_read(options->length_policy, out_policy, out_fault);
    if (status) return status;
    status = sanitize_policy_check(options->sanitize, out_fault);
    if (status) return status;
    if (options->explanation) {
        return fault_set(out_fault, STATUS_UNIMPLEMENTED, "options.explanation",
                         "this version does not explain: leave options.explanation out");
    }
    if (options->return_cleaned_text) {
        return fault_set(out_fault, STATUS_UNIMPLEMENTED, "options.return_cleaned_text",
                         "this version does not sanitize: leave options.return_cleaned_text out");
    }
    return STATUS_OK;
}

static Status embed_options_read(const Headlight__V1__EmbedRequest *message, EmbedOptions *out_options,
                                 CodecFault *out_fault)
{
    if (message->return_chunk_embeddings) {
        return fault_set(out_fault, STATUS_UNIMPLEMENTED, "return_chunk_embeddings",
                         "this version does not chunk: leave return_chunk_embeddings out");
    }
    *out_options = (EmbedOptions){.return_tokens = message->return_token_embeddings};
    if (message->maybe_normalize_case == HEADLIGHT__V1__EMBED_REQUEST__MAYBE_NORMALIZE_NORMALIZE) {
        out_options->normalize = message->normalize ? NORMALIZE_YES : NORMALIZE_NO;
    }
    if (message->maybe_dimensions_case == HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS) {
        if (message->dimensions == 0) {
            return fault_set(out_fault, STATUS_INVALID_ARGUMENT, "dimensions",
                             "dimensions must be at least 1: leave it out for the whole vector");
        }
        out_options->dimensions = message->dimensions;
    }
    return STATUS_OK;
}

static Status input_read(const Headlight__V1__Text *text, size_t index, CodecText *out_input,
                         CodecFault *out_fault)
{
    out_input->text = (TextView){(const char *)text->text.data, text->text.len};
    out_input->has_pair = text->maybe_pair_case == HEADLIGHT__V1__TEXT__MAYBE_PAIR_PAIR;
    if (out_input->has_pair) out_input->pair = (TextView){(const char *)text->pair.data, text->pair.len};
    bool text_long = out_input->text.size > TEXT_BYTES_MAX;
    if (!text_long && out_input->pair.size <= TEXT_BYTES_MAX) return STATUS_OK;
    char field[CODEC_FIELD_BYTES];
    snprintf(field, sizeof field, "inputs[%zu].%s", index, text_long ? "text" : "pair");
    return fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s has more than %u bytes: split the text", field,
                     (unsigned)TEXT_BYTES_MAX);
}

static Status inputs_read(Arena *arena, Headlight__V1__Text *const *texts, size_t count, uint32_t count_max,
                          CodecText **out_inputs, CodecFault *out_fault)
{
    if (count == 0) {
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, "inputs", "inputs is empty: send 1 to %u texts",
                         count_max);
    }
    if (count > count_max) {
        return fault_set(out_fault, STATUS_INVALID_ARGUMENT, "inputs",
                         "%zu inputs, at most %u are taken at once (--max-client-batch-size): send them in parts",
                         count, count_max);
    }
    CodecText *inputs = arena_allocate_zeroed(arena, count, sizeof *inputs);
    if (!inputs)
        return fault_set(out_fault, STATUS_RESOURCE_EXHAUSTED, "inputs", "the request's memory is used up");
    for (size_t i = 0; i < count; i++) {
        Status status = input_read(texts[i], i, &inputs[i], out_fault);
        if (status) return status;
    }
    *out_inputs = inputs;
    return STATUS_OK;
}

/* Writes one fault; `field` may be empty. */
static Status fault_set(CodecFault *out_fault, Status status, const char *field, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(out_fault->field, sizeof out_fault->field, "%s", field);
    return error_set(&out_fault->error, status, "%s", message);
}
