#include "pull_fetch.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PULL_HASH_DIGITS_IN_NAME = 16, PULL_BUFFER_BYTES = 256 * 1024 };

/* The part file under way. */
typedef struct PullPart {
    const PullFetch *fetch;
    const PullFile *file;
    int descriptor;
    Sha256 *hash; /* of [0, offset) */
    uint64_t offset;
} PullPart;

static Status pull_failed(const char *path, Error *out_error)
{
    return error_set(out_error, STATUS_IO, "%s: %s", path, strerror(errno));
}

/* ---- Places ---- */

/* Creates every folder of `path` that is missing; its last part is a file. */
static Status pull_make_folders(const char *path, Error *out_error)
{
    char folder[PATH_BYTES_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST) return pull_failed(folder, out_error);
        *slash = '/';
    }
    return STATUS_OK;
}

/* "1_Pooling/config.json" is built in "1_Pooling/.config.json.part"; with a hash, a piece of that is in the name,
 * so that a part is never continued with another version's bytes. */
static Status pull_place(const PullFetch *fetch, const PullFile *file, PullPlace *out_place, Error *out_error)
{
    *out_place = (PullPlace){0};
    Status status = file_join(out_place->final_path, PATH_BYTES_MAX, fetch->directory, file->path, out_error);
    if (status != STATUS_OK) return status;
    char *name = strrchr(out_place->final_path, '/') + 1;
    int written =
        snprintf(out_place->part_path, PATH_BYTES_MAX, "%.*s.%s%s%.*s.part", (int)(name - out_place->final_path),
                 out_place->final_path, name, *file->sha256 ? "." : "", PULL_HASH_DIGITS_IN_NAME, file->sha256);
    if (written < 0 || written >= PATH_BYTES_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "the path of %s is too long", file->path);
    }
    return pull_make_folders(out_place->final_path, out_error);
}

/* Feeds `hash` from the start of the file; *out_size is what it read. */
static Status pull_hash_file(int descriptor, const char *path, Sha256 *hash, uint64_t *out_size, Error *out_error)
{
    char *buffer = malloc(PULL_BUFFER_BYTES);
    if (!buffer) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    *out_size = 0;
    ssize_t count;
    while ((count = pread(descriptor, buffer, PULL_BUFFER_BYTES, (off_t)*out_size)) > 0) {
        sha256_update(hash, buffer, (size_t)count);
        *out_size += (uint64_t)count;
    }
    Status status = count < 0 ? pull_failed(path, out_error) : STATUS_OK;
    free(buffer);
    return status;
}

/* Whether the file is already in its place, proved by size and hash. */
static Status pull_is_complete(const PullFile *file, const char *path, bool *out_complete, Error *out_error)
{
    struct stat facts;
    *out_complete = false;
    if (!*file->sha256 || stat(path, &facts) != 0 || !S_ISREG(facts.st_mode)) return STATUS_OK;
    if (file->size_known && (uint64_t)facts.st_size != file->size) return STATUS_OK;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return pull_failed(path, out_error);
    Sha256 *hash = NULL;
    char digest[SHA256_HEX_BYTES];
    uint64_t size;
    Status status = sha256_open(&hash, out_error);
    if (status == STATUS_OK) status = pull_hash_file(descriptor, path, hash, &size, out_error);
    if (status == STATUS_OK) {
        sha256_finish(hash, digest);
        *out_complete = strcmp(digest, file->sha256) == 0;
    }
    sha256_close(hash);
    close(descriptor);
    return status;
}

/* ---- The part ---- */

static Status pull_part_restart(PullPart *part, Error *out_error)
{
    sha256_close(part->hash);
    part->hash = NULL;
    part->offset = 0;
    if (ftruncate(part->descriptor, 0) != 0) return pull_failed(part->file->path, out_error);
    return sha256_open(&part->hash, out_error);
}

/* Opens the part and hashes what it holds, when it may be continued. */
static Status pull_part_open(PullPart *part, const char *path, Error *out_error)
{
    part->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (part->descriptor < 0) return pull_failed(path, out_error);
    if (flock(part->descriptor, LOCK_EX | LOCK_NB) != 0) {
        return error_set(out_error, STATUS_UNAVAILABLE, "%s: another pull is writing it", path);
    }
    Status status = sha256_open(&part->hash, out_error);
    if (status != STATUS_OK) return status;
    if (!*part->file->sha256) return pull_part_restart(part, out_error);
    status = pull_hash_file(part->descriptor, path, part->hash, &part->offset, out_error);
    if (status != STATUS_OK) return status;
    bool too_long = part->file->size_known && part->offset > part->file->size;
    if (too_long) return pull_part_restart(part, out_error);
    progress_skip(part->fetch->progress, part->offset);
    return STATUS_OK;
}

static void pull_part_close(PullPart *part)
{
    if (part->descriptor >= 0) close(part->descriptor);
    sha256_close(part->hash);
}

static Status pull_part_begin(void *context, uint64_t offset, Error *out_error)
{
    PullPart *part = context;
    return offset == part->offset ? STATUS_OK : pull_part_restart(part, out_error);
}

static Status pull_part_write(void *context, const void *bytes, size_t size, Error *out_error)
{
    PullPart *part = context;
    const PullFile *file = part->file;
    uint64_t size_max = file->size_known ? file->size : pull_path_bytes_max(file->path);
    if (size > size_max - part->offset) {
        return error_set(out_error, STATUS_CORRUPT, "%s: the hub sends more than %" PRIu64 " bytes", file->path,
                         size_max);
    }
    for (size_t written = 0; written < size;) {
        ssize_t count = pwrite(part->descriptor, (const char *)bytes + written, size - written,
                               (off_t)(part->offset + written));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return pull_failed(file->path, out_error);
        written += (size_t)count;
    }
    sha256_update(part->hash, bytes, size);
    part->offset += size;
    progress_set(part->fetch->progress, part->fetch->done_before_bytes + part->offset);
    return STATUS_OK;
}

/* Asks until the file is whole, the retries are used up, or something else is wrong. Attempts that brought bytes
 * are not counted. */
static Status pull_part_get(PullPart *part, const char *url, Error *out_error)
{
    const PullFetch *fetch = part->fetch;
    const PullFile *file = part->file;
    HubSink sink = {pull_part_begin, pull_part_write, part};
    for (uint64_t attempt = 1;; attempt++) {
        if (*file->sha256 && file->size_known && part->offset == file->size && file->size > 0) return STATUS_OK;
        uint64_t offset = part->offset;
        Status status = hub_get(fetch->hub, url, offset, &sink, out_error);
        if (status == STATUS_OK) return STATUS_OK;
        if (status == STATUS_FAILED_PRECONDITION && offset > 0) {
            status = pull_part_restart(part, out_error);
            if (status != STATUS_OK) return status;
            continue;
        }
        if (part->offset > offset) attempt = 1;
        if (status != STATUS_UNAVAILABLE || attempt > fetch->retry_count) return status;
        status = hub_wait(fetch->hub, attempt, out_error, out_error);
        if (status != STATUS_OK) return status;
    }
}

/* Proves the part; one that fails is removed, for its bytes are worth nothing. */
static Status pull_part_check(PullPart *part, PullFile *file, const char *part_path, Error *out_error)
{
    char digest[SHA256_HEX_BYTES];
    sha256_finish(part->hash, digest);
    if (!*file->sha256) strcpy(file->sha256, hub_linked_sha256(part->fetch->hub));
    Status status = STATUS_OK;
    if (file->size_known && part->offset != file->size) {
        status =
            error_set(out_error, STATUS_CORRUPT, "%s has %" PRIu64 " bytes instead of %" PRIu64 "; pull it again",
                      file->path, part->offset, file->size);
    } else if (*file->sha256 && strcmp(digest, file->sha256) != 0) {
        status = error_set(out_error, STATUS_CORRUPT, "%s has the SHA-256 %s instead of %s; pull it again",
                           file->path, digest, file->sha256);
    } else if (fsync(part->descriptor) != 0) {
        return pull_failed(part_path, out_error);
    }
    if (status != STATUS_OK) unlink(part_path);
    strcpy(file->sha256, digest);
    file->size = part->offset;
    file->size_known = true;
    return status;
}

Status pull_fetch(const PullFetch *fetch, PullFile *file, PullPlace *out_place, Error *out_error)
{
    char url[HUB_URL_BYTES];
    Status status = hub_file_url(fetch->hub, fetch->repository, fetch->commit, file->path, url, out_error);
    if (status == STATUS_OK) status = pull_place(fetch, file, out_place, out_error);
    if (status == STATUS_OK)
        status = pull_is_complete(file, out_place->final_path, &out_place->complete, out_error);
    if (out_place->complete) progress_skip(fetch->progress, file->size);
    if (status != STATUS_OK || out_place->complete) return status;
    PullPart part = {.fetch = fetch, .file = file, .descriptor = -1};
    status = pull_part_open(&part, out_place->part_path, out_error);
    if (status == STATUS_OK) status = pull_part_get(&part, url, out_error);
    if (status == STATUS_OK) status = pull_part_check(&part, file, out_place->part_path, out_error);
    pull_part_close(&part);
    return status;
}

Status pull_fetch_finish(const PullPlace *place, Error *out_error)
{
    if (place->complete || rename(place->part_path, place->final_path) == 0) return STATUS_OK;
    return pull_failed(place->final_path, out_error);
}
