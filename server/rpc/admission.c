#include "rpc/admission.h"

#include "base/clock.h"

#include <inttypes.h>

/* When requests pile up, they leave at the pace of batches: tens of milliseconds. */
#define ADMISSION_RETRY_AFTER_NS (100 * NS_PER_MS)

void admission_init(Admission *admission, uint64_t bytes_max)
{
    admission->bytes_max = bytes_max;
    atomic_init(&admission->bytes, 0);
}

Status admission_hold(Admission *admission, AdmissionHold *hold, uint64_t bytes, Error *out_error)
{
    if (bytes <= *hold) return STATUS_OK;
    uint64_t more = bytes - *hold;
    uint64_t held = atomic_fetch_add_explicit(&admission->bytes, more, memory_order_relaxed);
    if (held <= admission->bytes_max && more <= admission->bytes_max - held) {
        *hold = bytes;
        return STATUS_OK;
    }
    atomic_fetch_sub_explicit(&admission->bytes, more, memory_order_relaxed);
    bool alone = bytes > admission->bytes_max;
    error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
              "the request needs %" PRIu64 " bytes of memory, %" PRIu64 " of %" PRIu64
              " (--request-memory) are in use: %s",
              bytes, held, admission->bytes_max, alone ? "send fewer inputs at once" : "try again later");
    if (!alone) out_error->retry_after_ns = ADMISSION_RETRY_AFTER_NS;
    return STATUS_RESOURCE_EXHAUSTED;
}

void admission_release(Admission *admission, AdmissionHold *hold)
{
    atomic_fetch_sub_explicit(&admission->bytes, *hold, memory_order_relaxed);
    *hold = 0;
}
