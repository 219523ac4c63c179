#include "model/architecture.h"

#include <assert.h>

static const char *const architecture_prefixes[ARCHITECTURE_COUNT][ARCHITECTURE_PREFIX_COUNT] = {
#define ARCHITECTURE(name, prefix, other_prefix) [ARCHITECTURE_##name] = {prefix, other_prefix},
#include "model/architectures.def"
#undef ARCHITECTURE
};

static const struct {
    const char *model_type;
    Architecture architecture;
} architecture_types[] = {
#define MODEL_TYPE(model_type, architecture) {model_type, ARCHITECTURE_##architecture},
#include "model/model_types.def"
#undef MODEL_TYPE
};

#define MODEL_TYPE(model_type, architecture) " \"" model_type "\""
static const char architecture_names[] =
#include "model/model_types.def"
    ;
#undef MODEL_TYPE

const char *architecture_prefix(Architecture architecture, int index)
{
    assert(architecture < ARCHITECTURE_COUNT && index >= 0 && index < ARCHITECTURE_PREFIX_COUNT);
    return architecture_prefixes[architecture][index];
}

bool architecture_find(TextView model_type, Architecture *out_architecture, const char **out_model_type)
{
    for (size_t i = 0; i < sizeof architecture_types / sizeof *architecture_types; i++) {
        if (!text_equal(model_type, text_view(architecture_types[i].model_type))) continue;
        *out_architecture = architecture_types[i].architecture;
        *out_model_type = architecture_types[i].model_type;
        return true;
    }
    return false;
}

const char *architecture_list(void)
{
    return architecture_names;
}
