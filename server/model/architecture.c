#include "model/architecture.h"

#include <assert.h>

typedef struct ArchitectureRow {
    const char *model_type;
    const char *prefix;
} ArchitectureRow;

static const ArchitectureRow architecture_rows[ARCHITECTURE_COUNT] = {
#define ARCHITECTURE(name, model_type, prefix) [ARCHITECTURE_##name] = {model_type, prefix},
#include "model/architectures.def"
#undef ARCHITECTURE
};
#define ARCHITECTURE(name, model_type, prefix) " \"" model_type "\""
static const char architecture_names[] =
#include "model/architectures.def"
    ;
#undef ARCHITECTURE

const char *architecture_model_type(Architecture architecture)
{
    assert(architecture < ARCHITECTURE_COUNT);
    return architecture_rows[architecture].model_type;
}

const char *architecture_prefix(Architecture architecture)
{
    assert(architecture < ARCHITECTURE_COUNT);
    return architecture_rows[architecture].prefix;
}

const char *architecture_list(void)
{
    return architecture_names;
}
