/* The layout, little-endian: the double array's size in bytes, the array, then the replacements, each ended by a
 * NUL. A unit of the array is what darts-clone makes of it: bits 0 to 7 the label, bit 8 that the key ends here, bit
 * 9 that the offset counts in 256, bits 10 to 30 the offset; in a key's last unit bits 0 to 30 are the value. */
#include "tokenizer/charsmap.h"

#include "unicode/utf8.h"

#include <stdlib.h>

#define CHARSMAP_VALUE 0x7FFFFFFFu
#define CHARSMAP_LABEL 0x800000FFu
#define CHARSMAP_LEAF 0x100u

struct Charsmap {
    unsigned char *blob; /* owned: the decoded bytes */
    uint32_t *units;     /* [unit_count]; owned */
    uint32_t unit_count;
    TextView replacements; /* within blob */
    bool kept_ascii[128];
};

/* Of the proof. */
typedef struct CharsmapWalk {
    uint32_t *stack; /* [unit_count]: where children are that have not been looked at */
    uint32_t depth;
    bool *seen; /* [unit_count]: has been on the stack */
} CharsmapWalk;

static int base64_digit(unsigned char byte)
{
    if (byte >= 'A' && byte <= 'Z') return byte - 'A';
    if (byte >= 'a' && byte <= 'z') return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9') return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

/* Decodes padded base64 into `out`, which has room for 3 bytes a group of 4. False: it is none. */
static bool base64_decode(TextView text, unsigned char *out, size_t *out_size)
{
    size_t size = 0, padding = 0;
    if (text.size % 4 != 0) return false;
    while (padding < 2 && padding < text.size && text.bytes[text.size - 1 - padding] == '=') padding++;
    for (size_t at = 0; at < text.size; at += 4) {
        uint32_t group = 0;
        size_t pad = at + 4 == text.size ? padding : 0;
        for (size_t i = 0; i < 4; i++) {
            int digit = i + pad < 4 ? base64_digit((unsigned char)text.bytes[at + i]) : 0;
            if (digit < 0) return false;
            group = group << 6 | (uint32_t)digit;
        }
        if (group & ((1u << 8 * pad) - 1)) return false;
        for (size_t i = 0; i < 3 - pad; i++) out[size++] = (unsigned char)(group >> (16 - 8 * i));
    }
    *out_size = size;
    return true;
}

static uint32_t read_u32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t charsmap_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & 0x200u) >> 6);
}

/* Where the children of a node are whose unit is the root's or stands at `at`. */
static uint32_t charsmap_base(const Charsmap *charsmap, uint32_t at)
{
    return at ^ charsmap_offset(charsmap->units[at]);
}

static bool charsmap_value_valid(const Charsmap *charsmap, uint32_t value)
{
    if (value > charsmap->replacements.size) return false;
    return value == charsmap->replacements.size ||
           ((unsigned char)charsmap->replacements.bytes[value] & 0xC0) != 0x80;
}

/* Visits the children at `base` unless they have been; false: there are none. */
static bool charsmap_visit(const Charsmap *charsmap, uint32_t base, CharsmapWalk *walk)
{
    if ((base | 0xFF) >= charsmap->unit_count) return false;
    if (!walk->seen[base]) walk->stack[walk->depth++] = base;
    walk->seen[base] = true;
    return true;
}

/* Walks every key; returns what is wrong, or NULL. Keys may share their ends, and a hostile file may make them loop:
 * a look-up ends with its text all the same. */
static const char *charsmap_prove(const Charsmap *charsmap, CharsmapWalk *walk)
{
    if (!charsmap_visit(charsmap, charsmap_base(charsmap, 0), walk)) return "the root's children lie outside";
    while (walk->depth > 0) {
        uint32_t base = walk->stack[--walk->depth];
        for (uint32_t label = 1; label < 256; label++) {
            uint32_t at = base ^ label, unit = charsmap->units[at];
            if ((unit & CHARSMAP_LABEL) != label) continue;
            uint32_t child = charsmap_base(charsmap, at);
            if (!charsmap_visit(charsmap, child, walk)) return "a unit's children lie outside";
            if (unit & CHARSMAP_LEAF && !charsmap_value_valid(charsmap, charsmap->units[child] & CHARSMAP_VALUE)) {
                return "a replacement lies outside";
            }
        }
    }
    return NULL;
}

/* Reads the decoded blob of `size` bytes; sets *out_problem to what is wrong with it. */
static bool charsmap_read(Charsmap *charsmap, size_t size, const char **out_problem)
{
    size_t position;
    uint32_t array_size = size < 4 ? 0 : read_u32(charsmap->blob) / 4 * 4;
    if (array_size == 0 || array_size > size - 4) {
        *out_problem = "its double array is empty or longer than the map";
        return true;
    }
    charsmap->replacements = (TextView){(const char *)charsmap->blob + 4 + array_size, size - 4 - array_size};
    if (!utf8_valid(charsmap->replacements, &position)) {
        *out_problem = "its replacements are not UTF-8";
        return true;
    }
    charsmap->unit_count = array_size / 4;
    charsmap->units = malloc(array_size);
    CharsmapWalk walk = {.stack = malloc(array_size), .seen = calloc(charsmap->unit_count, sizeof *walk.seen)};
    bool allocated = charsmap->units && walk.stack && walk.seen;
    if (allocated) {
        for (uint32_t i = 0; i < charsmap->unit_count; i++) {
            charsmap->units[i] = read_u32(charsmap->blob + 4 + 4 * (size_t)i);
        }
        *out_problem = charsmap_prove(charsmap, &walk);
    }
    free(walk.stack);
    free(walk.seen);
    return allocated;
}

static void charsmap_prepare(Charsmap *charsmap)
{
    for (unsigned byte = 0; byte < 128; byte++) {
        char text = (char)byte;
        TextView replacement;
        bool replaced = charsmap_transform(charsmap, (TextView){&text, 1}, &replacement);
        charsmap->kept_ascii[byte] = !replaced || text_equal(replacement, (TextView){&text, 1});
    }
}

Status charsmap_open(TextView base64, Charsmap **out_charsmap, Error *out_error)
{
    size_t size;
    const char *problem = NULL;
    Status status = STATUS_OK;
    Charsmap *charsmap = calloc(1, sizeof *charsmap);
    if (charsmap) charsmap->blob = malloc(base64.size / 4 * 3 + 1);
    if (!charsmap || !charsmap->blob) goto no_memory;
    if (!base64_decode(base64, charsmap->blob, &size))
        problem = "it is not padded base64";
    else if (!charsmap_read(charsmap, size, &problem))
        goto no_memory;
    if (problem) {
        status = error_set(out_error, STATUS_CORRUPT, "the precompiled character map is broken: %s", problem);
        goto fail;
    }
    charsmap_prepare(charsmap);
    *out_charsmap = charsmap;
    return STATUS_OK;
no_memory:
    status = error_set(out_error, STATUS_NO_MEMORY, "no memory for a character map of %zu bytes", base64.size);
fail:
    charsmap_close(charsmap);
    return status;
}

void charsmap_close(Charsmap *charsmap)
{
    if (!charsmap) return;
    free(charsmap->blob);
    free(charsmap->units);
    free(charsmap);
}

bool charsmap_transform(const Charsmap *charsmap, TextView text, TextView *out_replacement)
{
    uint32_t base = charsmap_base(charsmap, 0);
    for (size_t i = 0; i < text.size && text.bytes[i] != '\0'; i++) {
        uint32_t label = (unsigned char)text.bytes[i], at = base ^ label, unit = charsmap->units[at];
        if ((unit & CHARSMAP_LABEL) != label) return false;
        base = charsmap_base(charsmap, at);
        if (unit & CHARSMAP_LEAF) {
            uint32_t value = charsmap->units[base] & CHARSMAP_VALUE;
            size_t left = charsmap->replacements.size - value;
            const char *begin = charsmap->replacements.bytes + value;
            const char *end = left ? memchr(begin, '\0', left) : NULL;
            *out_replacement = (TextView){begin, end ? (size_t)(end - begin) : left};
            return true;
        }
    }
    return false;
}

const bool *charsmap_kept_ascii(const Charsmap *charsmap)
{
    return charsmap->kept_ascii;
}
