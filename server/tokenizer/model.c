/* Which model it is. */
#include "tokenizer/model.h"

#include <stdlib.h>

void model_close(Model *model)
{
    free(model->prefix);
    *model = (Model){0};
}

void model_split(const Model *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                 Collector *collector)
{
    switch (model->kind) {
    case MODEL_WORDPIECE:
        wordpiece_split(&model->wordpiece, normalized, begin, end, collector);
        return;
    case MODEL_WORDLEVEL:
        wordlevel_split(&model->wordlevel, normalized, begin, end, collector);
        return;
    }
}
