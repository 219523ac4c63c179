/* The architectures that are served: the rows of architectures.def and model_types.def. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

/* What is computed and how its tensors are named. Several model_types may share one. */
typedef enum Architecture {
#define ARCHITECTURE(name, prefix, other_prefix) ARCHITECTURE_##name,
#include "model/architectures.def"
#undef ARCHITECTURE
    ARCHITECTURE_COUNT
} Architecture;

enum { ARCHITECTURE_PREFIX_COUNT = 2 };

/* What a task checkpoint may put before the tensor names of the base model; empty: nothing. index <
 * ARCHITECTURE_PREFIX_COUNT. Static. */
const char *architecture_prefix(Architecture architecture, int index);
/* Finds config.json's model_type; false: it is not served. *out_model_type is the same text, static. */
bool architecture_find(TextView model_type, Architecture *out_architecture, const char **out_model_type);
/* All model_types as an error text lists them: ` "bert" "roberta"`. Static. */
const char *architecture_list(void);
