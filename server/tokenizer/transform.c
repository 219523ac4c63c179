/* One character after the other. */
#include "tokenizer/transform.h"

#include "unicode/utf8.h"

static uint32_t transform_next(const Transform *transform, uint32_t at)
{
    uint32_t code_point;
    return at < transform->from->size ? at + (uint32_t)utf8_decode(transform->from->bytes + at, &code_point) : at;
}

void transform_put(Transform *transform, uint32_t code_point, int64_t change)
{
    const Normalized *from = transform->from;
    ByteRange origin = {from->begin, from->begin};
    if (change > 0) {
        if (transform->at > 0) origin = from->origins[transform->at - 1];
        normalized_append(transform->to, code_point, origin);
        return;
    }
    /* The library gives up where there is nothing left to replace. */
    if (transform->at < from->size)
        origin = from->origins[transform->at];
    else if (from->size > 0)
        origin = from->origins[from->size - 1];
    normalized_append(transform->to, code_point, origin);
    transform->at = transform_next(transform, transform->at);
    for (; change < 0 && transform->at < from->size; change++)
        transform->at = transform_next(transform, transform->at);
}

void transform_copy(Transform *transform, uint32_t end)
{
    normalized_append_range(transform->to, transform->from, transform->at, end);
    transform->at = end;
}
