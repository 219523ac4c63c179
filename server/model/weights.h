/* The safetensors files of a checkpoint, mapped, and one table over all of their tensors. */
#pragma once

#include "base/file.h"
#include "model/safetensors.h"

typedef struct WeightFile {
    char *path; /* owned */
    FileMapping mapping;
} WeightFile;

/* Zeroed is empty. Immutable once open. */
typedef struct Weights {
    WeightFile *files; /* in the order of their names */
    size_t file_count;
    SafetensorsTable table;
} Weights;

/* Opens model.safetensors of `directory`, or the shards of model.safetensors.index.json, into the zeroed *weights,
 * which the caller frees in any case (weights_close). Fails with NOT_FOUND, IO, CORRUPT, UNSUPPORTED,
 * RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status weights_open(const char *directory, Weights *weights, Error *out_error);
/* Appends model.safetensors of `directory`/`folder`, a module of its own, to open weights; its tensors are named
 * "<folder>/<name>". Fails as weights_open. */
CHECKED Status weights_add_module(Weights *weights, const char *directory, const char *folder, Error *out_error);
void weights_close(Weights *weights); /* a zeroed or half-open one is fine */
