/* A text for a person's eyes on a terminal: what cannot be seen is spelled out, what could steer the terminal or turn
 * the line around never reaches it, and what was found or changed is marked. */
#pragma once

#include "diff.h"

#include <stdio.h>

void picture_print_text(FILE *stream, TextView text);
/* Colours, or else the brackets of word diffs: [-removed-]{+added+}, [!found!]. Long parts in which nothing is marked
 * are left out but for what stands next to a mark. */
void picture_print_diff(FILE *stream, TextView before, TextView after, const DiffPiece *pieces, size_t count,
                        bool colours);
/* `ranges` ascend by their begin, may overlap, and lie within the text. */
void picture_print_found(FILE *stream, TextView text, const ByteRange *ranges, size_t count, bool colours);
