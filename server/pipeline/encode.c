/* Encoding as a checkpoint wants it. Where sentence_bert_config.json says do_lower_case, text is lowered before the
 * tokenizer, as sentence-transformers puts tokenizers' Lowercase in front of its normalizer; offsets are led back
 * to the original. Where transformers would not hand segment ids to the model, they are 0. */
#include "pipeline/pipeline_state.h"
#include "unicode/property.h"
#include "unicode/utf8.h"

typedef struct Lowered {
    TextView text;
    uint32_t *origins; /* [text.size + 1]: where each byte's character began in the original; NULL: the same */
} Lowered;

static bool text_lower(TextView text, Arena *arena, Lowered *out_lowered);
static void offsets_restore(Encoding *encoding, const Lowered *lowered, const Lowered *lowered_pair);

static Status encode_lowered(const Pipeline *pipeline, TextView text, const TextView *pair,
                             const EncodeOptions *options, Arena *arena, Encoding *out_encoding, Error *out_error)
{
    Lowered lowered = {.text = text};
    Lowered lowered_pair = {0};
    if (!text_lower(text, arena, &lowered) || (pair && !text_lower(*pair, arena, &lowered_pair))) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the text twice");
    }
    Status status = tokenizer_encode(pipeline->tokenizer, lowered.text, pair ? &lowered_pair.text : NULL, options,
                                     arena, out_encoding, out_error);
    if (!status) offsets_restore(out_encoding, &lowered, &lowered_pair);
    return status;
}

Status pipeline_encode(const Pipeline *pipeline, TextView text, const TextView *pair, const EncodeOptions *options,
                       Arena *arena, Encoding *out_encoding, Error *out_error)
{
    bool lower_case = checkpoint_sentence_config(pipeline->checkpoint)->lower_case;
    EncodeOptions barred = *options;
    barred.bars_special_tokens = !options->parse_special_tokens;
    Status status =
        lower_case ? encode_lowered(pipeline, text, pair, &barred, arena, out_encoding, out_error)
                   : tokenizer_encode(pipeline->tokenizer, text, pair, &barred, arena, out_encoding, out_error);
    if (!status && !pipeline->uses_types && out_encoding->count)
        memset(out_encoding->type_ids, 0, out_encoding->count * sizeof *out_encoding->type_ids);
    return status;
}

/* Lowers the character at `bytes` into `out_bytes`. Returns the size written and, in *out_size, the size read: 0
 * when the bytes are not UTF-8. */
static size_t character_lower(const char *bytes, size_t left,
                              char out_bytes[UNICODE_LOWERCASE_MAX * UTF8_BYTES_MAX], size_t *out_size)
{
    uint32_t code_point = 0;
    uint32_t lower[UNICODE_LOWERCASE_MAX];
    *out_size = utf8_read(bytes, left, &code_point);
    if (*out_size == 0) return 0;
    size_t written = 0;
    unsigned count = unicode_lowercase(code_point, lower);
    for (unsigned i = 0; i < count; i++) written += utf8_write(lower[i], out_bytes + written);
    return written;
}

/* What is not UTF-8 stays as it is: the tokenizer refuses it and says where. False when the arena is out. */
static bool text_lower(TextView text, Arena *arena, Lowered *out_lowered)
{
    char character[UNICODE_LOWERCASE_MAX * UTF8_BYTES_MAX];
    size_t lowered_size = 0;
    bool moved = false;
    for (size_t at = 0, size; at < text.size; at += size) {
        size_t written = character_lower(text.bytes + at, text.size - at, character, &size);
        *out_lowered = (Lowered){.text = text};
        if (size == 0) return true;
        moved = moved || written != size;
        lowered_size += written;
    }
    char *bytes = arena_allocate(arena, lowered_size);
    uint32_t *origins = moved ? arena_allocate(arena, (lowered_size + 1) * sizeof *origins) : NULL;
    if (!bytes || (moved && !origins)) return false;
    size_t used = 0;
    for (size_t at = 0, size; at < text.size; at += size) {
        size_t written = character_lower(text.bytes + at, text.size - at, character, &size);
        memcpy(bytes + used, character, written);
        for (size_t i = 0; moved && i < written; i++) origins[used + i] = (uint32_t)at;
        used += written;
    }
    if (moved) origins[used] = (uint32_t)text.size;
    *out_lowered = (Lowered){{bytes, lowered_size}, origins};
    return true;
}

bool encode_lowercase(TextView text, Arena *arena, TextView *out_lowered, uint32_t **out_places)
{
    char character[UNICODE_LOWERCASE_MAX * UTF8_BYTES_MAX];
    size_t capacity = 2 * text.size; /* two bytes may become three */
    char *bytes = arena_allocate(arena, capacity);
    uint32_t *places = arena_allocate(arena, (text.size + 1) * sizeof *places);
    if (!bytes || !places) return false;
    size_t used = 0;
    for (size_t at = 0, size; at < text.size; at += size) {
        size_t written = character_lower(text.bytes + at, text.size - at, character, &size);
        if (size == 0 || written > capacity - used) return false;
        for (size_t i = 0; i < size; i++) places[at + i] = (uint32_t)used;
        memcpy(bytes + used, character, written);
        used += written;
    }
    places[text.size] = (uint32_t)used;
    *out_lowered = (TextView){bytes, used};
    *out_places = places;
    return true;
}

static void offsets_restore(Encoding *encoding, const Lowered *lowered, const Lowered *lowered_pair)
{
    for (uint32_t i = 0; i < encoding->count; i++) {
        if (encoding->segments[i] == ENCODING_SEGMENT_NONE) continue;
        const uint32_t *origins = encoding->segments[i] == 0 ? lowered->origins : lowered_pair->origins;
        if (!origins) continue;
        encoding->offsets[i].begin = origins[encoding->offsets[i].begin];
        encoding->offsets[i].end = origins[encoding->offsets[i].end];
    }
}
