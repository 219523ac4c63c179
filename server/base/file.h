/* Files as bounded bytes: read whole, or mapped. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* Joins with one '/'; fails with INVALID_ARGUMENT when the result does not fit into `capacity`. */
CHECKED Status file_join(char *out_path, size_t capacity, const char *directory, const char *name,
                         Error *out_error);

bool file_exists(const char *path);

/* Reads the whole regular file, at most `size_max` bytes. On success the caller frees (*out_bytes) with free();
 * the byte after the last is 0. Blocks. Fails with NOT_FOUND, IO, RESOURCE_EXHAUSTED (too large), NO_MEMORY. */
CHECKED Status file_read(const char *path, size_t size_max, char **out_bytes, size_t *out_size, Error *out_error);

/* Gives each of the descriptors 0, 1 and 2 that is closed to /dev/null, so that no file or connection opened later
 * becomes the standard input, output or error of code that does not know. They still fail as closed ones do: reading
 * 0, writing 1 or 2. Before anything is opened. */
void file_hold_standard(void);

/* A read-only private mapping. A file that another process truncates meanwhile raises SIGBUS: checkpoints are
 * replaced by rename, never rewritten in place. */
typedef struct FileMapping {
    const unsigned char *bytes;
    size_t size;
} FileMapping;

/* Maps a regular file of 1 to `size_max` bytes. On success the caller owns *out_mapping (file_unmap). Fails with
 * NOT_FOUND, IO, CORRUPT (empty), RESOURCE_EXHAUSTED. */
CHECKED Status file_map(const char *path, size_t size_max, FileMapping *out_mapping, Error *out_error);
/* Tells the kernel that [offset, offset + size) will not be read again soon; the pages leave our resident set. */
void file_release(const FileMapping *mapping, size_t offset, size_t size);
void file_unmap(FileMapping *mapping); /* a zeroed mapping is a no-op */
