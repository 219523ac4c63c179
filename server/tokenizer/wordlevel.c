/* One look-up a word. */
#include "tokenizer/wordlevel.h"

void wordlevel_split(const WordLevel *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                     Collector *collector)
{
    uint32_t id = vocabulary_find(model->vocabulary, (TextView){normalized->bytes + begin, end - begin});
    if (id == VOCABULARY_NONE) id = model->unknown_id;
    collector_push(collector, (CollectedToken){id, normalized_origin(normalized, begin, end)});
}
