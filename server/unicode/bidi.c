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
    free(bidi->units);
    free(bidi->order);
    free(bidi->indices);
    bidi->units = malloc(capacity * sizeof *bidi->units);
    bidi->order = malloc(capacity * sizeof *bidi->order);
    bidi->indices = malloc(capacity * sizeof *bidi->indices);
    bidi->capacity = bidi->units && bidi->order && bidi->indices ? capacity : 0;
    return bidi->capacity != 0;
}

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

/* A letter or digit of ASCII: neither a control nor a bracket. */
static bool bidi_is_plain(uint32_t code_point)
{
    return code_point - '0' < 10 || (code_point | 0x20) - 'a' < 26;
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
        if (bidi_is_plain(code_points[i])) {
            bidi_append(bidi, &size, code_points[i], i);
            continue;
        }
        UCharDirection kind = u_charDirection((UChar32)code_points[i]);
        bool isolates = kind >= U_FIRST_STRONG_ISOLATE && kind <= U_RIGHT_TO_LEFT_ISOLATE;
        bool embeds = kind == U_LEFT_TO_RIGHT_EMBEDDING || kind == U_LEFT_TO_RIGHT_OVERRIDE ||
                      kind == U_RIGHT_TO_LEFT_EMBEDDING || kind == U_RIGHT_TO_LEFT_OVERRIDE;
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
