/* One open checkpoint with a workspace for each worker and for each lane of long texts, kept alive by everyone who uses
 * it: the registry that names it, and each call that computes with it. */
#pragma once

#include "pipeline/pipeline.h"
#include "registry/background.h"

#include <stdatomic.h>

typedef struct Model Model; /* immutable once open, but for the count of its users: any thread */

typedef struct ModelOptions {
    const char *name; /* what clients call it; copied, as is the directory */
    const char *directory;
    uint32_t token_count_max; /* as in PipelineOptions, like the next */
    uint32_t attention_window;
    const Kernels *kernels; /* outlives the model */
    uint32_t worker_count;
    uint32_t lane_count;   /* texts of more than LONG_TOKENS that run at a time; 0: as batches, on any worker */
    uint32_t batch_tokens; /* the most of one batch; raised to the longest text that is none for a lane */
    uint32_t batch_items;
    bool copied;                  /* once it is open, nothing is read from its files that could change there */
    uint64_t tokenizer_bytes;     /* counted with its memory */
    Background *janitor;          /* frees it, which takes a while; NULL: its last user does. Outlives it */
    atomic_uint_fast64_t *memory; /* of all models: counts this one as long as it lives; NULL: nobody counts */
} ModelOptions;

/* Opens the checkpoint, gives each worker a workspace and runs each once, so that the first request finds its memory
 * mapped. On success the caller holds *out_model (model_release); on failure it is untouched. Any thread; blocks on
 * the disk. Fails as pipeline_open, and with INTERNAL when the model's answer is not finite. */
CHECKED Status model_open(const ModelOptions *options, Model **out_model, Error *out_error);

/* One more user. Whoever calls it holds the model already, or is the loop, where the registry does. Any thread. */
Model *model_retain(Model *model);
/* The last user frees the model. Any thread; NULL is a no-op. */
void model_release(Model *model);
/* It answers no new call: what is still done on its behalf, but not for a call, stops. Any thread. */
void model_retire(Model *model);

/* Reads its weights for their digest on the thread of `hasher`, which must end before the janitor's. */
void model_hash(Model *model, Background *hasher);
/* 64 hexadecimal digits; empty until they are known. */
const char *model_weights_sha256(const Model *model);

const char *model_name(const Model *model);
const Pipeline *model_pipeline(const Model *model);
/* That of `worker` < worker_count; used by its thread alone. */
PipelineWorkspace *model_workspace(const Model *model, uint32_t worker);
/* That of `lane` < lane_count, with whose texts all workers may help; there is one if the model takes longer texts than
 * LONG_TOKENS. */
PipelineWorkspace *model_lane_workspace(const Model *model, uint32_t lane);
/* Operations of a full batch of the longest texts, at least of one of them; UINT64_MAX where that does not fit. */
uint64_t model_batch_work(const Model *model);
/* Its weights as they are laid out, what stays of its files, its tokenizer and all its workspaces. */
uint64_t model_memory_bytes(const Model *model);
uint32_t model_workspace_count(const Model *model); /* of workers and lanes */
uint64_t model_workspace_bytes(const Model *model); /* of all of them */
