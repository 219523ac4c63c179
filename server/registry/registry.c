#include "registry/registry_state.h"

#include "base/clock.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A model is loaded within a second or two; who asks sooner is told to come back soon. */
#define REGISTRY_LOADING_RETRY_NS (200 * NS_PER_MS)

Status registry_open(const RegistryOptions *options, Registry **out_registry, Error *out_error)
{
    Registry *registry = calloc(1, sizeof *registry);
    if (registry) registry->look.sights = calloc(MODEL_COUNT_MAX, sizeof *registry->look.sights);
    if (!registry || !registry->look.sights) {
        registry_close(registry);
        return error_set(out_error, STATUS_NO_MEMORY, "registry: out of memory");
    }
    registry->options = *options;
    registry->load.registry = registry;
    registry->look.registry = registry;
    Status status = background_open("hasher", true, &registry->hasher, out_error);
    if (!status) status = background_open("loader", false, &registry->loader, out_error);
    if (status) {
        registry_close(registry);
        return status;
    }
    registry->options.model.janitor = registry->loader;
    registry->options.model.memory = &registry->memory;
    *out_registry = registry;
    return STATUS_OK;
}

void registry_drain(Registry *registry)
{
    registry->draining = true;
    registry_advance(registry);
}

void registry_stop(Registry *registry)
{
    if (!registry || registry->stopped) return;
    registry_drain(registry);
    registry->stopped = true;
    for (size_t i = 0; i < registry->count; i++) {
        if (registry->entries[i]->model) model_retire(registry->entries[i]->model);
    }
    background_close(registry->hasher);
    registry->hasher = NULL;
    if (!registry->loader) return; /* half open */
    background_flush(registry->loader);
    registry_turn(registry); /* ends the change under way */
}

void registry_close(Registry *registry)
{
    if (!registry) return;
    registry_stop(registry);
    for (size_t i = 0; i < registry->count; i++) {
        registry_drop_model(registry->entries[i]);
        free(registry->entries[i]->directory);
        free(registry->entries[i]);
    }
    background_close(registry->loader); /* which frees the models */
    free(registry->look.sights);
    free(registry);
}

void registry_turn(Registry *registry)
{
    if (atomic_exchange(&registry->load.done, false)) registry_loaded(registry);
    if (atomic_exchange(&registry->look.done, false)) registry_looked(registry);
}

RegistryEntry *registry_entry(const Registry *registry, TextView name)
{
    for (size_t i = 0; i < registry->count; i++) {
        if (text_equal(name, text_view(registry->entries[i]->name))) return registry->entries[i];
    }
    return NULL;
}

Status registry_check_name(TextView name, Error *out_error)
{
    size_t position;
    if (name.size == 0 || name.size > MODEL_NAME_BYTES_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "a model's name must have 1 to %u bytes",
                         (unsigned)MODEL_NAME_BYTES_MAX);
    }
    if (utf8_valid(name, &position) && !memchr(name.bytes, '\0', name.size)) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "a model's name must be UTF-8 without NUL");
}

Status registry_add(Registry *registry, TextView name, const char *directory, RegistryOrigin origin,
                    RegistryEntry **out_entry, Error *out_error)
{
    Status status = registry_check_name(name, out_error);
    if (status) return status;
    if (registry_entry(registry, name)) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "two models are called '%.*s'", (int)name.size,
                         name.bytes);
    }
    if (registry->count == MODEL_COUNT_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "more than %d models", MODEL_COUNT_MAX);
    }
    RegistryEntry *entry = calloc(1, sizeof *entry);
    if (entry) entry->directory = strdup(directory);
    if (!entry || !entry->directory) {
        free(entry);
        return error_set(out_error, STATUS_NO_MEMORY, "registry: out of memory");
    }
    memcpy(entry->name, name.bytes, name.size);
    entry->origin = origin;
    registry->entries[registry->count++] = entry;
    *out_entry = entry;
    return STATUS_OK;
}

void registry_remove(Registry *registry, RegistryEntry *entry)
{
    size_t index = 0;
    while (registry->entries[index] != entry) index++;
    registry->count--;
    memmove(&registry->entries[index], &registry->entries[index + 1],
            (registry->count - index) * sizeof(RegistryEntry *));
    registry_drop_model(entry);
    free(entry->directory);
    free(entry);
}

void registry_drop_model(RegistryEntry *entry)
{
    if (entry->model) model_retire(entry->model);
    model_release(entry->model);
    entry->model = NULL;
}

Status registry_name(Registry *registry, TextView name, const char *directory, Error *out_error)
{
    RegistryEntry *entry;
    Status status = registry_add(registry, name, directory, REGISTRY_NAMED, &entry, out_error);
    if (!status) entry->loading = true;
    return status;
}

bool registry_is_default(const Registry *registry, const RegistryEntry *entry)
{
    return entry == registry->entries[0] && entry->origin == REGISTRY_NAMED;
}

/* The only one that clients see; NULL: there is none, or several. */
static const RegistryEntry *registry_only(const Registry *registry)
{
    const RegistryEntry *only = NULL;
    for (size_t i = 0; i < registry->count; i++) {
        if (registry->entries[i]->parked) continue;
        if (only) return NULL;
        only = registry->entries[i];
    }
    return only;
}

/* "'a', 'b', ...", as far as they fit; "none". */
static void registry_list_names(const Registry *registry, char *text, size_t capacity)
{
    size_t used = 0;
    snprintf(text, capacity, "none");
    for (size_t i = 0; i < registry->count; i++) {
        if (registry->entries[i]->parked) continue;
        const char *name = registry->entries[i]->name;
        bool fits = used + strlen(name) + sizeof ", '', ..." <= capacity;
        int size = snprintf(text + used, capacity - used, fits ? "%s'%s'" : "%s...", used ? ", " : "", name);
        if (!fits || size < 0) return;
        used += (size_t)size;
    }
}

static Status registry_unknown(const Registry *registry, TextView name, Error *out_error)
{
    char names[ERROR_MESSAGE_BYTES / 2];
    registry_list_names(registry, names, sizeof names);
    if (name.size == 0) {
        return error_set(out_error, STATUS_NOT_FOUND, "there is no default model: name one of %s", names);
    }
    return error_set(out_error, STATUS_NOT_FOUND, "no model is called '%.*s': the server has %s", (int)name.size,
                     name.bytes, names);
}

Status registry_find(Registry *registry, TextView name, Model **out_model, Error *out_error)
{
    const RegistryEntry *entry = name.size ? registry_entry(registry, name) : registry_only(registry);
    if (name.size == 0 && registry->count && registry_is_default(registry, registry->entries[0])) {
        entry = registry->entries[0];
    }
    if (!entry || entry->parked) return registry_unknown(registry, name, out_error);
    if (entry->model) {
        *out_model = model_retain(entry->model);
        return STATUS_OK;
    }
    if (entry->failure[0] && !entry->loading) {
        return error_set(out_error, STATUS_UNAVAILABLE,
                         "the model '%s' could not be loaded: ListModels and the server's log say why",
                         entry->name);
    }
    error_set(out_error, STATUS_UNAVAILABLE, "the model is being loaded: try again in a moment");
    out_error->retry_after_ns = REGISTRY_LOADING_RETRY_NS;
    return STATUS_UNAVAILABLE;
}

size_t registry_count(const Registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < registry->count; i++) count += !registry->entries[i]->parked;
    return count;
}

RegistryView registry_view(const Registry *registry, size_t index)
{
    size_t i = 0;
    while (registry->entries[i]->parked || index-- > 0) i++;
    assert(i < registry->count);
    const RegistryEntry *entry = registry->entries[i];
    return (RegistryView){
        .name = entry->name,
        .model = entry->model,
        .failure = entry->failure,
        .loading = entry->loading || (!entry->model && !entry->failure[0]),
        .is_default = registry_is_default(registry, entry),
    };
}

bool registry_ready(const Registry *registry)
{
    bool named = false;
    bool ready = false;
    for (size_t i = 0; i < registry->count; i++) {
        const RegistryEntry *entry = registry->entries[i];
        if (entry->origin == REGISTRY_NAMED && !entry->model && !entry->parked) return false;
        named |= entry->origin == REGISTRY_NAMED;
        ready |= entry->model != NULL;
    }
    return named || (ready && !registry_busy(registry));
}

bool registry_busy(const Registry *registry)
{
    return registry->current || registry->first || registry->look.busy;
}

uint64_t registry_memory_bytes(const Registry *registry)
{
    return atomic_load(&registry->memory);
}
