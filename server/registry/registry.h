/* The models of the process by their names. Everything here is the loop's, but for the models themselves. */
#pragma once

#include "registry/model.h"

typedef struct Registry Registry;

/* The caller owns *out_registry (registry_close). Fails with NO_MEMORY. */
CHECKED Status registry_open(Registry **out_registry, Error *out_error);
void registry_close(Registry *registry); /* NULL is a no-op; calls may still hold models */

/* A name whose model is on its way; the first is the default. Fails with INVALID_ARGUMENT (a name that is there, empty,
 * too long or no UTF-8), RESOURCE_EXHAUSTED (MODEL_COUNT_MAX), NO_MEMORY. */
CHECKED Status registry_add(Registry *registry, TextView name, Error *out_error);
/* The model of its name from now on; what it replaces goes on until its last call has ended. Takes over `model`. */
void registry_set(Registry *registry, Model *model);

/* The model called `name`, empty: the default, held for the caller (model_release). Fails with NOT_FOUND, naming those
 * that are there; with UNAVAILABLE and a time to retry while it loads. */
CHECKED Status registry_find(Registry *registry, TextView name, Model **out_model, Error *out_error);

/* One model as it stands. */
typedef struct RegistryView {
    const char *name;
    const Model *model;         /* NULL while it loads; not held */
    const char *weights_sha256; /* 64 hexadecimal digits; empty until they are known */
} RegistryView;

size_t registry_count(const Registry *registry);
RegistryView registry_view(const Registry *registry, size_t index);
/* The digest of what the model called `name` was loaded from. */
void registry_set_weights_sha256(Registry *registry, const char *name, const char *hex);
