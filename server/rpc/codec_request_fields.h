/* What the requests of several methods have in common, field by field; for rpc/codec_*.c only.
 * Each reads one field or refuses it by its name. Any thread. */
#pragma once

#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_request.h"

/* Writes one fault and returns its status; `field` may be empty. */
Status codec_fault_set(CodecFault *out_fault, Status status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The whole message, in `arena`; NULL when *out_fault says why not: fails as codec_unpack. */
const void *codec_field_message(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *wire,
                                size_t size, CodecFault *out_fault);

/* A short name. Fails with INVALID_ARGUMENT (longer than MODEL_NAME_BYTES_MAX, not UTF-8). */
CHECKED Status codec_field_name(ProtobufCBinaryData data, const char *field, TextView *out_name,
                                CodecFault *out_fault);

/* Sorts a list where it lies, each entry once. Returns how many are left. */
uint32_t codec_field_sort(uint32_t *indices, size_t count);

/* NULL is the default: ATTENTION of the pooled row. Lists are sorted where they lie. Fails with INVALID_ARGUMENT (an
 * unknown enum value, a list or a count beyond its limit, what contradicts itself). */
CHECKED Status codec_field_explanation(const Headlight__V1__ExplanationSpec *from, ExplainSpec *out_spec,
                                       CodecFault *out_fault);

/* `options` may be NULL: its defaults. Fails with INVALID_ARGUMENT (an unknown enum value), and as
 * codec_field_explanation. */
CHECKED Status codec_field_options(const Headlight__V1__Options *options, CodecInputs *out_inputs,
                                   CodecFault *out_fault);

/* The sanitizer's fields, which Options and SanitizeRequest both have. */
typedef struct CodecSanitizeFields {
    struct {
        int value;
        const char *field;
    } policy, level;
    size_t enable_count;
    const ProtobufCBinaryData *enable;
    const char *enable_field;
} CodecSanitizeFields;

/* Leaves return_cleaned alone. Fails with INVALID_ARGUMENT (an unknown value, a code that no finding has). */
CHECKED Status codec_field_sanitize(const CodecSanitizeFields *fields, CodecSanitize *out_sanitize,
                                    CodecFault *out_fault);

/* `texts` become out_inputs->texts. Fails with INVALID_ARGUMENT (none, more than `count_max`, one beyond
 * TEXT_BYTES_MAX), RESOURCE_EXHAUSTED (the arena). */
CHECKED Status codec_field_inputs(Arena *arena, Headlight__V1__Text *const *texts, size_t count,
                                  uint32_t count_max, CodecInputs *out_inputs, CodecFault *out_fault);

/* One text, which must be there (NULL: it is not). Fails as codec_field_inputs. */
CHECKED Status codec_field_input(Arena *arena, Headlight__V1__Text *text, CodecInputs *out_inputs,
                                 CodecFault *out_fault);

/* `query` with each of `texts` becomes a pair. Fails as codec_field_inputs; with INVALID_ARGUMENT as well when the
 * query is empty, or passes QUERY_BYTES_MAX as often as it is read. */
CHECKED Status codec_field_pairs(Arena *arena, ProtobufCBinaryData query, const ProtobufCBinaryData *texts,
                                 size_t count, uint32_t count_max, CodecInputs *out_inputs, CodecFault *out_fault);

/* One pair of two texts, neither of which may be empty. Fails as codec_field_inputs. */
CHECKED Status codec_field_question(Arena *arena, ProtobufCBinaryData question, ProtobufCBinaryData context,
                                    CodecInputs *out_inputs, CodecFault *out_fault);

/* A number of results; 0 becomes `absent`. Fails with INVALID_ARGUMENT beyond `max`. */
CHECKED Status codec_field_count(uint32_t value, uint32_t absent, uint32_t max, const char *field,
                                 uint32_t *out_value, CodecFault *out_fault);
