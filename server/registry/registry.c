#include "registry/registry.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A model is loaded within a second or two; who asks sooner is told to come back soon. */
#define REGISTRY_LOADING_RETRY_NS (200 * NS_PER_MS)

typedef struct RegistryEntry {
    char name[MODEL_NAME_BYTES_MAX + 1];
    Model *model; /* held; NULL while it loads */
    char weights_sha256[SHA256_HEX_BYTES];
} RegistryEntry;

struct Registry {
    RegistryEntry *entries[MODEL_COUNT_MAX]; /* the default first */
    size_t count;
};

static RegistryEntry *registry_entry(const Registry *registry, TextView name)
{
    if (name.size == 0) return registry->count ? registry->entries[0] : NULL;
    for (size_t i = 0; i < registry->count; i++) {
        if (text_equal(name, text_view(registry->entries[i]->name))) return registry->entries[i];
    }
    return NULL;
}

Status registry_open(Registry **out_registry, Error *out_error)
{
    Registry *registry = calloc(1, sizeof *registry);
    if (!registry) return error_set(out_error, STATUS_NO_MEMORY, "registry: out of memory");
    *out_registry = registry;
    return STATUS_OK;
}

void registry_close(Registry *registry)
{
    if (!registry) return;
    for (size_t i = 0; i < registry->count; i++) {
        model_release(registry->entries[i]->model);
        free(registry->entries[i]);
    }
    free(registry);
}

Status registry_add(Registry *registry, TextView name, Error *out_error)
{
    size_t position;
    if (name.size == 0 || name.size > MODEL_NAME_BYTES_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "a model's name must have 1 to %u bytes",
                         (unsigned)MODEL_NAME_BYTES_MAX);
    }
    if (!utf8_valid(name, &position)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "a model's name is not UTF-8 from byte %zu on",
                         position);
    }
    if (registry_entry(registry, name)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "two models are called '%.*s'", (int)name.size,
                         name.bytes);
    }
    if (registry->count == MODEL_COUNT_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "more than %d models", MODEL_COUNT_MAX);
    }
    RegistryEntry *entry = calloc(1, sizeof *entry);
    if (!entry) return error_set(out_error, STATUS_NO_MEMORY, "registry: out of memory");
    memcpy(entry->name, name.bytes, name.size);
    registry->entries[registry->count++] = entry;
    return STATUS_OK;
}

void registry_set(Registry *registry, Model *model)
{
    RegistryEntry *entry = registry_entry(registry, text_view(model_name(model)));
    assert(entry);
    model_release(entry->model);
    entry->model = model;
    entry->weights_sha256[0] = '\0';
}

/* "'a', 'b', ...", as far as they fit. */
static void registry_list_names(const Registry *registry, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < registry->count; i++) {
        const char *name = registry->entries[i]->name;
        bool fits = used + strlen(name) + sizeof "'', ..." <= capacity;
        int size = snprintf(text + used, capacity - used, fits ? "%s'%s'" : "%s...", i ? ", " : "", name);
        if (!fits || size < 0) return;
        used += (size_t)size;
    }
}

Status registry_find(Registry *registry, TextView name, Model **out_model, Error *out_error)
{
    const RegistryEntry *entry = registry_entry(registry, name);
    if (!entry) {
        char names[ERROR_MESSAGE_BYTES / 2];
        registry_list_names(registry, names, sizeof names);
        return error_set(
            out_error, STATUS_NOT_FOUND,
            "no model is called '%.*s': the server has %s, the first of which is the default when model "
            "is empty",
            (int)name.size, name.bytes, names);
    }
    if (!entry->model) {
        error_set(out_error, STATUS_UNAVAILABLE, "the model is being loaded: try again in a moment");
        out_error->retry_after_ns = REGISTRY_LOADING_RETRY_NS;
        return STATUS_UNAVAILABLE;
    }
    *out_model = model_retain(entry->model);
    return STATUS_OK;
}

size_t registry_count(const Registry *registry)
{
    return registry->count;
}

RegistryView registry_view(const Registry *registry, size_t index)
{
    assert(index < registry->count);
    const RegistryEntry *entry = registry->entries[index];
    return (RegistryView){.name = entry->name, .model = entry->model, .weights_sha256 = entry->weights_sha256};
}

void registry_set_weights_sha256(Registry *registry, const char *name, const char *hex)
{
    RegistryEntry *entry = registry_entry(registry, text_view(name));
    assert(entry);
    snprintf(entry->weights_sha256, sizeof entry->weights_sha256, "%s", hex);
}
