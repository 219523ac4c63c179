/* What the sanitizer found, as replies and refusals tell it. */
#pragma once

#include "rpc/call.h"
#include "sanitizer/sanitizer.h"

typedef struct CodecTotal {
    SanitizeRule rule;
    uint32_t count;
} CodecTotal;

/* The findings of one text, no larger than there are. */
typedef struct CodecFindings {
    const Finding *items;     /* [count] */
    const CodecTotal *totals; /* [total_count] */
    uint32_t count;
    uint32_t total_count;
} CodecFindings;

/* Of a text or a pair; what it points at lives until it is packed. */
typedef struct CodecReport {
    SanitizePolicy policy; /* OFF: nothing else is told */
    SanitizeLevel level;
    bool changed;
    bool has_cleaned;
    bool has_pair;
    CodecFindings text;
    CodecFindings pair;
    TextView cleaned_text;
    TextView cleaned_pair;
} CodecReport;

/* What codec_report_build takes from the arena, at most, for `count` reports with `part_count` findings and totals
 * together. */
uint64_t codec_report_bytes(uint64_t count, uint64_t part_count);
/* What a refusal tells: without cleaned texts, and of the findings as many as CODEC_REFUSAL_BYTES_MAX take, the gravest
 * first. Below what clients accept of metadata, together with what else is in it. */
enum { CODEC_REFUSAL_BYTES_MAX = RPC_DETAIL_BYTES_MAX };
extern const char codec_refusal_type[]; /* its URL in an Any */
/* Packs it into `buffer` and returns its size; 0 when `arena` is out. */
size_t codec_refusal_pack(Arena *arena, const CodecReport *report, uint8_t buffer[CODEC_REFUSAL_BYTES_MAX]);
