/* What the registry holds; for the files of registry/ only. */
#pragma once

#include "base/limits.h"
#include "registry/fingerprint.h"
#include "registry/registry.h"

typedef enum RegistryOrigin {
    REGISTRY_NAMED, /* at the start */
    REGISTRY_FOUND, /* in the folder */
    REGISTRY_ASKED, /* by a client */
} RegistryOrigin;

/* The loop's. */
typedef struct RegistryEntry {
    char name[MODEL_NAME_BYTES_MAX + 1];
    char *directory;
    RegistryOrigin origin;
    Model *model;    /* held; NULL: not ready */
    bool loading;    /* a change of it waits or is under way */
    bool parked;     /* unloaded on demand, remembered for its directory: clients see nothing of it */
    bool missed;     /* was not in the folder the last time */
    uint64_t loaded; /* fingerprint of what `model` was read from */
    uint64_t failed; /* of what could not be loaded; 0: the last load went well */
    uint64_t seen;   /* at the last look */
    char failure[ERROR_MESSAGE_BYTES];
} RegistryEntry;

/* The loader's from its posting to `done`: what the change under way needs, and its result. */
typedef struct RegistryLoad {
    BackgroundItem item;
    struct Registry *registry;
    char name[MODEL_NAME_BYTES_MAX + 1];
    char directory[PATH_BYTES_MAX];
    bool of_folder;
    uint64_t known; /* the fingerprint that needs no load; 0: load in any case */
    Model *model;
    Fingerprint fingerprint;
    Error error;
    atomic_bool done;
} RegistryLoad;

/* One folder, or one directory of a model. */
typedef struct RegistrySight {
    char name[MODEL_NAME_BYTES_MAX + 1];
    char directory[PATH_BYTES_MAX];
    uint64_t fingerprint; /* 0: it cannot be read */
    bool in_folder;
} RegistrySight;

/* The loader's from its posting to `done`. */
typedef struct RegistryLook {
    BackgroundItem item;
    struct Registry *registry;
    bool all;
    bool busy;             /* the loop's */
    bool again;            /* the loop's: everything was asked for meanwhile */
    bool folder_read;      /* false: nothing is known of the folder */
    RegistrySight *sights; /* [MODEL_COUNT_MAX] */
    size_t count;
    atomic_bool done;
} RegistryLook;

struct Registry {
    RegistryOptions options;
    Background *loader;
    Background *hasher;
    atomic_uint_fast64_t memory;
    RegistryEntry *entries[MODEL_COUNT_MAX]; /* the default, if any, is the first that is REGISTRY_NAMED */
    size_t count;
    RegistryChange *current;
    RegistryChange *first; /* that wait */
    RegistryChange *last;
    size_t waiting;
    RegistryLoad load;
    RegistryLook look;
    bool draining;
    bool stopped;
};

/* NULL: there is none. Parked ones too. */
RegistryEntry *registry_entry(const Registry *registry, TextView name);
/* Fails with INVALID_ARGUMENT. */
CHECKED Status registry_check_name(TextView name, Error *out_error);
CHECKED Status registry_add(Registry *registry, TextView name, const char *directory, RegistryOrigin origin,
                            RegistryEntry **out_entry, Error *out_error);
void registry_remove(Registry *registry, RegistryEntry *entry);
bool registry_is_default(const Registry *registry, const RegistryEntry *entry);
/* Lets the entry's model go. */
void registry_drop_model(RegistryEntry *entry);
/* Begins changes as long as none is under way. */
void registry_advance(Registry *registry);
/* The loader is done with the current change. */
void registry_loaded(Registry *registry);
/* The loader is done with a look. */
void registry_looked(Registry *registry);
