/* Fails the first, then the second, then every next allocation or system call of an operation, until it runs
 * through.
 *
 * Wrapped (by the linker, in our code only): malloc, calloc, realloc, strdup, strndup, posix_memalign,
 * aligned_alloc, open, read, fstat, mmap. cJSON allocates through base/json.c, so its allocations count; those of
 * other shared libraries do not. Counted on the calling thread only. Leaks are found by the address sanitizer's
 * build. */
#pragma once

#include "base/status.h"

/* Does the whole operation and undoes it again: opens, uses, closes. The same calls each time. */
typedef Status WalkOperation(void *context, Error *out_error);

/* What a failure may be answered with; WALK_STRICT: never with success. */
typedef enum WalkTolerance {
    WALK_STRICT,
    WALK_MAY_SUCCEED, /* some call is a mere optimization, whose failure the operation survives */
} WalkTolerance;

/* Runs the operation once untouched (it must succeed), then with its i-th call failing, for every i. After a
 * failure there must be a status that says so (NO_MEMORY, IO or RESOURCE_EXHAUSTED), an Error of that status with
 * a message, and then the untouched operation must succeed again. Prints the count. Fails the cmocka test
 * otherwise. */
void walk_faults(const char *name, WalkOperation *operation, void *context, WalkTolerance tolerance);
