/* A checkpoint directory as Hugging Face ships it: configuration proved, tensors mapped, nothing copied. */
#pragma once

#include "base/sha256.h"
#include "model/head.h"
#include "model/tensor.h"

#include <stdatomic.h>

typedef struct Checkpoint Checkpoint; /* immutable once open: any thread may read it */

/* Opens `directory`: config.json, sentence-transformers' files, model.safetensors or the shards of
 * model.safetensors.index.json. On success the caller owns *out_checkpoint (checkpoint_close); on failure it is
 * untouched and out_error names the file, the field or tensor, what was expected and what was found. Blocks on the
 * disk. Fails with NOT_FOUND, IO, CORRUPT, UNSUPPORTED, RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status checkpoint_open(const char *directory, Checkpoint **out_checkpoint, Error *out_error);
void checkpoint_close(Checkpoint *checkpoint); /* NULL is a no-op; accepts a half-open checkpoint */

const char *checkpoint_directory(const Checkpoint *checkpoint);
/* Where config.json, the tokenizer and the weights lie: the folder of the Transformer in modules.json. */
const char *checkpoint_model_directory(const Checkpoint *checkpoint);
const ModelConfig *checkpoint_config(const Checkpoint *checkpoint);
const HeadConfig *checkpoint_head_config(const Checkpoint *checkpoint);
const SentenceConfig *checkpoint_sentence_config(const Checkpoint *checkpoint);

/* One thread at a time finds and releases tensors. */

/* Finds `name`, with or without the architecture's base prefix, and proves its shape: `rank` sizes at `shape`.
 * Fails with NOT_FOUND (naming tensor and file) and CORRUPT (naming tensor, file, expected and found shape or
 * type). */
CHECKED Status checkpoint_tensor(const Checkpoint *checkpoint, const char *name, uint32_t rank,
                                 const uint64_t *shape, Tensor *out_tensor, Error *out_error);

/* Whether there is a tensor of that name, spelled in any of the ways above. */
bool checkpoint_has_tensor(const Checkpoint *checkpoint, const char *name);

/* Says that a tensor has been laid out elsewhere: its mapped pages leave the resident set. It may still be read.
 */
void checkpoint_release(const Checkpoint *checkpoint, const Tensor *tensor);

/* Says that a tensor, or a part of one, will not be read again soon: its mapped pages leave the resident set, and come
 * back as they are read. Before checkpoint_detach. */
void checkpoint_evict(const Checkpoint *checkpoint, const Tensor *tensor);

/* Bytes of the tensors that were found and not released. */
uint64_t checkpoint_kept_bytes(const Checkpoint *checkpoint);
/* Copies those tensors to where they are: the files may change from now on. What was released must not be read again
 * then. Before other threads read them. Fails with NO_MEMORY. */
CHECKED Status checkpoint_detach(const Checkpoint *checkpoint, Error *out_error);

/* SHA-256 over the safetensors files in the order of their names, in hexadecimal. Reads all weights: seconds for a
 * large model, so call it away from the loop; ends soon after *stop became true. Fails with NO_MEMORY, INTERNAL,
 * CANCELLED; as file_reread, also when a file is not any more what was opened. */
CHECKED Status checkpoint_hash(const Checkpoint *checkpoint, const atomic_bool *stop,
                               char out_hex[SHA256_HEX_BYTES], Error *out_error);
