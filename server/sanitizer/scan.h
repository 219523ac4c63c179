/* The fast path: which lines have anything that a family may look at. */
#pragma once

#include "sanitizer/run.h"

/* A line that is worked on, in a list. */
typedef struct SuspectLine {
    ByteRange range;  /* its line feed included */
    unsigned scripts; /* all bits, or where nothing but whole words is suspect: theirs */
    struct SuspectLine *next;
} SuspectLine;

/* The suspect lines of run->text, which is valid UTF-8, in order, in `arena`; counts run->letters. */
CHECKED bool scan_text(SanitizeRun *run, Arena *arena, SuspectLine **out_lines);
