/* The texts of a request: as they came, as the model is to read them, and what was found in them. For rpc/inference*.c
 * only. */
#pragma once

#include "pipeline/sanitize.h"
#include "rpc/inference_state.h"

typedef struct Source {
    TextView
        sent; /* what replies quote, and ranges are of. Malformed bytes, which CLEAN lets pass, are '?' in it */
    TextView text; /* what the model reads: `sent`, unless it was cleaned */
    const OffsetMap *map;
    CodecFindings findings;
    bool changed;
} Source;

/* A text and, where there is one, its pair. Once read, all of it is in the call's arena. */
typedef struct Sources {
    Source text;
    Source pair;
    bool has_pair;
} Sources;

/* What the model reads of both. */
static inline CodecText inference_sources_input(const Sources *sources)
{
    return (CodecText){sources->text.text, sources->pair.text, sources->has_pair};
}

/* What is being found in one text and its pair, before it is known how much that is. Large; the same for all inputs of
 * a call. Zeroed at first. */
typedef struct SourcesDraft {
    Sanitized text;
    Sanitized pair;
    bool text_kept;    /* it was read for an earlier input, whose findings it shares */
    uint64_t spent_ns; /* on all inputs so far */
} SourcesDraft;

/* Reads the input `index` by `options`, for `task` of `pipeline` (NULL: for no model): *out_sources is ready but for
 * the findings, which are in the draft. `shared` is NULL, or has the same text. Loop or worker. Fails as
 * pipeline_sanitize, with what was found in the fault. */
CHECKED Status inference_sources_read(InferenceCall *call, const Pipeline *pipeline, Task task,
                                      const SanitizeOptions *options, const CodecInputs *inputs, uint32_t index,
                                      const Sources *shared, SourcesDraft *draft, Sources *out_sources,
                                      CodecFault *out_fault);
/* Once no more is found: keeps the findings, and refuses the input where the options say so. Fails with
 * INVALID_ARGUMENT (it is refused, and the fault has the findings), RESOURCE_EXHAUSTED. */
CHECKED Status inference_sources_finish(InferenceCall *call, const SanitizeOptions *options,
                                        const CodecInputs *inputs, uint32_t index, SourcesDraft *draft,
                                        Sources *sources, CodecFault *out_fault);
/* Adds what is found after that, where it is no reason to refuse. A worker's thread. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status inference_sources_add(InferenceCall *call, Source *source, const Finding *finding,
                                     Error *out_error);
CodecReport inference_sources_report(const SanitizeOptions *options, const Sources *sources, bool return_cleaned);
