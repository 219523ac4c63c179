/* Which files of a hub repository make a checkpoint that Headlight can serve. Pure: the listing's bytes in, names
 * out. */
#pragma once

#include "base/sha256.h"
#include "base/status.h"
#include "base/text.h"

enum {
    PULL_FILES_MAX = 4096, /* in a listing; large repositories have hundreds */
    PULL_PATH_BYTES_MAX = 256,
    PULL_COMMIT_BYTES = 65, /* a git hash and its terminator */
    PULL_LISTING_BYTES_MAX = 16 * 1024 * 1024,
};

typedef struct PullFile {
    char path[PULL_PATH_BYTES_MAX]; /* relative, safe to create below a directory */
    bool size_known;
    uint64_t size;
    char sha256[SHA256_HEX_BYTES]; /* lower case; "" when the hub named none */
} PullFile;

/* Owned by whoever parsed it (pull_files_free). */
typedef struct PullFiles {
    char commit[PULL_COMMIT_BYTES];
    PullFile *files; /* [count]; config.json last, so that an interrupted pull is no checkpoint */
    size_t count;
} PullFiles;

/* Reads the hub's answer about a revision and keeps what Headlight needs. Fails with CORRUPT (no such answer, or
 * an unsafe name), NOT_FOUND (no configuration or no safetensors in it), RESOURCE_EXHAUSTED (a limit), NO_MEMORY.
 */
CHECKED Status pull_files_parse(TextView listing, PullFiles *out_files, Error *out_error);
void pull_files_free(PullFiles *files); /* zeroed is a no-op */

/* Whether `path` stays below the directory it is joined to: relative, no empty, "." or ".." part, no control
 * characters, no backslash. */
bool pull_path_safe(TextView path);
/* Whether a checkpoint needs the file, weights aside: configuration and vocabulary, at the top or in a module's
 * folder
 * ("1_Pooling/config.json"). */
bool pull_path_needed(const char *path);
/* Most bytes that such a file may have. */
uint64_t pull_path_bytes_max(const char *path);
/* "name" or "owner/name" of letters, digits, '-', '_' and '.'. */
bool pull_repository_valid(const char *repository);
