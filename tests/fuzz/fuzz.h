/* What a fuzz target defines; libFuzzer or replay.c calls it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Feeds one input to the code under test. Gives 0, or -1 when the input is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
