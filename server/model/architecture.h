/* The architectures that are served: the rows of architectures.def. */
#pragma once

/* A row of architectures.def: which model_type values exist and how their tensors are named. */
typedef enum Architecture {
#define ARCHITECTURE(name, model_type, prefix) ARCHITECTURE_##name,
#include "model/architectures.def"
#undef ARCHITECTURE
    ARCHITECTURE_COUNT
} Architecture;

/* The name of `architecture` as config.json's model_type spells it. */
const char *architecture_model_type(Architecture architecture);
/* What a task checkpoint puts before the tensor names of the base model. */
const char *architecture_prefix(Architecture architecture);
/* All model_types as an error text lists them: ` "bert" "roberta"`. */
const char *architecture_list(void);
