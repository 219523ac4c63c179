#include "base/file.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_PART_BYTES = 1024 * 1024 };

Status file_join(char *out_path, size_t capacity, const char *directory, const char *name, Error *out_error)
{
    size_t directory_size = strlen(directory);
    const char *separator = directory_size > 0 && directory[directory_size - 1] != '/' ? "/" : "";
    int written = snprintf(out_path, capacity, "%s%s%s", directory, separator, name);
    if (written >= 0 && (size_t)written < capacity) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%.100s...: the path is longer than %zu bytes", directory,
                     capacity);
}

bool file_exists(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0;
}

Status file_join_installed(char *out_path, size_t capacity, const char *name, Error *out_error)
{
    char program[PATH_BYTES_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0) {
        return error_set(out_error, STATUS_NOT_FOUND, "/proc/self/exe: %s", strerror(errno));
    }
    program[size] = '\0';
    for (int i = 0; i < 2; i++) { /* the program's name, then its folder's */
        char *slash = strrchr(program, '/');
        if (!slash) return error_set(out_error, STATUS_NOT_FOUND, "'%s' is in no folder", program);
        *slash = '\0';
    }
    return file_join(out_path, capacity, program[0] ? program : "/", name, out_error);
}

void file_hold_standard(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) {
        if (fcntl(i, F_GETFD) >= 0) continue;
        if (open("/dev/null", modes[i]) != i) return; /* without /dev, nothing can be held */
    }
}

static Status file_fail(const char *path, const char *action, Error *out_error)
{
    int cause = errno;
    char buffer[128];
    const char *text = strerror_r(cause, buffer, sizeof buffer);
    if (cause == ENOMEM) return error_set(out_error, STATUS_NO_MEMORY, "%s: %s failed: %s", path, action, text);
    if (cause == ENOENT || cause == ENOTDIR) return error_set(out_error, STATUS_NOT_FOUND, "%s: %s", path, text);
    return error_set(out_error, STATUS_IO, "%s: %s failed: %s", path, action, text);
}

static uint64_t file_identity(const struct stat *file)
{
    uint64_t identity = (uint64_t)file->st_ino * 0x9E3779B97F4A7C15u + (uint64_t)file->st_dev;
    identity = identity * 0x9E3779B97F4A7C15u + (uint64_t)file->st_mtim.tv_sec;
    return identity * 0x9E3779B97F4A7C15u + (uint64_t)file->st_mtim.tv_nsec;
}

/* Opens a regular file and proves its size. Does not wait for a writer when `path` is a pipe. */
static Status file_open_regular(const char *path, uint64_t size_max, int *out_descriptor, size_t *out_size,
                                Error *out_error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return file_fail(path, "open", out_error);
    Status status = STATUS_OK;
    struct stat information;
    if (fstat(descriptor, &information) != 0) {
        status = file_fail(path, "fstat", out_error);
    } else if (!S_ISREG(information.st_mode)) {
        status = error_set(out_error, STATUS_IO, "%s: not a regular file", path);
    } else if (information.st_size < 0 || (uint64_t)information.st_size > size_max) {
        status = error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: %lld bytes are more than the limit of %llu",
                           path, (long long)information.st_size, (unsigned long long)size_max);
    }
    if (status != STATUS_OK) {
        close(descriptor);
        return status;
    }
    *out_descriptor = descriptor;
    *out_size = (size_t)information.st_size;
    return STATUS_OK;
}

/* Fills `bytes`; a file that shrank meanwhile gives less, which is what is there. */
static Status file_read_all(int descriptor, const char *path, char *bytes, size_t size, size_t *out_size,
                            Error *out_error)
{
    size_t used = 0;
    while (used < size) {
        ssize_t count = read(descriptor, bytes + used, size - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_fail(path, "read", out_error);
        if (count == 0) break;
        used += (size_t)count;
    }
    *out_size = used;
    return STATUS_OK;
}

Status file_read(const char *path, size_t size_max, char **out_bytes, size_t *out_size, Error *out_error)
{
    int descriptor = -1;
    size_t size = 0;
    Status status = file_open_regular(path, size_max, &descriptor, &size, out_error);
    if (status != STATUS_OK) return status;
    char *bytes = malloc(size + 1);
    if (!bytes) {
        status = error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for %zu bytes", path, size);
        goto fail;
    }
    status = file_read_all(descriptor, path, bytes, size, &size, out_error);
    if (status != STATUS_OK) goto fail;
    close(descriptor);
    bytes[size] = '\0';
    *out_bytes = bytes;
    *out_size = size;
    return STATUS_OK;
fail:
    free(bytes);
    close(descriptor);
    return status;
}

Status file_map(const char *path, size_t size_max, FileMapping *out_mapping, Error *out_error)
{
    int descriptor = -1;
    size_t size = 0;
    Status status = file_open_regular(path, size_max, &descriptor, &size, out_error);
    if (status != STATUS_OK) return status;
    if (size == 0) {
        close(descriptor);
        return error_set(out_error, STATUS_CORRUPT, "%s: the file is empty", path);
    }
    struct stat information;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED) {
        status = file_fail(path, "mmap", out_error);
    } else if (fstat(descriptor, &information) != 0) {
        status = file_fail(path, "fstat", out_error);
        munmap(bytes, size);
    }
    close(descriptor);
    if (status == STATUS_OK) *out_mapping = (FileMapping){bytes, size, file_identity(&information)};
    return status;
}

void file_release(const FileMapping *mapping, size_t offset, size_t size)
{
    if (!mapping->bytes || offset >= mapping->size) return;
    if (size > mapping->size - offset) size = mapping->size - offset;
    /* Only whole pages: the neighbours of a page's other bytes may still be read. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (offset + page - 1) / page * page;
    size_t end = (offset + size) == mapping->size ? offset + size : (offset + size) / page * page;
    if (begin < end) (void)madvise((void *)(uintptr_t)(mapping->bytes + begin), end - begin, MADV_DONTNEED);
}

static Status file_check_identity(const char *path, int descriptor, const FileMapping *mapping, Error *out_error)
{
    struct stat information;
    if (fstat(descriptor, &information) != 0) return file_fail(path, "fstat", out_error);
    if (file_identity(&information) == mapping->identity && (uint64_t)information.st_size == mapping->size) {
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_CORRUPT, "%s: it has changed since it was opened", path);
}

Status file_reread(const char *path, const FileMapping *mapping,
                   bool (*take)(void *context, const void *bytes, size_t size), void *context, Error *out_error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return file_fail(path, "open", out_error);
    char *part = malloc(FILE_PART_BYTES);
    Status status = part ? file_check_identity(path, descriptor, mapping, out_error)
                         : error_set(out_error, STATUS_NO_MEMORY, "%s: no memory to read it", path);
    size_t size = 0;
    do {
        if (!status) status = file_read_all(descriptor, path, part, FILE_PART_BYTES, &size, out_error);
    } while (!status && size > 0 && take(context, part, size));
    if (!status) status = file_check_identity(path, descriptor, mapping, out_error);
    free(part);
    close(descriptor);
    return status;
}

Status file_detach(const FileMapping *mapping, size_t offset, size_t size, Error *out_error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = offset / page * page;
    size_t end = (offset + size + page - 1) / page * page;
    if (begin >= end || begin >= mapping->size) return STATUS_OK;
    size_t length = end - begin;
    unsigned char *copy = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) return error_set(out_error, STATUS_NO_MEMORY, "no memory to copy %zu bytes", length);
    memcpy(copy, mapping->bytes + begin, end < mapping->size ? length : mapping->size - begin);
    void *place = (void *)(uintptr_t)(mapping->bytes + begin);
    if (mremap(copy, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED) return STATUS_OK;
    munmap(copy, length);
    return error_set(out_error, STATUS_NO_MEMORY, "no room for %zu bytes in place of a file's", length);
}

void file_unmap(FileMapping *mapping)
{
    if (mapping->bytes) munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
    *mapping = (FileMapping){0};
}
