#include "registry/fingerprint.h"

#include "base/file.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { FINGERPRINT_DEPTH = 2 /* 1_Pooling and the like */ };

/* splitmix64's finalizer. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

static uint64_t file_value(const char *name, uint64_t folder, const struct stat *file)
{
    uint64_t value = mix(folder + 0x9E3779B97F4A7C15u);
    for (const char *byte = name; *byte; byte++) value = mix(value ^ (unsigned char)*byte);
    value = mix(value ^ (uint64_t)file->st_ino);
    value = mix(value ^ (uint64_t)file->st_dev);
    value = mix(value ^ (uint64_t)file->st_size);
    value = mix(value ^ (uint64_t)file->st_mtim.tv_sec);
    return mix(value ^ (uint64_t)file->st_mtim.tv_nsec);
}

static bool is_weights(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

/* What is walked, and how much of it was seen. */
typedef struct Walk {
    Fingerprint sum;
    uint32_t file_count;
} Walk;

static Status walk_folder(Walk *walk, const char *path, uint64_t folder, int depth, Error *out_error);

/* The sum of the files' values does not depend on the order in which the folder lists them. */
static Status walk_file(Walk *walk, const char *path, const char *name, uint64_t folder, int depth,
                        Error *out_error)
{
    struct stat file;
    if (name[0] == '.' || stat(path, &file) != 0) return STATUS_OK; /* gone meanwhile, or a link to nowhere */
    if (++walk->file_count > CHECKPOINT_FILES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: a checkpoint of more than %d files", path,
                         CHECKPOINT_FILES_MAX);
    }
    if (S_ISDIR(file.st_mode) && depth > 1) {
        return walk_folder(walk, path, file_value(name, folder, &(struct stat){0}), depth - 1, out_error);
    }
    if (!S_ISREG(file.st_mode)) return STATUS_OK;
    walk->sum.value += file_value(name, folder, &file);
    *(is_weights(name) ? &walk->sum.weights_bytes : &walk->sum.other_bytes) += (uint64_t)file.st_size;
    return STATUS_OK;
}

static Status walk_folder(Walk *walk, const char *path, uint64_t folder, int depth, Error *out_error)
{
    DIR *directory = opendir(path);
    if (!directory) {
        Status status = errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO;
        return error_set(out_error, status, "%s: %s", path, strerror(errno));
    }
    Status status = STATUS_OK;
    const struct dirent *entry;
    while (!status && (entry = readdir(directory))) {
        char inner[PATH_BYTES_MAX];
        status = file_join(inner, sizeof inner, path, entry->d_name, out_error);
        if (!status) status = walk_file(walk, inner, entry->d_name, folder, depth, out_error);
    }
    closedir(directory);
    return status;
}

Status fingerprint_take(const char *directory, Fingerprint *out_fingerprint, Error *out_error)
{
    Walk walk = {0};
    Status status = walk_folder(&walk, directory, 0, FINGERPRINT_DEPTH, out_error);
    if (status) return status;
    if (walk.sum.value == 0) walk.sum.value = 1;
    *out_fingerprint = walk.sum;
    return STATUS_OK;
}
