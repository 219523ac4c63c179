/* Letters drawn as a stroke: I, l, an i whose dot is not seen, and the palochka of Caucasian languages. Pure. */
#pragma once

#include "sanitizer/words.h"

/* The capital of Ukrainian and Belarusian. */
enum { UPPER_UKRAINIAN_I = 0x406 };

/* What items[index] of a word, which looks like `mapped` of the word's script (I, UPPER_UKRAINIAN_I or l), is read as
 * behind `before`. */
uint32_t strokes_read(const SanitizeRun *run, const Word *word, uint32_t index, uint32_t mapped, uint32_t before);
