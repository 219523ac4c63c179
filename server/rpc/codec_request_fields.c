#include "rpc/codec_request_fields.h"

#include "base/limits.h"
#include "rpc/codec_unpack.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

Status codec_fault_set(CodecFault *out_fault, Status status, const char *field, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(out_fault->field, sizeof out_fault->field, "%s", field);
    return error_set(&out_fault->error, status, "%s", message);
}

const void *codec_field_message(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *wire,
                                size_t size, CodecFault *out_fault)
{
    ProtobufCMessage *message = NULL;
    out_fault->field[0] = '\0';
    out_fault->report = NULL;
    Status status = codec_unpack(descriptor, wire, size, arena, &message, &out_fault->error);
    return status ? NULL : message;
}

/* Names are echoed in error messages, so they must be text, and short. */
Status codec_field_name(ProtobufCBinaryData data, const char *field, TextView *out_name, CodecFault *out_fault)
{
    *out_name = (TextView){(const char *)data.data, data.len};
    if (data.len > MODEL_NAME_BYTES_MAX) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field,
                               "%s has %zu bytes, at most %u make sense", field, data.len,
                               (unsigned)MODEL_NAME_BYTES_MAX);
    }
    size_t position;
    if (!utf8_valid(*out_name, &position)) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s is not UTF-8 from byte %zu on",
                               field, position);
    }
    return STATUS_OK;
}

static Status length_policy_read(Headlight__V1__LengthPolicy policy, PrepareOptions *out_options,
                                 CodecFault *out_fault)
{
    static const LengthPolicy policies[] = {
        [HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO] = LENGTH_AUTO,
        [HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_REFUSE] = LENGTH_REFUSE,
        [HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_RIGHT] = LENGTH_TRUNCATE_RIGHT,
        [HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_LEFT] = LENGTH_TRUNCATE_LEFT,
        [HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_CHUNK] = LENGTH_CHUNK,
    };
    if ((int)policy < 0 || (size_t)policy >= sizeof policies / sizeof policies[0]) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.length_policy",
                               "unknown length policy %d", (int)policy);
    }
    out_options->length_policy = policies[policy];
    return STATUS_OK;
}

/* Who says how to cut and not to cut means something else than either. */
static Status chunking_read(const Headlight__V1__Chunking *chunking, PrepareOptions *out_options,
                            CodecFault *out_fault)
{
    ChunkOptions *options = &out_options->chunking;
    if (out_options->length_policy != LENGTH_AUTO && out_options->length_policy != LENGTH_CHUNK) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.chunking",
                               "options.chunking is of the length policies AUTO and CHUNK: another one was given");
    }
    switch ((int)chunking->aggregate) {
    case HEADLIGHT__V1__CHUNK_AGGREGATE__CHUNK_AGGREGATE_MEAN:
        options->aggregate = CHUNK_MEAN;
        break;
    case HEADLIGHT__V1__CHUNK_AGGREGATE__CHUNK_AGGREGATE_ATTENTION:
        options->aggregate = CHUNK_ATTENTION;
        break;
    default:
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.chunking.aggregate",
                               "unknown aggregate %d", (int)chunking->aggregate);
    }
    options->token_count = chunking->token_count;
    if (chunking->maybe_overlap_case != HEADLIGHT__V1__CHUNKING__MAYBE_OVERLAP_OVERLAP) return STATUS_OK;
    options->overlap = chunking->overlap;
    uint32_t size = options->token_count ? options->token_count : MODEL_POSITION_COUNT_MAX;
    if (options->overlap < size) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.chunking.overlap",
                           "an overlap of %u tokens takes whole chunks of %u", options->overlap, size);
}

/* In the order of both enums: SERVER_DEFAULT is first, and the sanitizer has none. */
Status codec_field_sanitize(const CodecSanitizeFields *fields, CodecSanitize *out_sanitize, CodecFault *out_fault)
{
    static_assert(HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_REJECT == SANITIZE_REJECT + 1, "the same order");
    static_assert(HEADLIGHT__V1__SANITIZE_LEVEL__SANITIZE_LEVEL_STRICT == SANITIZE_STRICT + 1, "the same order");
    if (fields->policy.value < 0 || fields->policy.value > SANITIZE_REJECT + 1) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, fields->policy.field,
                               "unknown sanitize policy %d", fields->policy.value);
    }
    if (fields->level.value < 0 || fields->level.value > SANITIZE_STRICT + 1) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, fields->level.field,
                               "unknown sanitize level %d", fields->level.value);
    }
    out_sanitize->policy_given = fields->policy.value > 0;
    out_sanitize->level_given = fields->level.value > 0;
    if (out_sanitize->policy_given) out_sanitize->options.policy = (SanitizePolicy)(fields->policy.value - 1);
    if (out_sanitize->level_given) out_sanitize->options.level = (SanitizeLevel)(fields->level.value - 1);
    for (size_t i = 0; i < fields->enable_count; i++) {
        TextView code;
        SanitizeRule rule;
        Status status = codec_field_name(fields->enable[i], fields->enable_field, &code, out_fault);
        if (status) return status;
        if (!rules_find(code, &rule)) {
            char codes[RULES_OPTIONAL_BYTES_MAX];
            return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, fields->enable_field,
                                   "no finding has the code '%.*s'; %s can be enabled", (int)code.size, code.bytes,
                                   rules_list_optional(codes));
        }
        out_sanitize->options.enabled |= (uint64_t)1 << rule;
    }
    return STATUS_OK;
}

static int index_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

uint32_t codec_field_sort(uint32_t *indices, size_t count)
{
    if (count == 0) return 0;
    qsort(indices, count, sizeof *indices, index_compare);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (indices[i] != indices[kept - 1]) indices[kept++] = indices[i];
    }
    return (uint32_t)kept;
}

static Status global_tokens_read(const Headlight__V1__Options *options, PrepareOptions *out_prepare,
                                 CodecFault *out_fault)
{
    uint32_t *positions = options->global_token_indices;
    size_t count = options->n_global_token_indices;
    if (count == 0) return STATUS_OK;
    if (count > GLOBAL_TOKEN_COUNT_MAX) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.global_token_indices",
                               "%zu global_token_indices, at most %u tokens can be global", count,
                               GLOBAL_TOKEN_COUNT_MAX);
    }
    out_prepare->global_positions = positions;
    out_prepare->global_count = codec_field_sort(positions, count);
    return STATUS_OK;
}

Status codec_field_options(const Headlight__V1__Options *options, CodecInputs *out_inputs, CodecFault *out_fault)
{
    PrepareOptions *prepare = &out_inputs->prepare;
    prepare->length_policy = LENGTH_AUTO;
    prepare->chunking = (ChunkOptions){.overlap = CHUNK_OVERLAP_DEFAULT};
    if (!options) return STATUS_OK;
    Status status = length_policy_read(options->length_policy, prepare, out_fault);
    if (!status && options->chunking) status = chunking_read(options->chunking, prepare, out_fault);
    if (status) return status;
    const CodecSanitizeFields fields = {
        .policy = {(int)options->sanitize, "options.sanitize"},
        .level = {(int)options->sanitize_level, "options.sanitize_level"},
        .enable_count = options->n_sanitize_enable,
        .enable = options->sanitize_enable,
        .enable_field = "options.sanitize_enable",
    };
    out_inputs->sanitize.return_cleaned = options->return_cleaned_text;
    status = codec_field_sanitize(&fields, &out_inputs->sanitize, out_fault);
    if (status) return status;
    if (options->explanation) {
        out_inputs->explains = true;
        status = codec_field_explanation(options->explanation, &out_inputs->explain, out_fault);
        if (status) return status;
    }
    if (options->vote_count > VOTE_COUNT_MAX) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "options.vote_count",
                               "%u votes asked for, at most %u are taken", options->vote_count, VOTE_COUNT_MAX);
    }
    out_inputs->vote_count = options->vote_count;
    return global_tokens_read(options, &out_inputs->prepare, out_fault);
}

/* ---- Texts ---- */

/* The field of the text at `index`, or of its pair: "inputs[3].pair". */
static void text_field(CodecShape shape, uint32_t index, bool of_pair, char out_field[CODEC_FIELD_BYTES])
{
    switch (shape) {
    case CODEC_SHAPE_INPUTS:
        snprintf(out_field, CODEC_FIELD_BYTES, "inputs[%u].%s", index, of_pair ? "pair" : "text");
        break;
    case CODEC_SHAPE_INPUT:
        snprintf(out_field, CODEC_FIELD_BYTES, "input.%s", of_pair ? "pair" : "text");
        break;
    case CODEC_SHAPE_PAIRS:
        if (of_pair)
            snprintf(out_field, CODEC_FIELD_BYTES, "texts[%u]", index);
        else
            snprintf(out_field, CODEC_FIELD_BYTES, "query");
        break;
    case CODEC_SHAPE_QUESTION:
        snprintf(out_field, CODEC_FIELD_BYTES, "%s", of_pair ? "context" : "question");
        break;
    }
}

Status codec_request_fault(const CodecInputs *inputs, uint32_t index, bool of_pair, CodecFault *fault)
{
    text_field(inputs->shape, index, of_pair, fault->field);
    return error_prefix(&fault->error, "%.*s", (int)strcspn(fault->field, "."), fault->field);
}

uint64_t codec_request_text_bytes(const CodecInputs *inputs)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < inputs->count; i++) bytes += inputs->texts[i].text.size + inputs->texts[i].pair.size;
    return bytes;
}

static TextView view_of(ProtobufCBinaryData data)
{
    return (TextView){(const char *)data.data, data.len};
}

/* `list` is the field of a list of `count` texts. */
static Status texts_allocate(Arena *arena, const char *list, size_t count, uint32_t count_max,
                             CodecInputs *out_inputs, CodecFault *out_fault)
{
    if (count == 0) {
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, list, "%s is empty: send 1 to %u texts", list,
                               count_max);
    }
    if (count > count_max) {
        return codec_fault_set(
            out_fault, STATUS_INVALID_ARGUMENT, list,
            "%zu %s, at most %u are taken at once (--max-client-batch-size): send them in parts", count, list,
            count_max);
    }
    out_inputs->texts = arena_allocate_zeroed(arena, count, sizeof *out_inputs->texts);
    if (!out_inputs->texts) {
        return codec_fault_set(out_fault, STATUS_RESOURCE_EXHAUSTED, list, "the request's memory is used up");
    }
    out_inputs->count = (uint32_t)count;
    return STATUS_OK;
}

static Status text_check(const CodecInputs *inputs, uint32_t index, CodecFault *out_fault)
{
    const CodecText *input = &inputs->texts[index];
    bool text_long = input->text.size > TEXT_BYTES_MAX;
    if (!text_long && input->pair.size <= TEXT_BYTES_MAX) return STATUS_OK;
    char field[CODEC_FIELD_BYTES];
    text_field(inputs->shape, index, !text_long, field);
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s has more than %u bytes: split the text",
                           field, (unsigned)TEXT_BYTES_MAX);
}

static Status text_read(const Headlight__V1__Text *text, uint32_t index, CodecInputs *inputs,
                        CodecFault *out_fault)
{
    CodecText *input = &inputs->texts[index];
    input->text = view_of(text->text);
    input->has_pair = text->maybe_pair_case == HEADLIGHT__V1__TEXT__MAYBE_PAIR_PAIR;
    if (input->has_pair) input->pair = view_of(text->pair);
    return text_check(inputs, index, out_fault);
}

Status codec_field_inputs(Arena *arena, Headlight__V1__Text *const *texts, size_t count, uint32_t count_max,
                          CodecInputs *out_inputs, CodecFault *out_fault)
{
    out_inputs->shape = CODEC_SHAPE_INPUTS;
    Status status = texts_allocate(arena, "inputs", count, count_max, out_inputs, out_fault);
    for (uint32_t i = 0; i < count && !status; i++) status = text_read(texts[i], i, out_inputs, out_fault);
    return status;
}

Status codec_field_input(Arena *arena, Headlight__V1__Text *text, CodecInputs *out_inputs, CodecFault *out_fault)
{
    out_inputs->shape = CODEC_SHAPE_INPUT;
    if (!text)
        return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "input", "input is missing: send a text");
    Status status = texts_allocate(arena, "input", 1, 1, out_inputs, out_fault);
    return status ? status : text_read(text, 0, out_inputs, out_fault);
}

/* A text that must be there: in proto3 its absence and its emptiness are the same. */
static Status text_required(ProtobufCBinaryData data, const char *field, CodecFault *out_fault)
{
    if (data.len) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s is empty", field);
}

Status codec_field_pairs(Arena *arena, ProtobufCBinaryData query, const ProtobufCBinaryData *texts, size_t count,
                         uint32_t count_max, CodecInputs *out_inputs, CodecFault *out_fault)
{
    out_inputs->shape = CODEC_SHAPE_PAIRS;
    Status status = text_required(query, "query", out_fault);
    if (!status) status = texts_allocate(arena, "texts", count, count_max, out_inputs, out_fault);
    for (uint32_t i = 0; i < count && !status; i++) {
        out_inputs->texts[i] = (CodecText){.text = view_of(query), .pair = view_of(texts[i]), .has_pair = true};
        status = text_check(out_inputs, i, out_fault);
    }
    if (status) return status;
    uint64_t bytes = (uint64_t)query.len * count;
    if (bytes <= QUERY_BYTES_MAX) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, "query",
                           "the query of %zu bytes, read again with each of %zu texts, makes %llu bytes, at most "
                           "%llu are read: shorten the query or send fewer texts",
                           query.len, count, (unsigned long long)bytes, (unsigned long long)QUERY_BYTES_MAX);
}

Status codec_field_question(Arena *arena, ProtobufCBinaryData question, ProtobufCBinaryData context,
                            CodecInputs *out_inputs, CodecFault *out_fault)
{
    out_inputs->shape = CODEC_SHAPE_QUESTION;
    Status status = text_required(question, "question", out_fault);
    if (!status) status = text_required(context, "context", out_fault);
    if (!status) status = texts_allocate(arena, "context", 1, 1, out_inputs, out_fault);
    if (status) return status;
    out_inputs->texts[0] = (CodecText){.text = view_of(question), .pair = view_of(context), .has_pair = true};
    return text_check(out_inputs, 0, out_fault);
}

Status codec_field_count(uint32_t value, uint32_t absent, uint32_t max, const char *field, uint32_t *out_value,
                         CodecFault *out_fault)
{
    *out_value = value ? value : absent;
    if (value <= max) return STATUS_OK;
    return codec_fault_set(out_fault, STATUS_INVALID_ARGUMENT, field, "%s is %u, at most %u are given", field,
                           value, max);
}
