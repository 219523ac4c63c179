/* What an open pipeline holds; for the files of pipeline/ only. */
#pragma once

#include "pipeline/pipeline.h"

struct Pipeline {
    Checkpoint *checkpoint;
    Tokenizer *tokenizer;
    Encoder *encoder;
    uint32_t token_count_max;
    bool takes_pairs;              /* the template's segment ids of a pair are within the model's type_count */
    uint32_t *prompt_token_counts; /* [prompt_count of the checkpoint]: leading tokens that pooling leaves out */
};
