/* Which model it is. */
#include "tokenizer/model.h"

#include <stdlib.h>

void model_close(Model *model)
{
    free(model->prefix);
    if (model->kind == MODEL_BPE) bpe_close(&model->bpe);
    if (model->kind == MODEL_UNIGRAM) unigram_close(&model->unigram);
    *model = (Model){0};
}

bool model_unknown_id(const Model *model, uint32_t *out_id)
{
    switch (model->kind) {
    case MODEL_WORDPIECE:
        *out_id = model->wordpiece.unknown_id;
        return true;
    case MODEL_WORDLEVEL:
        *out_id = model->wordlevel.unknown_id;
        return true;
    case MODEL_BPE:
        *out_id = model->bpe.unknown_id;
        return model->bpe.unknown_id != VOCABULARY_NONE;
    case MODEL_UNIGRAM:
        *out_id = model->unigram.unknown_id;
        return true;
    }
    return false;
}

void model_split(const Model *model, const Normalized *normalized, uint32_t begin, uint32_t end,
                 Collector *collector)
{
    collector_begin_word(collector);
    switch (model->kind) {
    case MODEL_WORDPIECE:
        wordpiece_split(&model->wordpiece, normalized, begin, end, collector);
        return;
    case MODEL_WORDLEVEL:
        wordlevel_split(&model->wordlevel, normalized, begin, end, collector);
        return;
    case MODEL_BPE:
        bpe_split(&model->bpe, normalized, begin, end, collector);
        return;
    case MODEL_UNIGRAM:
        unigram_split(&model->unigram, normalized, begin, end, collector);
        return;
    }
}
