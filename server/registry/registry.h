/* The models of the process by their names, and their changes: loaded, unloaded, loaded anew while they serve. All
 * functions are the loop's; the work is done on a thread of the registry's own, one change after the other. */
#pragma once

#include "registry/model.h"

typedef struct Registry Registry;

typedef struct RegistryOptions {
    ModelOptions model;  /* of every model: name, directory, janitor and counters are the registry's to set */
    bool copied_folder;  /* as model.copied, for models of `folder` */
    const char *folder;  /* whose folders with a config.json are models by their names; NULL: none. Outlives it */
    uint64_t memory_max; /* of all models; 0: as much as there is */
    void (*wake)(void *context);                      /* any thread: registry_turn is to be called on the loop */
    void (*ready)(void *context, const Model *model); /* loop: before calls can find it */
    void *context;
} RegistryOptions;

/* The caller owns *out_registry (registry_close). Fails with NO_MEMORY, RESOURCE_EXHAUSTED (no thread). */
CHECKED Status registry_open(const RegistryOptions *options, Registry **out_registry, Error *out_error);
/* No change begins any more: those that wait, or are asked for, fail with UNAVAILABLE. */
void registry_drain(Registry *registry);
/* Drains, waits for the change under way, and stops hashing. NULL is a no-op. */
void registry_stop(Registry *registry);
/* Stopped, and when no call holds a model any more. NULL is a no-op. */
void registry_close(Registry *registry);
/* Takes up what the thread has done. */
void registry_turn(Registry *registry);

/* Names a model that is to be loaded from `directory`; it is there, but not ready. The first one so named is the
 * default, which cannot be unloaded. Fails with INVALID_ARGUMENT (a name that is there, empty, too long or no UTF-8),
 * RESOURCE_EXHAUSTED (MODEL_COUNT_MAX), NO_MEMORY. */
CHECKED Status registry_name(Registry *registry, TextView name, const char *directory, Error *out_error);

/* The model called `name`, held for the caller (model_release). Empty: the default; without one, the only model. Fails
 * with NOT_FOUND, naming those that are there; with UNAVAILABLE, and a time to retry while it loads. */
CHECKED Status registry_find(Registry *registry, TextView name, Model **out_model, Error *out_error);

/* Whether every model that was named is there; without any, whether one is, and nothing more is on its way. */
bool registry_ready(const Registry *registry);

/* Whether a change or a look is under way, or waits. */
bool registry_busy(const Registry *registry);

/* What is asked for while serving. */
typedef enum RegistryAction {
    /* Loads `directory` as `name`. NULL: where that name was before, else the folder of that name. Fails with
     * FAILED_PRECONDITION (it is loaded, belongs to another directory, or may not be read from this one), with
     * RESOURCE_EXHAUSTED (memory_max), and as model_open and registry_name. */
    REGISTRY_LOAD,
    /* Calls that hold the model end well. Fails with NOT_FOUND, FAILED_PRECONDITION (the default). */
    REGISTRY_UNLOAD,
    /* Loads it anew beside the old one, which then is let go. Where its files are those that were read, nothing is
     * done, unless `force`. On failure the old one goes on. Fails with NOT_FOUND and as REGISTRY_LOAD. */
    REGISTRY_RELOAD,
} RegistryAction;

typedef struct RegistryChange {
    struct RegistryChange *next; /* the registry's */
    RegistryAction action;
    TextView name;         /* lives until done, as does the directory */
    const char *directory; /* REGISTRY_LOAD: a folder's name, or a directory that registry_name was given */
    bool force;            /* REGISTRY_RELOAD: in any case; REGISTRY_UNLOAD: its directory is forgotten */
    void (*done)(struct RegistryChange *change); /* may free it */
    Error error;                                 /* its status is OK: done. Directories are not named */
    bool changed;                                /* false: there was nothing to do */
} RegistryChange;

/* Begun in the order of asking; `done` is called exactly once, perhaps before this returns, unless this fails: with
 * RESOURCE_EXHAUSTED and a time to retry (MODEL_CHANGES_MAX wait), UNAVAILABLE (stopped). */
CHECKED Status registry_change(Registry *registry, RegistryChange *change, Error *out_error);

/* Looks for what has changed on the disk, and loads or unloads it: models in the folder, and models whose last load
 * failed. `all`: every model. Unless `all`, a change must have been the same twice: what is still being copied is left
 * alone. At most one look is under way. */
void registry_look(Registry *registry, bool all);
/* Whether registry_look could find something that nobody asked for. */
bool registry_watches(const Registry *registry);

/* One model as it stands. */
typedef struct RegistryView {
    const char *name;
    const Model *model;  /* NULL: not ready; not held */
    const char *failure; /* why it could not be loaded, or loaded anew; else empty */
    bool loading;        /* or loading anew */
    bool is_default;
} RegistryView;

size_t registry_count(const Registry *registry);
RegistryView registry_view(const Registry *registry, size_t index);
uint64_t registry_memory_bytes(const Registry *registry); /* of all models that are not freed yet */
