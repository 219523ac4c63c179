/* Where each byte of a cleaned text came from. */
#pragma once

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>

/* Cleaned bytes from `cleaned_begin` to where the next span begins. What is copied maps byte by byte; all of what
 * something else became maps to the whole of it. */
typedef struct OffsetSpan {
    uint32_t cleaned_begin;
    uint32_t copied; /* 1: byte by byte */
    ByteRange original;
} OffsetSpan;

/* Immutable once built. A value; its spans are an arena's. */
typedef struct OffsetMap {
    OffsetSpan *spans;
    uint32_t span_count;
    uint32_t span_capacity;
    uint32_t cleaned_size;
    uint32_t original_size;
    bool reordered; /* spans do not rise in the original */
} OffsetMap;

/* The original bytes of a range of the cleaned text: the smallest range that holds all of them. An empty range maps to
 * where its position came from. `map` NULL: the same range. */
ByteRange sanitizer_original_range(const OffsetMap *map, ByteRange cleaned);
/* The cleaned bytes that came from any of `original`; empty where they would stand when all were dropped. */
ByteRange sanitizer_cleaned_range(const OffsetMap *map, ByteRange original);
/* Appends `size` cleaned bytes that came from `original`; bytes that are copied join the span before them. Equal sizes
 * and `copied` mean byte by byte. false: the arena is out. */
bool offset_map_append(OffsetMap *map, Arena *arena, uint32_t size, ByteRange original, bool copied);
