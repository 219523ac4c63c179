/* Growing by half. */
#include "tokenizer/texts.h"

#include <stdlib.h>

void texts_close(Texts *texts)
{
    free(texts->bytes);
    free(texts->ends);
    *texts = (Texts){0};
}

void texts_clear(Texts *texts)
{
    texts->size = 0;
    texts->count = 0;
}

void texts_write(Texts *texts, TextView part)
{
    if (part.size == 0 || texts->failed) return;
    if (part.size > texts->size_max - texts->size) {
        texts->failed = texts->too_large = true;
        return;
    }
    if (texts->capacity - texts->size < part.size) {
        size_t capacity = texts->capacity + texts->capacity / 2 + part.size + 256;
        char *bytes = realloc(texts->bytes, capacity);
        if (!bytes) {
            texts->failed = true;
            return;
        }
        texts->bytes = bytes;
        texts->capacity = capacity;
    }
    memcpy(texts->bytes + texts->size, part.bytes, part.size);
    texts->size += part.size;
}

void texts_end(Texts *texts)
{
    if (texts->failed) return;
    if (texts->count == texts->ends_capacity) {
        uint32_t capacity = texts->ends_capacity + texts->ends_capacity / 2 + 64;
        size_t *ends = realloc(texts->ends, capacity * sizeof *ends);
        if (!ends) {
            texts->failed = true;
            return;
        }
        texts->ends = ends;
        texts->ends_capacity = capacity;
    }
    texts->ends[texts->count++] = texts->size;
}

TextView texts_get(const Texts *texts, uint32_t index)
{
    size_t begin = index ? texts->ends[index - 1] : 0;
    return texts->bytes ? (TextView){texts->bytes + begin, texts->ends[index] - begin} : (TextView){"", 0};
}
