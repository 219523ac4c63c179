/* The failing calls: each __wrap_x counts itself and fails when its turn has come. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *bytes, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
int __real_posix_memalign(void **out_bytes, size_t alignment, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int descriptor, void *bytes, size_t size);
int __real_fstat(int descriptor, struct stat *out_information);
void *__real_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *bytes, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
int __wrap_posix_memalign(void **out_bytes, size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int descriptor, void *bytes, size_t size);
int __wrap_fstat(int descriptor, struct stat *out_information);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset);

static _Thread_local bool walk_armed;
static _Thread_local size_t walk_count;    /* calls since it was armed */
static _Thread_local size_t walk_fails_at; /* the call that fails, from 1; 0: none */

static void walk_arm(size_t fails_at)
{
    walk_count = 0;
    walk_fails_at = fails_at;
    walk_armed = true;
}

static bool walk_fails(int cause)
{
    if (!walk_armed || ++walk_count != walk_fails_at) return false;
    errno = cause;
    return true;
}

static Status walk_run(WalkOperation *operation, void *context, size_t fails_at, Error *out_error)
{
    *out_error = (Error){.status = STATUS_OK};
    walk_arm(fails_at);
    Status status = operation(context, out_error);
    walk_armed = false;
    return status;
}

static void walk_check_failure(const char *name, size_t step, Status status, const Error *error)
{
    bool expected = status == STATUS_NO_MEMORY || status == STATUS_IO || status == STATUS_RESOURCE_EXHAUSTED;
    if (expected && error->status == status && error->message[0]) return;
    fail_msg("%s, failing call %zu: status \"%s\", error \"%s\": %s", name, step, status_name(status),
             status_name(error->status), error->message);
}

void walk_faults(const char *name, WalkOperation *operation, void *context, WalkTolerance tolerance)
{
    Error error;
    Status status = walk_run(operation, context, 0, &error);
    if (status != STATUS_OK) fail_msg("%s fails by itself: %s", name, error.message);
    size_t total = walk_count;
    assert_true(total > 0);
    for (size_t step = 1; step <= total; step++) {
        status = walk_run(operation, context, step, &error);
        if (status != STATUS_OK) walk_check_failure(name, step, status, &error);
        if (status == STATUS_OK && tolerance == WALK_STRICT)
            fail_msg("%s succeeds though call %zu failed", name, step);
    }
    status = walk_run(operation, context, 0, &error);
    if (status != STATUS_OK) fail_msg("%s fails after the walk: %s", name, error.message);
    print_message("%s: %zu failing calls, each answered\n", name, total);
}

void *__wrap_malloc(size_t size)
{
    return walk_fails(ENOMEM) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return walk_fails(ENOMEM) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *bytes, size_t size)
{
    return walk_fails(ENOMEM) ? NULL : __real_realloc(bytes, size);
}

char *__wrap_strdup(const char *text)
{
    return walk_fails(ENOMEM) ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return walk_fails(ENOMEM) ? NULL : __real_strndup(text, size);
}

int __wrap_posix_memalign(void **out_bytes, size_t alignment, size_t size)
{
    return walk_fails(ENOMEM) ? ENOMEM : __real_posix_memalign(out_bytes, alignment, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return walk_fails(ENOMEM) ? NULL : __real_aligned_alloc(alignment, size);
}

int __wrap_open(const char *path, int flags, ...)
{
    if (walk_fails(EMFILE)) return -1;
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return __real_open(path, flags, mode);
}

ssize_t __wrap_read(int descriptor, void *bytes, size_t size)
{
    return walk_fails(EIO) ? -1 : __real_read(descriptor, bytes, size);
}

int __wrap_fstat(int descriptor, struct stat *out_information)
{
    return walk_fails(EIO) ? -1 : __real_fstat(descriptor, out_information);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    return walk_fails(ENOMEM) ? MAP_FAILED : __real_mmap(address, size, protection, flags, descriptor, offset);
}
