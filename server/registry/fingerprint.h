/* Whether a checkpoint's files are still those that were read: their names, inodes, sizes and times. */
#pragma once

#include "base/status.h"

typedef struct Fingerprint {
    uint64_t value;         /* 0: none */
    uint64_t weights_bytes; /* of *.safetensors */
    uint64_t other_bytes;   /* of the rest, which is mostly the tokenizer */
} Fingerprint;

/* Looks at the files of `directory` and of the folders in it, but not at hidden ones; reads none of them. Two values
 * that are equal mean the same files. Any thread; blocks on the disk. Fails with NOT_FOUND, IO, RESOURCE_EXHAUSTED
 * (more than CHECKPOINT_FILES_MAX). */
CHECKED Status fingerprint_take(const char *directory, Fingerprint *out_fingerprint, Error *out_error);
