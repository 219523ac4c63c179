/* Loading OpenBLAS and calling it. */
#include "kernels/openblas.h"

#include "base/log.h"

#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <stdlib.h>

typedef void (*OpenblasSgemm)(enum CBLAS_ORDER, enum CBLAS_TRANSPOSE, enum CBLAS_TRANSPOSE, blasint, blasint,
                              blasint, float, const float *, blasint, const float *, blasint, float, float *,
                              blasint);

static OpenblasSgemm openblas_sgemm; /* written once, before threads start */

/* OpenBLAS 0.3.21 does not know AMD's AVX-512 cores and takes its Haswell kernels for them, at half the speed. */
static const char *openblas_core_type(void)
{
#if HEADLIGHT_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

CHECKED Status openblas_load(Error *out_error)
{
    if (openblas_sgemm) return STATUS_OK;
    const char *core_type = openblas_core_type();
    if (core_type) setenv("OPENBLAS_CORETYPE", core_type, 0);
    /* Each worker computes alone: threads inside a product would only fight for its core. */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    void *sgemm = library ? dlsym(library, "cblas_sgemm") : NULL;
    if (!sgemm) {
        if (library) dlclose(library);
        return error_set(out_error, STATUS_NOT_FOUND,
                         "OpenBLAS (libopenblas.so.0) is not installed; install it, or choose packed products");
    }
    openblas_sgemm = (OpenblasSgemm)(uintptr_t)sgemm;
    char *(*core_name)(void) = (char *(*)(void))(uintptr_t)dlsym(library, "openblas_get_corename");
    log_event(LOG_INFO, "openblas_loaded", "core type %s", core_name ? core_name() : "unknown");
    return STATUS_OK;
}

void openblas_multiply(const float *a, size_t a_stride, const float *weights, float *c, size_t c_stride,
                       uint32_t rows, uint32_t columns, uint32_t depth, float beta)
{
    assert(openblas_sgemm);
    openblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (blasint)rows, (blasint)columns, (blasint)depth, 1.0f,
                   a, (blasint)a_stride, weights, (blasint)depth, beta, c, (blasint)c_stride);
}
