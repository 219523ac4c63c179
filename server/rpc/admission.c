#include "rpc/admission.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>

/* When requests pile up, they leave at the pace of batches: tens of milliseconds. */
#define ADMISSION_RETRY_AFTER_NS (100 * NS_PER_MS)

void admission_init(Admission *admission, uint32_t requests_max, uint64_t bytes_max)
{
    admission->requests_max = requests_max;
    admission->bytes_max = bytes_max;
    atomic_init(&admission->requests, 0);
    atomic_init(&admission->bytes, 0);
}

static Status admission_enter(Admission *admission, Error *out_error)
{
    if (atomic_fetch_add_explicit(&admission->requests, 1, memory_order_relaxed) < admission->requests_max) {
        return STATUS_OK;
    }
    atomic_fetch_sub_explicit(&admission->requests, 1, memory_order_relaxed);
    error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
              "%" PRIu32 " requests are being answered, the limit of --max-concurrent-requests: try again later",
              admission->requests_max);
    out_error->retry_after_ns = ADMISSION_RETRY_AFTER_NS;
    return STATUS_RESOURCE_EXHAUSTED;
}

static Status admission_grow(Admission *admission, uint64_t more, uint64_t total, Error *out_error)
{
    uint64_t held = atomic_fetch_add_explicit(&admission->bytes, more, memory_order_relaxed);
    if (held <= admission->bytes_max && more <= admission->bytes_max - held) return STATUS_OK;
    atomic_fetch_sub_explicit(&admission->bytes, more, memory_order_relaxed);
    error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
              "the request needs %" PRIu64 " bytes, %" PRIu64 " of the %" PRIu64
              " of --request-memory are in use: %s",
              total, held, admission->bytes_max,
              total > admission->bytes_max ? "send fewer inputs at once" : "try again later");
    if (total <= admission->bytes_max) out_error->retry_after_ns = ADMISSION_RETRY_AFTER_NS;
    return STATUS_RESOURCE_EXHAUSTED;
}

Status admission_hold(Admission *admission, AdmissionHold *hold, uint64_t bytes, Error *out_error)
{
    assert(hold->admitted || hold->bytes == 0);
    bool admitted = hold->admitted;
    if (!admitted) {
        Status status = admission_enter(admission, out_error);
        if (status) return status;
    }
    if (bytes > hold->bytes) {
        Status status = admission_grow(admission, bytes - hold->bytes, bytes, out_error);
        if (status) {
            if (!admitted) atomic_fetch_sub_explicit(&admission->requests, 1, memory_order_relaxed);
            return status;
        }
        hold->bytes = bytes;
    }
    hold->admitted = true;
    return STATUS_OK;
}

void admission_release(Admission *admission, AdmissionHold *hold)
{
    if (!hold->admitted) return;
    atomic_fetch_sub_explicit(&admission->bytes, hold->bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&admission->requests, 1, memory_order_relaxed);
    *hold = (AdmissionHold){0};
}
