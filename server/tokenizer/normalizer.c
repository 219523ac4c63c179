/* One normalizer after the other: each reads one buffer and writes the other. */
#include "tokenizer/normalizer.h"

#include "tokenizer/bytes.h"
#include "tokenizer/characters.h"
#include "tokenizer/graphemes.h"
#include "tokenizer/transform.h"
#include "unicode/utf8.h"

#include <stdlib.h>

enum { GRAPHEME_BYTES_MAX = 5 }; /* the charsmap is asked for longer clusters one character at a time */

void normalizer_close(NormalizerList *normalizers)
{
    for (uint32_t i = 0; i < normalizers->count; i++) {
        pattern_close(normalizers->items[i].pattern);
        charsmap_close(normalizers->items[i].charsmap);
        free(normalizers->items[i].content);
    }
    *normalizers = (NormalizerList){0};
}

/* What of `code_point` stays as it is, becomes a space, or goes. */
typedef enum Fate { FATE_KEPT, FATE_SPACE, FATE_DROPPED } Fate;

static Fate normalizer_nmt_fate(uint32_t code_point)
{
    bool control = (code_point >= 0x1 && code_point <= 0x8) || code_point == 0xB ||
                   (code_point >= 0xE && code_point <= 0x1F) || code_point == 0x7F || code_point == 0x8F ||
                   code_point == 0x9F;
    if (control) return FATE_DROPPED;
    bool space = code_point == 0x9 || code_point == 0xA || code_point == 0xC || code_point == 0xD ||
                 code_point == 0x1680 || (code_point >= 0x200B && code_point <= 0x200F) || code_point == 0x2028 ||
                 code_point == 0x2029 || code_point == 0x2581 || code_point == 0xFEFF || code_point == 0xFFFD;
    return space ? FATE_SPACE : FATE_KEPT;
}

static Fate normalizer_fate(NormalizerKind kind, uint32_t code_point)
{
    if (kind == NORMALIZER_NMT) return normalizer_nmt_fate(code_point);
    unsigned flags = characters_flags(code_point);
    if (kind == NORMALIZER_STRIP_MN) return flags & CHARACTER_MARK ? FATE_DROPPED : FATE_KEPT;
    if (kind == NORMALIZER_STRIP_ACCENTS) return flags & CHARACTER_ANY_MARK ? FATE_DROPPED : FATE_KEPT;
    if (flags & CHARACTER_CONTROL) return FATE_DROPPED;
    return flags & CHARACTER_WHITE_SPACE ? FATE_SPACE : FATE_KEPT;
}

/* The normalizers that look at each character alone and leave or drop it. */
static void normalizer_filter(NormalizerKind kind, const Normalized *from, Normalized *to)
{
    Transform transform = {.from = from, .to = to};
    for (uint32_t at = 0; at < from->size && !to->failed;) {
        uint32_t code_point, size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
        Fate fate = normalizer_fate(kind, code_point);
        if (fate != FATE_KEPT) {
            transform_copy(&transform, at);
            if (fate == FATE_SPACE) normalized_append(to, ' ', from->origins[at]);
            transform.at = at + size;
        }
        at += size;
    }
    transform_copy(&transform, from->size);
}

static void normalizer_lowercase(const Normalized *from, Normalized *to)
{
    Transform transform = {.from = from, .to = to};
    for (uint32_t at = 0; at < from->size && !to->failed;) {
        uint32_t code_point, lower[UNICODE_LOWERCASE_MAX],
            size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
        if (characters_flags(code_point) & CHARACTER_CAPITAL) {
            transform_copy(&transform, at);
            unsigned count = characters_lowercase(code_point, lower);
            for (unsigned i = 0; i < count; i++) normalized_append(to, lower[i], from->origins[at]);
            transform.at = at + size;
        }
        at += size;
    }
    transform_copy(&transform, from->size);
}

static void normalizer_chinese(const Normalized *from, Normalized *to)
{
    Transform transform = {.from = from, .to = to};
    for (uint32_t at = 0; at < from->size && !to->failed;) {
        uint32_t code_point, size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
        if (characters_flags(code_point) & CHARACTER_CHINESE) {
            transform_copy(&transform, at);
            normalized_append(to, ' ', from->origins[at]);
            transform_copy(&transform, at + size);
            normalized_append(to, ' ', from->origins[at]);
        }
        at += size;
    }
    transform_copy(&transform, from->size);
}

static bool normalizer_white(const Normalized *from, uint32_t at, uint32_t *out_size)
{
    uint32_t code_point;
    *out_size = (uint32_t)utf8_decode(from->bytes + at, &code_point);
    return (characters_flags(code_point) & CHARACTER_WHITE_SPACE) != 0;
}

static void normalizer_strip(const Normalizer *normalizer, const Normalized *from, Normalized *to)
{
    uint32_t begin = 0, end = from->size, size;
    while (normalizer->left && begin < end && normalizer_white(from, begin, &size)) begin += size;
    while (normalizer->right && end > begin) {
        uint32_t previous = (uint32_t)utf8_previous(from->bytes, end);
        if (!normalizer_white(from, previous, &size)) break;
        end = previous;
    }
    normalized_append_range(to, from, begin, end);
}

/* All of the content comes from the last character of what it replaces. */
static void normalizer_replace(const Normalizer *normalizer, const Normalized *from, Normalized *to)
{
    PatternScan scan = pattern_scan(normalizer->pattern, (TextView){from->bytes, from->size});
    const TextView content = {normalizer->content, normalizer->content_size};
    Transform transform = {.from = from, .to = to};
    ByteRange match;
    while (!to->failed && from->size > 0 && pattern_next(&scan, &match)) {
        transform_copy(&transform, match.begin);
        ByteRange nowhere = {from->begin, from->begin};
        normalized_append_text(to, content, match.end > 0 ? from->origins[match.end - 1] : nowhere);
        transform.at = match.end;
    }
    if (scan.failed && !to->failed) to->failed = NORMALIZED_TOO_SLOW;
    pattern_scan_close(&scan);
    transform_copy(&transform, from->size);
}

void normalizer_prepend(TextView content, const Normalized *from, uint32_t begin, uint32_t end, Normalized *to)
{
    if (begin == end) return;
    uint32_t code_point, first = begin + (uint32_t)utf8_decode(from->bytes + begin, &code_point);
    ByteRange origin = from->origins[begin];
    normalized_append_text(to, content, origin);
    if (content.size == 0)
        origin = (ByteRange){from->begin, from->begin}; /* the library loses where it came from */
    normalized_append_text(to, (TextView){from->bytes + begin, first - begin}, origin);
    normalized_append_range(to, from, first, end);
}

/* What the library hands to its transform, with the last item still open: removing characters changes it. */
typedef struct CharsmapPass {
    Transform transform;
    uint32_t code_point;
    int64_t change;
    bool open;
} CharsmapPass;

static void charsmap_put(CharsmapPass *pass, uint32_t code_point, int64_t change)
{
    if (pass->open) transform_put(&pass->transform, pass->code_point, pass->change);
    pass->code_point = code_point;
    pass->change = change;
    pass->open = true;
}

static uint32_t charsmap_count(TextView text)
{
    uint32_t count = 0;
    for (size_t at = 0; at < text.size; at++) count += ((unsigned char)text.bytes[at] & 0xC0) != 0x80;
    return count;
}

static void charsmap_replace(CharsmapPass *pass, TextView old_part, TextView new_part)
{
    uint32_t old_count = charsmap_count(old_part), new_count = charsmap_count(new_part), index = 0, code_point;
    for (size_t at = 0; at < new_part.size; index++) {
        at += utf8_decode(new_part.bytes + at, &code_point);
        charsmap_put(pass, code_point, index >= old_count);
    }
    if (pass->open && new_count < old_count) pass->change -= old_count - new_count;
}

/* A short cluster is replaced as a whole, the characters of others each for itself. */
static void charsmap_cluster(CharsmapPass *pass, const Charsmap *charsmap, TextView cluster)
{
    TextView replacement;
    if (cluster.size <= GRAPHEME_BYTES_MAX && charsmap_transform(charsmap, cluster, &replacement)) {
        charsmap_replace(pass, cluster, replacement);
        return;
    }
    for (size_t at = 0; at < cluster.size;) {
        uint32_t code_point;
        TextView part = {cluster.bytes + at, utf8_decode(cluster.bytes + at, &code_point)};
        if (charsmap_transform(charsmap, part, &replacement))
            charsmap_replace(pass, part, replacement);
        else
            charsmap_put(pass, code_point, 0);
        at += part.size;
    }
}

static void normalizer_charsmap(const Charsmap *charsmap, const Normalized *from, Normalized *to)
{
    const bool *kept = charsmap_kept_ascii(charsmap);
    const TextView text = {from->bytes, from->size};
    CharsmapPass pass = {.transform = {.from = from, .to = to}};
    for (uint32_t at = 0; at < from->size && !to->failed;) {
        unsigned char byte = (unsigned char)text.bytes[at];
        bool alone = byte < 0x80 && (at + 1 == from->size || (unsigned char)text.bytes[at + 1] < 0x80);
        if (alone && byte != '\r' && kept[byte]) {
            charsmap_put(&pass, byte, 0);
            at++;
            continue;
        }
        uint32_t size = graphemes_size(text, at);
        charsmap_cluster(&pass, charsmap, (TextView){text.bytes + at, size});
        at += size;
    }
    if (pass.open) transform_put(&pass.transform, pass.code_point, pass.change);
}

static void normalizer_step(const Normalizer *normalizer, const Normalized *from, Normalized *to)
{
    const TextView content = {normalizer->content, normalizer->content_size};
    switch (normalizer->kind) {
    case NORMALIZER_CLEAN:
    case NORMALIZER_STRIP_MN:
    case NORMALIZER_STRIP_ACCENTS:
    case NORMALIZER_NMT:
        normalizer_filter(normalizer->kind, from, to);
        return;
    case NORMALIZER_CHINESE:
        normalizer_chinese(from, to);
        return;
    case NORMALIZER_LOWERCASE:
        normalizer_lowercase(from, to);
        return;
    case NORMALIZER_FORM:
        forms_run(normalizer->form, from, to);
        return;
    case NORMALIZER_STRIP:
        normalizer_strip(normalizer, from, to);
        return;
    case NORMALIZER_REPLACE:
        normalizer_replace(normalizer, from, to);
        return;
    case NORMALIZER_PREPEND:
        normalizer_prepend(content, from, 0, from->size, to);
        return;
    case NORMALIZER_CHARSMAP:
        normalizer_charsmap(normalizer->charsmap, from, to);
        return;
    case NORMALIZER_BYTES:
        bytes_map(from, 0, from->size, to);
        return;
    }
}

Status normalizer_run(const NormalizerList *normalizers, TextView text, ByteRange range, Normalized *out,
                      Normalized *spare, Error *out_error)
{
    out->size_max = spare->size_max = normalized_size_max(range.end - range.begin);
    if (normalizers->bert.enabled) {
        bert_normalizer_run(&normalizers->bert, text, range, out);
        return normalized_check(out, out_error);
    }
    normalized_start(out, text, range);
    for (uint32_t i = 0; i < normalizers->count && !out->failed; i++) {
        spare->size = 0;
        spare->begin = range.begin;
        normalizer_step(&normalizers->items[i], out, spare);
        Normalized swap = *out;
        *out = *spare;
        *spare = swap;
    }
    return normalized_check(out, out_error);
}
