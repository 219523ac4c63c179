/* What pre-tokenizers own. */
#include "tokenizer/pre_tokenizer.h"

void pre_tokenizer_close(PreTokenizerList *pre_tokenizers)
{
    for (uint32_t i = 0; i < pre_tokenizers->count; i++) pattern_close(pre_tokenizers->items[i].pattern);
    *pre_tokenizers = (PreTokenizerList){0};
}
