/* The normalizers: what is done to a text before it is split into words. */
#pragma once

#include "tokenizer/bert_normalizer.h"

typedef struct NormalizerList {
    BertNormalizer bert; /* enabled: the only one */
} NormalizerList;

/* Replaces what `out` holds by the normalized text.bytes[range], which is valid UTF-8 and between two added tokens.
 * Fails with NO_MEMORY. */
CHECKED Status normalizer_run(const NormalizerList *normalizers, TextView text, ByteRange range, Normalized *out,
                              Error *out_error);
