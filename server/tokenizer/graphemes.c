/* The rules GB3 to GB13 as a walk forward from the start of a cluster. */
#include "tokenizer/graphemes.h"

#include "unicode/property.h"
#include "unicode/utf8.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Beside ICU's classes: those of rule GB9c. */
enum { GRAPHEME_CONSONANT = UNICODE_GRAPHEME_PICTOGRAPHIC + 1, GRAPHEME_LINKER };

enum { ZERO_WIDTH_NON_JOINER = 0x200C };

typedef struct GraphemeRange {
    uint32_t first;
    uint32_t last;
    int class;
} GraphemeRange;

/* Ascending. */
static const GraphemeRange RANGES[] = {
#define GRAPHEME(first, last, class) {first, last, class},
#include "tokenizer/graphemes.def"
};

static int graphemes_ask(uint32_t code_point)
{
    size_t low = 0, high = sizeof RANGES / sizeof RANGES[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (RANGES[middle].last < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    bool listed = low < sizeof RANGES / sizeof RANGES[0] && RANGES[low].first <= code_point;
    return listed ? RANGES[low].class : (int)unicode_grapheme(code_point);
}

static int graphemes_class(uint32_t code_point)
{
    /* As in characters_flags: all threads write the same. 0: not asked yet. */
    static _Atomic uint8_t cache[0x110000];
    uint8_t kept = atomic_load_explicit(&cache[code_point], memory_order_relaxed);
    if (kept) return kept - 1;
    int class = graphemes_ask(code_point);
    atomic_store_explicit(&cache[code_point], (uint8_t)(class + 1), memory_order_relaxed);
    return class;
}

/* What the rules that look further back need to know of the cluster so far. */
typedef struct GraphemeState {
    int last;
    bool picture;   /* GB11: Extended_Pictographic Extend*, */
    bool joined;    /* and then a joiner */
    bool consonant; /* GB9c: a consonant, linkers and extenders, */
    bool linked;    /* a linker among them */
    bool odd;       /* GB12: an odd number of regional indicators */
} GraphemeState;

static bool graphemes_breaks_control(int class)
{
    return class == UNICODE_GRAPHEME_CONTROL || class == UNICODE_GRAPHEME_CR || class == UNICODE_GRAPHEME_LF;
}

static bool graphemes_hangul(int before, int after)
{
    switch (before) {
    case UNICODE_GRAPHEME_L:
        return after == UNICODE_GRAPHEME_L || after == UNICODE_GRAPHEME_V || after == UNICODE_GRAPHEME_LV ||
               after == UNICODE_GRAPHEME_LVT;
    case UNICODE_GRAPHEME_LV:
    case UNICODE_GRAPHEME_V:
        return after == UNICODE_GRAPHEME_V || after == UNICODE_GRAPHEME_T;
    case UNICODE_GRAPHEME_LVT:
    case UNICODE_GRAPHEME_T:
        return after == UNICODE_GRAPHEME_T;
    default:
        return false;
    }
}

static bool graphemes_joins(const GraphemeState *state, int after)
{
    int before = state->last;
    if (before == UNICODE_GRAPHEME_CR && after == UNICODE_GRAPHEME_LF) return true;
    if (graphemes_breaks_control(before) || graphemes_breaks_control(after)) return false;
    if (graphemes_hangul(before, after)) return true;
    switch (after) {
    case UNICODE_GRAPHEME_EXTEND:
    case UNICODE_GRAPHEME_ZWJ:
    case UNICODE_GRAPHEME_SPACING_MARK:
    case GRAPHEME_LINKER:
        return true;
    default:
        break;
    }
    if (before == UNICODE_GRAPHEME_PREPEND) return true;
    if (after == GRAPHEME_CONSONANT) return state->consonant && state->linked;
    if (after == UNICODE_GRAPHEME_PICTOGRAPHIC) return state->joined;
    return after == UNICODE_GRAPHEME_REGIONAL_INDICATOR && state->odd;
}

static void graphemes_step(GraphemeState *state, uint32_t code_point, int class)
{
    bool extends = class == UNICODE_GRAPHEME_EXTEND || class == GRAPHEME_LINKER;
    state->joined = class == UNICODE_GRAPHEME_ZWJ && state->picture;
    state->picture = class == UNICODE_GRAPHEME_PICTOGRAPHIC || (state->picture && extends);
    if (class == GRAPHEME_CONSONANT) {
        state->consonant = true;
        state->linked = false;
    } else if (class == GRAPHEME_LINKER) {
        state->linked = true;
    } else if (code_point == ZERO_WIDTH_NON_JOINER || !(extends || class == UNICODE_GRAPHEME_ZWJ)) {
        state->consonant = false;
    }
    state->odd = class == UNICODE_GRAPHEME_REGIONAL_INDICATOR && !state->odd;
    state->last = class;
}

uint32_t graphemes_size(TextView text, uint32_t at)
{
    GraphemeState state = {0};
    uint32_t code_point, end = at + (uint32_t)utf8_decode(text.bytes + at, &code_point);
    graphemes_step(&state, code_point, graphemes_class(code_point));
    while (end < text.size) {
        uint32_t size = (uint32_t)utf8_decode(text.bytes + end, &code_point);
        int class = graphemes_class(code_point);
        if (!graphemes_joins(&state, class)) break;
        graphemes_step(&state, code_point, class);
        end += size;
    }
    return end - at;
}
