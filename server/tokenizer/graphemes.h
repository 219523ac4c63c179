/* Extended grapheme clusters (Unicode 17.0, UAX #29), as the crate unicode-segmentation cuts them. */
#pragma once

#include "base/text.h"

/* The size of the cluster that starts at `at` in `text`, which is valid UTF-8 and longer. A cluster depends on what is
 * before it only by where it starts. Any thread. */
uint32_t graphemes_size(TextView text, uint32_t at);
