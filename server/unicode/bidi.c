#include "unicode/bidi.h"

#include <assert.h>
#include <stdlib.h>
#include <unicode/ubidi.h>
#include <unicode/uchar.h>
#include <unicode/utf16.h>

struct UnicodeBidi {
    UBiDi *levels;
    UChar *units;      /* [capacity] */
    int32_t *order;    /* [capacity]: units as they are seen */
    uint32_t *indices; /* [capacity]: the code point of each unit */
    uint32_t capacity;
};

UnicodeBidi *unicode_bidi_open(void)
{
    UnicodeBidi *bidi = calloc(1, sizeof *bidi);
    if (bidi) bidi->levels = ubidi_open();
    if (bidi && !bidi->levels) {
        unicode_bidi_close(bidi);
        return NULL;
    }
    return bidi;
}

void unicode_bidi_close(UnicodeBidi *bidi)
{
    if (!bidi) return;
    if (bidi->levels) ubidi_close(bidi->levels);
    free(bidi->units);
    free(bidi->order);
    free(bidi->indices);
    free(bidi);
}

static bool unicode_bidi_reserve(UnicodeBidi *bidi, uint32_t capacity)
{
    if (capacity <= bidi->capacity) return true;
    capacity += capacity / 2;
    free(bidi->units);
    free(bidi->order);
    free(bidi->indices);
    bidi->units = malloc(capacity * sizeof *bidi->units);
    bidi->order = malloc(capacity * sizeof *bidi->order);
    bidi->indices = malloc(capacity * sizeof *bidi->indices);
    bidi->capacity = bidi->units && bidi->order && bidi->indices ? capacity : 0;
    return bidi->capacity != 0;
}

/* Higher levels are ICU's: putting levels into order takes time for each. */
enum { SIMPLE_LEVEL_MAX = 16 };

/* A directional status of UAX 9's stack (X1). */
typedef struct BidiStatus {
    uint8_t level;
    bool overrides;
    bool isolates;
} BidiStatus;

typedef struct BidiStack {
    BidiStatus statuses[UBIDI_MAX_EXPLICIT_LEVEL + 2];
    uint32_t depth;
    uint32_t isolates; /* valid ones */
    uint32_t overflow_isolates;
    uint32_t overflow_embeddings;
} BidiStack;

/* X2 to X5c. An FSI's level is not known here, and the next odd one serves: only the depth counts. */
static void bidi_open(BidiStack *stack, UCharDirection kind)
{
    BidiStatus last = stack->statuses[stack->depth];
    bool isolates = kind >= U_FIRST_STRONG_ISOLATE && kind <= U_RIGHT_TO_LEFT_ISOLATE;
    bool to_left = kind == U_RIGHT_TO_LEFT_EMBEDDING || kind == U_RIGHT_TO_LEFT_OVERRIDE ||
                   kind == U_RIGHT_TO_LEFT_ISOLATE || kind == U_FIRST_STRONG_ISOLATE;
    unsigned level = to_left ? (last.level + 1u) | 1u : (last.level + 2u) & ~1u;
    if (level > UBIDI_MAX_EXPLICIT_LEVEL || stack->overflow_isolates || stack->overflow_embeddings) {
        if (isolates)
            stack->overflow_isolates++;
        else if (!stack->overflow_isolates)
            stack->overflow_embeddings++;
        return;
    }
    bool overrides = kind == U_LEFT_TO_RIGHT_OVERRIDE || kind == U_RIGHT_TO_LEFT_OVERRIDE;
    stack->isolates += isolates;
    stack->statuses[++stack->depth] = (BidiStatus){(uint8_t)level, overrides, isolates};
}

/* X6a and X7. */
static void bidi_close(BidiStack *stack, UCharDirection kind)
{
    if (kind == U_POP_DIRECTIONAL_ISOLATE) {
        if (stack->overflow_isolates) {
            stack->overflow_isolates--;
        } else if (stack->isolates) {
            stack->overflow_embeddings = 0;
            while (!stack->statuses[stack->depth].isolates) stack->depth--;
            stack->depth--;
            stack->isolates--;
        }
    } else if (!stack->overflow_isolates) {
        if (stack->overflow_embeddings)
            stack->overflow_embeddings--;
        else if (stack->depth && !stack->statuses[stack->depth].isolates)
            stack->depth--;
    }
}

static void bidi_append(UnicodeBidi *bidi, int32_t *size, uint32_t code_point, uint32_t index)
{
    int32_t begin = *size;
    U16_APPEND_UNSAFE(bidi->units, *size, (UChar32)code_point);
    for (int32_t unit = begin; unit < *size; unit++) bidi->indices[unit] = index;
}

static UCharDirection bidi_kind(uint32_t code_point)
{
    bool letter = (code_point | 0x20) - 'a' < 26;
    return letter ? U_LEFT_TO_RIGHT : u_charDirection((UChar32)code_point);
}

static bool bidi_isolates(UCharDirection kind)
{
    return kind >= U_FIRST_STRONG_ISOLATE && kind <= U_RIGHT_TO_LEFT_ISOLATE;
}

static bool bidi_embeds(UCharDirection kind)
{
    return kind == U_LEFT_TO_RIGHT_EMBEDDING || kind == U_LEFT_TO_RIGHT_OVERRIDE ||
           kind == U_RIGHT_TO_LEFT_EMBEDDING || kind == U_RIGHT_TO_LEFT_OVERRIDE;
}

/* The levels of a text in which all but letters from left to right is under overrides, as it is in attacks: there, W1
 * to N2 have nothing to do, and ICU takes ten times as long. false: it is none. */
static bool bidi_find_levels(const uint32_t *code_points, uint32_t count, unsigned level, int32_t *out_levels)
{
    BidiStack stack = {.depth = 0};
    UCharDirection kind = U_OTHER_NEUTRAL;
    stack.statuses[0].level = (uint8_t)level;
    for (uint32_t i = 0; i < count; i++) {
        kind = bidi_kind(code_points[i]);
        bool isolates = bidi_isolates(kind), embeds = bidi_embeds(kind),
             removed = embeds || kind == U_POP_DIRECTIONAL_FORMAT;
        if (kind == U_POP_DIRECTIONAL_ISOLATE) bidi_close(&stack, kind);
        BidiStatus status = stack.statuses[stack.depth];
        bool left = kind == U_LEFT_TO_RIGHT && !status.overrides;
        bool separates = kind == U_SEGMENT_SEPARATOR || kind == U_BLOCK_SEPARATOR;
        if (separates || kind == U_BOUNDARY_NEUTRAL || kind == U_FIRST_STRONG_ISOLATE) return false;
        if (!removed && !left && !status.overrides) return false;
        out_levels[i] = left ? (status.level + 1) & ~1 : status.level;
        if (removed) out_levels[i] = i > 0 ? out_levels[i - 1] : (int32_t)level;
        if (isolates || embeds) bidi_open(&stack, kind);
        if (kind == U_POP_DIRECTIONAL_FORMAT) bidi_close(&stack, kind);
        if (stack.overflow_isolates || stack.overflow_embeddings || status.level > SIMPLE_LEVEL_MAX) return false;
    }
    return kind == U_LEFT_TO_RIGHT; /* no white space at the end, whose level is the paragraph's (L1) */
}

/* L2. */
static void bidi_reorder(const int32_t *levels, uint32_t count, uint32_t *out_order)
{
    int32_t highest = 0;
    for (uint32_t i = 0; i < count; i++) {
        out_order[i] = i;
        if (levels[i] > highest) highest = levels[i];
    }
    for (int32_t level = highest; level > 0; level--) {
        for (uint32_t begin = 0, end; begin < count; begin = end + 1) {
            for (end = begin; end < count && levels[end] >= level; end++) continue;
            for (uint32_t low = begin, high = end; low + 1 < high; low++) {
                uint32_t index = out_order[low];
                out_order[low] = out_order[--high];
                out_order[high] = index;
            }
        }
    }
}

/* The text as ICU reads it right. ICU 72 and 76 forget that an override holds for isolates, which shows beside
 * embeddings, and for brackets: 31 of Unicode's 91,707 cases. Under an override a letter beside the isolate, which the
 * override turns as it should turn the isolate, and one in place of the bracket change nothing else. */
static int32_t bidi_prepare(UnicodeBidi *bidi, const uint32_t *code_points, uint32_t count)
{
    static const uint32_t letter = 'a';
    BidiStack stack = {.depth = 0};
    int32_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        UCharDirection kind = bidi_kind(code_points[i]);
        bool isolates = bidi_isolates(kind), embeds = bidi_embeds(kind);
        bool closes = kind == U_POP_DIRECTIONAL_FORMAT || kind == U_POP_DIRECTIONAL_ISOLATE;
        bool overridden = stack.statuses[stack.depth].overrides;
        if (isolates && overridden) bidi_append(bidi, &size, letter, UINT32_MAX);
        if (isolates || embeds) bidi_open(&stack, kind);
        if (closes) bidi_close(&stack, kind);
        bool bracket =
            kind == U_OTHER_NEUTRAL && overridden &&
            u_getIntPropertyValue((UChar32)code_points[i], UCHAR_BIDI_PAIRED_BRACKET_TYPE) != U_BPT_NONE;
        bidi_append(bidi, &size, bracket ? letter : code_points[i], i);
        if (kind == U_POP_DIRECTIONAL_ISOLATE && stack.statuses[stack.depth].overrides) {
            bidi_append(bidi, &size, letter, UINT32_MAX);
        }
    }
    return size;
}

bool unicode_bidi_order(UnicodeBidi *bidi, const uint32_t *code_points, uint32_t count, unsigned level,
                        uint32_t *out_order)
{
    assert(count < INT32_MAX / 4 && level <= 1);
    if (!unicode_bidi_reserve(bidi, 2 * count)) return false;
    if (bidi_find_levels(code_points, count, level, bidi->order)) {
        bidi_reorder(bidi->order, count, out_order);
        return true;
    }
    int32_t size = bidi_prepare(bidi, code_points, count);
    UErrorCode error = U_ZERO_ERROR;
    ubidi_setPara(bidi->levels, bidi->units, size, (UBiDiLevel)level, NULL, &error);
    ubidi_getVisualMap(bidi->levels, bidi->order, &error);
    if (U_FAILURE(error)) return false;
    uint32_t written = 0;
    for (int32_t k = 0; k < size; k++) {
        int32_t unit = bidi->order[k];
        if (bidi->indices[unit] != UINT32_MAX && !U16_IS_TRAIL(bidi->units[unit])) {
            out_order[written++] = bidi->indices[unit];
        }
    }
    assert(written == count);
    return true;
}
