/* The memory that requests may hold together beyond their wire bytes, which the transport bounds: messages
 * unpacked, tokens, results. Beyond it a request is refused at once, with a time to retry, instead of growing the
 * process. */
#pragma once

#include "base/status.h"

#include <stdatomic.h>

typedef struct Admission {
    uint64_t bytes_max;
    atomic_uint_fast64_t bytes;
} Admission;

/* One request's share in bytes; 0: none. Belongs to whoever has the request. */
typedef uint64_t AdmissionHold;

void admission_init(Admission *admission, uint64_t bytes_max);

/* Grows `hold` to at least `bytes`. On failure it is unchanged. Any thread. Fails with RESOURCE_EXHAUSTED; with
 * retry_after_ns unless the request alone passes the limit. */
CHECKED Status admission_hold(Admission *admission, AdmissionHold *hold, uint64_t bytes, Error *out_error);

/* Gives the share back; one of 0 is a no-op. Any thread. */
void admission_release(Admission *admission, AdmissionHold *hold);
