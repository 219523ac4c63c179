#include "rpc/codec_surrogates.h"

#include "rpc/codec_reply_parts.h"

#include <assert.h>
#include <stdio.h>

enum {
    CONDITION_BYTES = 16, /* "text contains ''" */
    SURROGATE_BYTES = 7 * CODEC_HEADER_BYTES_MAX,
    /* A name and its segment, a condition, a weight. */
    FEATURE_BYTES = 2 * CODEC_HEADER_BYTES_MAX + 1 + CONDITION_BYTES + (CODEC_FLOAT_BYTES - 1),
    NODE_BYTES =
        CONDITION_BYTES + 5 + 11 + 11 + CODEC_FLOAT_BYTES + CODEC_NUMBER_BYTES_MAX + 2 * CODEC_HEADER_BYTES_MAX,
};

uint64_t codec_surrogates_wire_bytes(const ExplainCounts *counts, uint64_t label_bytes)
{
    return counts->surrogate_count * (SURROGATE_BYTES + label_bytes) + counts->feature_bytes +
           counts->feature_count * (uint64_t)FEATURE_BYTES + counts->node_count * (uint64_t)NODE_BYTES;
}

uint64_t codec_surrogates_bytes(const ExplainCounts *counts)
{
    enum {
        LISTS = 5, /* of a surrogate */
        SURROGATE = sizeof(Headlight__V1__Surrogate) + LISTS * CODEC_ROUNDING_BYTES,
        FEATURE = 2 * sizeof(ProtobufCBinaryData) + sizeof(uint32_t) + CONDITION_BYTES + CODEC_ROUNDING_BYTES,
        NODE = sizeof(Headlight__V1__RuleNode) + CONDITION_BYTES + CODEC_ROUNDING_BYTES
    };
    return codec_parts_bytes(1, 0, counts->surrogate_count, SURROGATE) +
           codec_parts_bytes(1, 0, counts->feature_count, FEATURE) +
           codec_parts_bytes(1, 0, counts->node_count, NODE) + CODEC_CHUNK_FACTOR * counts->feature_bytes;
}

/* A word, as the model reads it. */
static TextView word_text(const CodecExplanation *from, uint32_t word)
{
    assert(word < from->result->word_count);
    const ExplainWord *at = &from->result->words[word];
    TextView text = at->segment == 1 ? from->read_pair : from->read_text;
    ByteRange range = codec_range_widen(text, at->range);
    return (TextView){text.bytes + range.begin, range.end - range.begin};
}

/* "contains 'dull'"; of a pair, which of the texts. */
static bool condition_build(Arena *arena, const CodecExplanation *from, uint32_t word, ProtobufCBinaryData *out)
{
    const char *which = !from->result->of_pair ? "" : from->result->words[word].segment == 1 ? "pair " : "text ";
    TextView text = word_text(from, word);
    char *bytes = arena_allocate(arena, text.size + CONDITION_BYTES + 1);
    if (!bytes) return false;
    size_t size = (size_t)snprintf(bytes, CONDITION_BYTES + 1, "%scontains '", which);
    memcpy(bytes + size, text.bytes, text.size);
    size += text.size;
    bytes[size++] = '\'';
    *out = (ProtobufCBinaryData){size, (uint8_t *)bytes};
    return true;
}

static bool nodes_build(Arena *arena, const CodecExplanation *from, const ExplainSurrogate *surrogate,
                        Headlight__V1__Surrogate *out)
{
    char *storage = NULL;
    void **list = codec_list_allocate(arena, surrogate->node_count, sizeof(Headlight__V1__RuleNode), &storage);
    if (!list) return false;
    out->n_nodes = surrogate->node_count;
    out->nodes = (Headlight__V1__RuleNode **)list;
    for (uint32_t i = 0; i < surrogate->node_count; i++) {
        const ExplainNode *node = &surrogate->nodes[i];
        headlight__v1__rule_node__init(out->nodes[i]);
        out->nodes[i]->if_true = node->if_true;
        out->nodes[i]->if_false = node->if_false;
        out->nodes[i]->value = node->value;
        out->nodes[i]->sample_count = node->sample_count;
        if (node->feature < 0) continue;
        if (!condition_build(arena, from, (uint32_t)node->feature, &out->nodes[i]->condition)) return false;
    }
    return true;
}

static bool segments_build(Arena *arena, const CodecExplanation *from, const ExplainSurrogate *surrogate,
                           Headlight__V1__Surrogate *out)
{
    uint32_t count = surrogate->feature_count;
    if (!from->result->of_pair) return true;
    out->segments = arena_allocate(arena, count * sizeof *out->segments);
    if (!out->segments) return false;
    out->n_segments = count;
    for (uint32_t i = 0; i < count; i++) out->segments[i] = from->result->words[surrogate->features[i]].segment;
    return true;
}

static bool features_build(Arena *arena, const CodecExplanation *from, const ExplainSurrogate *surrogate,
                           Headlight__V1__Surrogate *out)
{
    uint32_t count = surrogate->feature_count;
    out->features = arena_allocate(arena, count * sizeof *out->features);
    if (!out->features) return false;
    out->n_features = count;
    for (uint32_t i = 0; i < count; i++) out->features[i] = codec_data_of(word_text(from, surrogate->features[i]));
    if (surrogate->weights) {
        out->n_weights = count;
        out->weights = (float *)surrogate->weights;
    }
    if (surrogate->method != EXPLAIN_ANCHOR_RULE) return true;
    out->rule = arena_allocate(arena, count * sizeof *out->rule);
    if (!out->rule) return false;
    out->n_rule = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!condition_build(arena, from, surrogate->features[i], &out->rule[i])) return false;
    }
    return true;
}

uint64_t codec_surrogate_wire_bytes(const CodecExplanation *from, const ExplainSurrogate *surrogate)
{
    uint64_t bytes = SURROGATE_BYTES + from->result->target_label.size;
    for (uint32_t i = 0; i < surrogate->feature_count; i++) {
        bytes += 2 * word_text(from, surrogate->features[i]).size + FEATURE_BYTES;
    }
    for (uint32_t i = 0; i < surrogate->node_count; i++) {
        int32_t feature = surrogate->nodes[i].feature;
        bytes += NODE_BYTES + (feature < 0 ? 0 : word_text(from, (uint32_t)feature).size);
    }
    return bytes;
}

bool codec_surrogates_build(Arena *arena, const CodecExplanation *from, uint32_t begin, uint32_t end,
                            Headlight__V1__Explanation *out)
{
    char *storage = NULL;
    uint32_t count = end - begin;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__Surrogate), &storage);
    if (!list) return false;
    out->n_surrogates = count;
    out->surrogates = (Headlight__V1__Surrogate **)list;
    for (uint32_t i = 0; i < count; i++) {
        const ExplainSurrogate *surrogate = &from->result->surrogates[begin + i];
        headlight__v1__surrogate__init(out->surrogates[i]);
        out->surrogates[i]->method = (Headlight__V1__ExplanationMethod)surrogate->method;
        out->surrogates[i]->target_label = codec_data_of(from->result->target_label);
        out->surrogates[i]->fidelity = surrogate->fidelity;
        out->surrogates[i]->coverage = surrogate->coverage;
        out->surrogates[i]->sample_count = surrogate->sample_count;
        if (!features_build(arena, from, surrogate, out->surrogates[i])) return false;
        if (!segments_build(arena, from, surrogate, out->surrogates[i])) return false;
        if (!nodes_build(arena, from, surrogate, out->surrogates[i])) return false;
    }
    return true;
}
