/* Changes, one after the other: begun on the loop, loaded on the loader's thread, ended on the loop. */
#include "base/clock.h"
#include "base/file.h"
#include "base/guard.h"
#include "base/log.h"
#include "registry/registry_state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REGISTRY_CHANGES_RETRY_NS (1 * NS_PER_S)

static void load_run(BackgroundItem *item);

Status registry_change(Registry *registry, RegistryChange *change, Error *out_error)
{
    if (registry->draining) return error_set(out_error, STATUS_UNAVAILABLE, "the server is shutting down");
    if (registry->waiting == MODEL_CHANGES_MAX) {
        error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%d changes of models wait already: try again later",
                  MODEL_CHANGES_MAX);
        out_error->retry_after_ns = REGISTRY_CHANGES_RETRY_NS;
        return STATUS_RESOURCE_EXHAUSTED;
    }
    change->next = NULL;
    change->error = (Error){.status = STATUS_OK};
    change->changed = false;
    if (registry->last) {
        registry->last->next = change;
    } else {
        registry->first = change;
    }
    registry->last = change;
    registry->waiting++;
    registry_advance(registry);
    return STATUS_OK;
}

static void change_end(Registry *registry, RegistryChange *change)
{
    registry->current = NULL;
    change->done(change);
}

/* A directory that a client may name: one that was named at the start, or a folder of the models' folder, by its name
 * alone, so that it leads nowhere else. */
static Status change_directory(const Registry *registry, const RegistryChange *change,
                               char out_directory[PATH_BYTES_MAX], Error *out_error)
{
    const char *wanted = change->directory;
    for (size_t i = 0; wanted && i < registry->count; i++) {
        const RegistryEntry *named = registry->entries[i];
        if (named->origin != REGISTRY_NAMED || strcmp(named->directory, wanted) != 0) continue;
        snprintf(out_directory, PATH_BYTES_MAX, "%s", named->directory);
        return STATUS_OK;
    }
    char name[MODEL_NAME_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)change->name.size, change->name.bytes);
    if (!wanted) wanted = name;
    if (registry->options.folder && wanted[0] != '.' && wanted[0] != '\0' && !strchr(wanted, '/')) {
        return file_join(out_directory, PATH_BYTES_MAX, registry->options.folder, wanted, out_error);
    }
    return error_set(
        out_error, STATUS_FAILED_PRECONDITION,
        "a model is loaded from a folder of --models-directory, which is named without a '/', or from a "
        "directory that was named at the start");
}

static void load_post(Registry *registry, const RegistryEntry *entry, uint64_t known)
{
    RegistryLoad *load = &registry->load;
    load->item.run = load_run;
    load->known = known;
    load->of_folder = entry->origin != REGISTRY_NAMED;
    load->model = NULL;
    load->fingerprint = (Fingerprint){0};
    load->error = (Error){.status = STATUS_OK};
    snprintf(load->name, sizeof load->name, "%s", entry->name);
    snprintf(load->directory, sizeof load->directory, "%s", entry->directory);
    background_post(registry->loader, &load->item);
}

/* True: it is under way. */
static bool change_begin_load(Registry *registry, RegistryChange *change)
{
    RegistryEntry *entry = registry_entry(registry, change->name);
    char directory[PATH_BYTES_MAX];
    if (entry && entry->model) {
        error_set(&change->error, STATUS_FAILED_PRECONDITION, "the model '%s' is loaded: reload or unload it",
                  entry->name);
        return false;
    }
    if (!entry && registry_check_name(change->name, &change->error)) return false;
    if ((!entry || change->directory) && change_directory(registry, change, directory, &change->error))
        return false;
    if (!entry && registry_add(registry, change->name, directory, REGISTRY_ASKED, &entry, &change->error)) {
        return false;
    }
    if (change->directory && strcmp(entry->directory, directory) != 0) {
        error_set(&change->error, STATUS_FAILED_PRECONDITION,
                  "the name '%s' belongs to another directory: choose another name", entry->name);
        return false;
    }
    entry->parked = false;
    entry->loading = true;
    load_post(registry, entry, 0);
    return true;
}

static bool change_begin_reload(Registry *registry, RegistryChange *change)
{
    RegistryEntry *entry = registry_entry(registry, change->name);
    if (!entry || entry->parked) {
        error_set(&change->error, STATUS_NOT_FOUND, "no model is called '%.*s'", (int)change->name.size,
                  change->name.bytes);
        return false;
    }
    entry->loading = true;
    load_post(registry, entry, change->force || !entry->model ? 0 : entry->loaded);
    return true;
}

static void change_unload(Registry *registry, RegistryChange *change)
{
    RegistryEntry *entry = registry_entry(registry, change->name);
    if (!entry || entry->parked) {
        error_set(&change->error, STATUS_NOT_FOUND, "no model is called '%.*s'", (int)change->name.size,
                  change->name.bytes);
        return;
    }
    if (registry_is_default(registry, entry)) {
        error_set(&change->error, STATUS_FAILED_PRECONDITION,
                  "'%s' is the default model, which requests without a name rely on", entry->name);
        return;
    }
    change->changed = true;
    log_event(LOG_INFO, "model_unloaded", "'%s'", entry->name);
    if (entry->origin == REGISTRY_ASKED || change->force) {
        registry_remove(registry, entry);
        return;
    }
    registry_drop_model(entry);
    entry->parked = true;
    entry->loading = false;
    entry->failed = 0;
    entry->failure[0] = '\0';
}

void registry_advance(Registry *registry)
{
    while (!registry->current && registry->first) {
        RegistryChange *change = registry->first;
        registry->first = change->next;
        if (!registry->first) registry->last = NULL;
        registry->waiting--;
        registry->current = change;
        bool under_way = false;
        if (registry->draining) {
            error_set(&change->error, STATUS_UNAVAILABLE, "the server is shutting down");
        } else if (change->action == REGISTRY_LOAD) {
            under_way = change_begin_load(registry, change);
        } else if (change->action == REGISTRY_RELOAD) {
            under_way = change_begin_reload(registry, change);
        } else {
            change_unload(registry, change);
        }
        if (!under_way) change_end(registry, change);
    }
}

/* ---- On the loader's thread ---- */

static Status load_check_memory(const RegistryLoad *load, uint64_t used, uint64_t more, const char *least,
                                Error *out_error)
{
    uint64_t limit = load->registry->options.memory_max;
    if (limit == 0 || (used <= limit && more <= limit - used)) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                     "'%s' needs %s%" PRIu64 " bytes of memory; of the %" PRIu64
                     " that models may take (--model-memory-limit), %" PRIu64 " are in use",
                     load->name, least, more, limit, used);
}

static Status load_open(RegistryLoad *load, Error *out_error)
{
    Registry *registry = load->registry;
    ModelOptions options = registry->options.model;
    options.name = load->name;
    options.directory = load->directory;
    options.tokenizer_bytes = load->fingerprint.other_bytes;
    options.copied |= load->of_folder && registry->options.copied_folder;
    uint64_t used = atomic_load(&registry->memory);
    uint64_t least = load->fingerprint.weights_bytes;
    Status status = load_check_memory(load, used, least, "at least ", out_error);
    if (status) return status;
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    guard_begin();
    status = model_open(&options, &load->model, out_error);
    if (guard_end()) {
        status = error_set(out_error, STATUS_UNAVAILABLE, "%s: a file was cut short while it was read",
                           load->directory);
    }
    if (status) return status;
    uint64_t opened_ns = clock_now_ns(&clock_monotonic);
    uint64_t bytes = model_memory_bytes(load->model);
    status = load_check_memory(load, atomic_load(&registry->memory) - bytes, bytes, "", out_error);
    if (status) return status;
    log_event(LOG_INFO, "model_loaded",
              "'%s' from %s: up to %u tokens, %" PRIu64 " MiB, %" PRIu64
              " of it for %u workspaces; %u under-trained tokens; %s; in %.1f ms",
              load->name, load->directory, pipeline_token_count_max(model_pipeline(load->model)), bytes / MIB,
              model_workspace_bytes(load->model) / MIB, model_workspace_count(load->model),
              pipeline_glitch_count(model_pipeline(load->model)), kernels_describe(options.kernels),
              (double)(opened_ns - started_ns) / NS_PER_MS);
    return STATUS_OK;
}

/* What is read must be there before and after, the same: else part of it may be of another model. */
static Status load_work(RegistryLoad *load, Error *out_error)
{
    Fingerprint after;
    Status status = fingerprint_take(load->directory, &load->fingerprint, out_error);
    if (status) return status;
    if (load->known && load->known == load->fingerprint.value) return STATUS_OK;
    status = load_open(load, out_error);
    if (!status) status = fingerprint_take(load->directory, &after, out_error);
    if (!status && after.value != load->fingerprint.value) {
        status = error_set(out_error, STATUS_UNAVAILABLE, "%s: its files changed while they were read",
                           load->directory);
    }
    if (status) {
        model_release(load->model);
        load->model = NULL;
    }
    return status;
}

static void load_run(BackgroundItem *item)
{
    RegistryLoad *load = (RegistryLoad *)item;
    Registry *registry = load->registry;
    (void)load_work(load, &load->error);
    atomic_store(&load->done, true); /* from here on it is the loop's */
    registry->options.wake(registry->options.context);
}

/* ---- On the loop again ---- */

/* Clients get to know causes, but not where models lie: the directory gives way to the name. */
static void failure_set(RegistryEntry *entry, Error *error)
{
    size_t size = strlen(entry->directory);
    char *found = size ? strstr(error->message, entry->directory) : NULL;
    if (found) {
        char tail[ERROR_MESSAGE_BYTES];
        snprintf(tail, sizeof tail, "%s", found + size);
        snprintf(found, sizeof error->message - (size_t)(found - error->message), "%s%s", entry->name, tail);
    }
    snprintf(entry->failure, sizeof entry->failure, "%s", error->message);
}

static void loaded_take(Registry *registry, RegistryEntry *entry, Model *model)
{
    registry->options.ready(registry->options.context, model);
    registry_drop_model(entry);
    entry->model = model;
    entry->loaded = registry->load.fingerprint.value;
    model_hash(model, registry->hasher);
}

void registry_loaded(Registry *registry)
{
    RegistryLoad *load = &registry->load;
    RegistryChange *change = registry->current;
    RegistryEntry *entry = registry_entry(registry, text_view(load->name));
    assert(change && entry);
    entry->loading = false;
    if (registry->stopped) {
        model_release(load->model);
        error_set(&change->error, STATUS_UNAVAILABLE, "the server is shutting down");
    } else if (load->error.status) {
        log_event(LOG_ERROR, "model_failed", "'%s': %s", entry->name, load->error.message);
        change->error = load->error;
        failure_set(entry, &change->error);
        entry->failed = load->fingerprint.value;
        if (entry->origin == REGISTRY_ASKED && !entry->model) registry_remove(registry, entry);
    } else {
        change->changed = load->model != NULL;
        if (load->model) loaded_take(registry, entry, load->model);
        entry->failed = 0;
        entry->failure[0] = '\0';
    }
    change_end(registry, change);
    registry_advance(registry);
}
