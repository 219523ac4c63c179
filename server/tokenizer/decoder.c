/* What decoders own. */
#include "tokenizer/decoder.h"

#include <stdlib.h>

void decoder_close(DecoderList *decoders)
{
    for (uint32_t i = 0; i < decoders->count; i++) {
        pattern_close(decoders->items[i].pattern);
        free(decoders->items[i].text);
        free(decoders->items[i].content);
    }
    *decoders = (DecoderList){0};
}
