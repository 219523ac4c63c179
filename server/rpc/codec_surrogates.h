/* Surrogates on the wire. For rpc/codec_explain.c only. */
#pragma once

#include "headlight/v1/headlight.pb-c.h"
#include "rpc/codec_explain.h"

/* What all of an explanation take on the wire, at most; a label takes `label_bytes`. */
uint64_t codec_surrogates_wire_bytes(const ExplainCounts *counts, uint64_t label_bytes);
/* What building them takes of the arena, at most. */
uint64_t codec_surrogates_bytes(const ExplainCounts *counts);
/* What one that was found takes on the wire, at most. */
uint64_t codec_surrogate_wire_bytes(const CodecExplanation *from, const ExplainSurrogate *surrogate);
/* Those from `begin` to `end`. False: the arena is out. */
CHECKED bool codec_surrogates_build(Arena *arena, const CodecExplanation *from, uint32_t begin, uint32_t end,
                                    Headlight__V1__Explanation *out);
