/* How `headlight embed` shows its results: vectors as they come, or the similarities of all texts at the end. */
#pragma once

#include "base/text.h"
#include "command.h"

#include <headlight/v1/headlight.pb-c.h>

typedef struct EmbedPrint EmbedPrint;

/* Similarities need all vectors at once. */
enum { EMBED_SIMILARITY_TEXTS_MAX = 2048 };

/* `settings` outlive it; `chunks`: those of a text are shown with it. On success the caller owns *out_print
 * (embed_print_close). Fails with NO_MEMORY. */
CHECKED Status embed_print_open(const Settings *settings, bool similarity, bool chunks, EmbedPrint **out_print,
                                Error *out_error);
void embed_print_close(EmbedPrint *print); /* NULL is a no-op */
/* Takes the next text's vector; `text` is shown with it unless its bytes are NULL. Fails with RESOURCE_EXHAUSTED
 * (too many texts to compare), CORRUPT (an empty vector, or sizes or counts that differ), NO_MEMORY. */
CHECKED Status embed_print_add(EmbedPrint *print, TextView model, const Headlight__V1__Embedding *embedding,
                               TextView text, Error *out_error);
/* Ends the document, or prints the similarities. */
void embed_print_finish(EmbedPrint *print);
