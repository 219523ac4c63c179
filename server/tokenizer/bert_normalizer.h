/* BertNormalizer when it is the only normalizer, as it is for nearly all WordPiece tokenizers: its four passes in one
 * walk. In the company of others its passes are normalizers of their own. */
#pragma once

#include "tokenizer/normalized.h"

typedef struct BertNormalizer {
    bool enabled;
    bool clean_text;
    bool handle_chinese_chars;
    bool strip_accents;
    bool lowercase;
    unsigned char ascii[128]; /* what becomes of each; BERT_DROPPED: nothing */
} BertNormalizer;

enum { BERT_DROPPED = 0xFF };

/* Fills `ascii` from the flags. */
void bert_normalizer_prepare(BertNormalizer *normalizer);

/* Replaces what `out` holds by text.bytes[range], which is valid UTF-8 and normalized on its own, as the library does
 * with what is between two added tokens. Out of memory: out->failed. */
void bert_normalizer_run(const BertNormalizer *normalizer, TextView text, ByteRange range, Normalized *out);
