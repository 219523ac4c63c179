/* The decoders: how the texts of tokens become text again, one after the other. */
#pragma once

#include "tokenizer/pattern.h"

typedef enum DecoderKind {
    DECODER_WORDPIECE,
    DECODER_BYTE_LEVEL,
    DECODER_METASPACE,
    DECODER_BYTE_FALLBACK,
    DECODER_FUSE,
    DECODER_STRIP,
    DECODER_REPLACE,
    DECODER_BPE,
    DECODER_CTC,
} DecoderKind;

typedef struct Decoder {
    DecoderKind kind;
    Pattern *pattern; /* owned */
    char *text;       /* owned; WordPiece's prefix, BPE's suffix, CTC's pad token */
    size_t text_size;
    char *content; /* owned; what Replace puts in place, CTC's word delimiter */
    size_t content_size;
    uint32_t character; /* of Metaspace and Strip */
    uint32_t left;      /* of Strip: at most this many */
    uint32_t right;
    bool cleanup; /* WordPiece, CTC: take the spaces before punctuation and contractions out */
    bool drops;   /* Metaspace: no space where the first token has one */
} Decoder;

enum { DECODER_COUNT_MAX = 32 }; /* published files have up to 5 */

typedef struct DecoderList {
    Decoder items[DECODER_COUNT_MAX];
    uint32_t count;
    bool none; /* not even an empty list: tokens are joined by spaces */
} DecoderList;

void decoder_close(DecoderList *decoders);
