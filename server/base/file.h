/* Files as bounded bytes: read whole, or mapped. */
#pragma once

#include "base/status.h"
#include "base/text.h"

/* Joins with one '/'; fails with INVALID_ARGUMENT when the result does not fit into `capacity`. */
CHECKED Status file_join(char *out_path, size_t capacity, const char *directory, const char *name,
                         Error *out_error);

bool file_exists(const char *path);

/* The path of `name` beside the folder that the running program is in: of "share/a", for /usr/bin/program,
 * /usr/share/a. Whether it exists is not asked. Fails with NOT_FOUND (the kernel does not say where the program is),
 * INVALID_ARGUMENT (too long for `capacity`). */
CHECKED Status file_join_installed(char *out_path, size_t capacity, const char *name, Error *out_error);

/* Reads the whole regular file, at most `size_max` bytes. On success the caller frees (*out_bytes) with free();
 * the byte after the last is 0. Blocks. Fails with NOT_FOUND, IO, RESOURCE_EXHAUSTED (too large), NO_MEMORY. */
CHECKED Status file_read(const char *path, size_t size_max, char **out_bytes, size_t *out_size, Error *out_error);

/* Gives each of the descriptors 0, 1 and 2 that is closed to /dev/null, so that no file or connection opened later
 * becomes the standard input, output or error of code that does not know. They still fail as closed ones do: reading
 * 0, writing 1 or 2. Before anything is opened. */
void file_hold_standard(void);

/* A read-only private mapping. What another process writes to the file meanwhile may show in it, and what it cuts off
 * raises SIGBUS (guard.h): a file is to be replaced by rename, or file_detach to be used. */
typedef struct FileMapping {
    const unsigned char *bytes;
    size_t size;
    uint64_t identity; /* of the file as it was: which it is, and when it was written */
} FileMapping;

/* Maps a regular file of 1 to `size_max` bytes. On success the caller owns *out_mapping (file_unmap). Fails with
 * NOT_FOUND, IO, CORRUPT (empty), RESOURCE_EXHAUSTED. */
CHECKED Status file_map(const char *path, size_t size_max, FileMapping *out_mapping, Error *out_error);
/* Tells the kernel that [offset, offset + size) will not be read again soon; the pages leave our resident set. */
void file_release(const FileMapping *mapping, size_t offset, size_t size);
/* Reads the file that was mapped, part by part, without the mapping: `take` returns false to stop. Fails with
 * NOT_FOUND, IO, NO_MEMORY, and with CORRUPT when it is another file by now, or has been written to. */
CHECKED Status file_reread(const char *path, const FileMapping *mapping,
                           bool (*take)(void *context, const void *bytes, size_t size), void *context,
                           Error *out_error);
/* Makes [offset, offset + size) and the rest of its pages memory of our own, with what is there now, at the same
 * place: the file may change from then on. Fails with NO_MEMORY. */
CHECKED Status file_detach(const FileMapping *mapping, size_t offset, size_t size, Error *out_error);
void file_unmap(FileMapping *mapping); /* a zeroed mapping is a no-op */
