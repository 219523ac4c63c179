/* One open checkpoint with a workspace for each worker, kept alive by everyone who uses it: the registry that names
 * it, and each call that computes with it. */
#pragma once

#include "pipeline/pipeline.h"

typedef struct Model Model; /* immutable once open, but for the count of its users: any thread */

typedef struct ModelOptions {
    const char *name; /* what clients call it; copied, as is the directory */
    const char *directory;
    uint32_t token_count_max; /* as in PipelineOptions */
    const Kernels *kernels;   /* outlives the model */
    uint32_t worker_count;
    uint32_t batch_tokens; /* the most of one batch; raised to the longest text */
    uint32_t batch_items;
} ModelOptions;

/* Opens the checkpoint, gives each worker a workspace and runs each once, so that the first request finds its memory
 * mapped. On success the caller holds *out_model (model_release); on failure it is untouched. Any thread; blocks on
 * the disk. Fails as pipeline_open, and with INTERNAL when the model's answer is not finite. */
CHECKED Status model_open(const ModelOptions *options, Model **out_model, Error *out_error);

/* One more user. Whoever calls it holds the model already, or is the loop, where the registry does. Any thread. */
Model *model_retain(Model *model);
/* The last user frees the model. Any thread; NULL is a no-op. */
void model_release(Model *model);

const char *model_name(const Model *model);
const Pipeline *model_pipeline(const Model *model);
/* That of `worker` < worker_count; used by its thread alone. */
PipelineWorkspace *model_workspace(const Model *model, uint32_t worker);
/* Operations of a full batch of the longest texts, at least of one of them; UINT64_MAX where that does not fit. */
uint64_t model_batch_work(const Model *model);
/* Of one workspace. */
uint64_t model_workspace_bytes(const Model *model);
