/* What the requests being answered may hold together: their count and their memory. Beyond it a request is refused
 * at once, with a time to retry, instead of growing the process. */
#pragma once

#include "base/status.h"

#include <stdatomic.h>

typedef struct Admission {
    uint32_t requests_max;
    uint64_t bytes_max;
    atomic_uint_fast32_t requests;
    atomic_uint_fast64_t bytes;
} Admission;

/* One request's share; zeroed: none. Belongs to whoever has the request. */
typedef struct AdmissionHold {
    bool admitted;
    uint64_t bytes;
} AdmissionHold;

void admission_init(Admission *admission, uint32_t requests_max, uint64_t bytes_max);

/* Makes `hold` an admitted one of at least `bytes`; a second call grows it. On failure the hold is unchanged. Any
 * thread. Fails with RESOURCE_EXHAUSTED: naming the limit; with retry_after_ns unless the request alone passes it.
 */
CHECKED Status admission_hold(Admission *admission, AdmissionHold *hold, uint64_t bytes, Error *out_error);

/* Gives the share back; a zeroed hold is a no-op. Any thread. */
void admission_release(Admission *admission, AdmissionHold *hold);
