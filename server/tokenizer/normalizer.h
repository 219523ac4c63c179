/* The normalizers: what is done to a text before it is split into words, one after the other. */
#pragma once

#include "tokenizer/bert_normalizer.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/forms.h"
#include "tokenizer/pattern.h"

typedef enum NormalizerKind {
    NORMALIZER_CLEAN,   /* BertNormalizer's clean_text */
    NORMALIZER_CHINESE, /* BertNormalizer's handle_chinese_chars */
    NORMALIZER_STRIP_MN,
    NORMALIZER_LOWERCASE,
    NORMALIZER_FORM,
    NORMALIZER_STRIP_ACCENTS,
    NORMALIZER_STRIP,
    NORMALIZER_NMT,
    NORMALIZER_REPLACE,
    NORMALIZER_PREPEND,
    NORMALIZER_CHARSMAP,
    NORMALIZER_BYTES, /* each byte becomes its character of the byte alphabet */
} NormalizerKind;

typedef struct Normalizer {
    NormalizerKind kind;
    Form form;
    bool left; /* of NORMALIZER_STRIP */
    bool right;
    Pattern *pattern; /* owned */
    char *content;    /* owned; what replaces or is prepended */
    size_t content_size;
    Charsmap *charsmap; /* owned */
} Normalizer;

/* Published files have up to 8. */
enum { NORMALIZER_COUNT_MAX = 32 };

typedef struct NormalizerList {
    BertNormalizer bert; /* enabled: the only one */
    Normalizer items[NORMALIZER_COUNT_MAX];
    uint32_t count;
} NormalizerList;

void normalizer_close(NormalizerList *normalizers);
/* Appends from[begin, end) with `content` in front, which comes from the first character; nothing for an empty one. */
void normalizer_prepend(TextView content, const Normalized *from, uint32_t begin, uint32_t end, Normalized *to);

/* Replaces what `out` holds by the normalized text.bytes[range], which is valid UTF-8 and between two added tokens.
 * `spare` is scratch. Fails with NO_MEMORY, RESOURCE_EXHAUSTED (it grows beyond all measure, or a pattern takes too
 * long). */
CHECKED Status normalizer_run(const NormalizerList *normalizers, TextView text, ByteRange range, Normalized *out,
                              Normalized *spare, Error *out_error);
