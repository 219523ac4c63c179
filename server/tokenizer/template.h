/* What the post-processor puts around and between the texts. BertProcessing, TemplateProcessing and none at all
 * are the same: a list of pieces for one text and one for a pair. */
#pragma once

#include "base/status.h"

#include <stdint.h>

typedef enum TemplatePieceKind { TEMPLATE_TEXT, TEMPLATE_PAIR, TEMPLATE_TOKEN } TemplatePieceKind;

typedef struct TemplatePiece {
    TemplatePieceKind kind;
    uint8_t type_id;
    uint32_t id; /* of a TEMPLATE_TOKEN */
} TemplatePiece;

/* A published template has 3 to 6 pieces; a token that stands for several ids counts as several. */
enum { TEMPLATE_PIECES_MAX = 64 };

typedef struct Template {
    TemplatePiece pieces[TEMPLATE_PIECES_MAX];
    uint32_t piece_count;
    uint32_t added_count; /* pieces that are tokens */
} Template;

/* What ByteLevel and RobertaProcessing do to offsets: they leave out the white space at a token's edges. */
typedef struct OffsetTrim {
    bool enabled;
    bool keeps_prefix; /* one space at the start of the text may be one that ByteLevel put there */
} OffsetTrim;

/* Adds a piece; false: no room. */
static inline bool template_add(Template *template, TemplatePiece piece)
{
    if (template->piece_count == TEMPLATE_PIECES_MAX) return false;
    template->pieces[template->piece_count++] = piece;
    template->added_count += piece.kind == TEMPLATE_TOKEN;
    return true;
}
