/* The fast path: which lines have anything that a family may look at. Lines end behind their line feed; longer ones are
 * cut into pieces, at a blank where there is one, so that what works on a line has a bound. */
#pragma once

#include "sanitizer/run.h"

/* Whether all of `text` is printable ASCII, tabs and ends of lines, in which nothing that is on finds anything: at some
 * bytes a cycle. */
bool scan_is_plain(TextView text);
/* Counts run->letters of run->source, which is valid UTF-8, and notes which lines may be suspect. */
void scan_text(SanitizeRun *run);
/* What run->letters say. */
TextScripts scan_scripts(const SanitizeRun *run);
/* The next suspect line after those that were given since scan_text; empty at the text's end: none. */
ByteRange scan_next(SanitizeRun *run);
