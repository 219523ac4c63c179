/* The parts of decoders that look at bytes. */
#pragma once

#include "tokenizer/texts.h"

/* Writes `text` with `to` wherever `from` stands, from left to right; an empty one stands at every border of two
 * characters and at both ends. */
void decode_replace(TextView text, TextView from, TextView to, Texts *out);
/* Takes the spaces before punctuation and contractions out of what was written since `begin`. */
void decode_cleanup(Texts *texts, size_t begin);
/* Writes `bytes` with U+FFFD for each maximal part that is not UTF-8. */
void decode_lossy(TextView bytes, Texts *out);
/* Makes text of runs of tokens like <0x61>; each token of a run that is not UTF-8 becomes U+FFFD. */
void decode_byte_fallback(const Texts *from, Texts *to);
