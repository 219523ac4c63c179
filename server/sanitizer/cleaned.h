/* The cleaned text as it grows, with where its bytes came from. */
#pragma once

#include "sanitizer/run.h"

/* malloc's; zeroed is empty. One thread. */
typedef struct Cleaned {
    char *bytes;
    uint32_t capacity;
    OffsetMap map; /* cleaned_size is the size */
} Cleaned;

/* Appends bytes that came from `origin` of the original; `copied`: byte by byte. false: no memory. */
bool cleaned_append(Cleaned *cleaned, const char *bytes, uint32_t size, ByteRange origin, bool copied);
/* Append the working text, or bytes of run->source as they are. */
bool cleaned_append_items(Cleaned *cleaned, const SanitizeRun *run);
bool cleaned_copy(Cleaned *cleaned, const SanitizeRun *run, ByteRange range);
/* Makes its text the arena's; false: it is out. */
bool cleaned_store(Cleaned *cleaned, Arena *arena, TextView *out_text);
void cleaned_close(Cleaned *cleaned);

static inline TextView cleaned_text(const Cleaned *cleaned)
{
    return (TextView){cleaned->bytes, cleaned->map.cleaned_size};
}
