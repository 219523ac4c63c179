/* Which variants exist, which of them this CPU runs, and which one the user gets. */
#include "kernels/kernels.h"

#include "kernels/openblas.h"
#include "kernels/variant.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Fastest first. */
static const Kernels *const kernels_tables[] = {
#if HEADLIGHT_X86
    kernels_avx512,
    kernels_avx2,
#endif
    kernels_reference,
};

enum { TABLE_COUNT = sizeof kernels_tables / sizeof *kernels_tables };

uint32_t kernels_available(void)
{
    uint32_t mask = KERNELS_REFERENCE;
#if HEADLIGHT_X86
    /* These ask the operating system (XCR0) as well as the CPU. */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) mask |= KERNELS_AVX2;
    if ((mask & KERNELS_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        mask |= KERNELS_AVX512;
#endif
    return mask;
}

static const Kernels *kernels_find(uint32_t mask, GemmBackend backend)
{
    uint32_t usable = (mask & kernels_available()) | KERNELS_REFERENCE;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (kernels_tables[i]->variant & usable) return &kernels_tables[i][backend];
    assert(!"the reference is in every mask");
    return NULL;
}

const Kernels *kernels_select(uint32_t mask)
{
    return kernels_find(mask, GEMM_PACKED);
}

CHECKED Status kernels_parse(const char *name, uint32_t *out_mask, Error *out_error)
{
    if (strcmp(name, "auto") == 0) {
        *out_mask = KERNELS_ALL;
        return STATUS_OK;
    }
    char names[64] = "auto";
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const Kernels *table = kernels_tables[i];
        if (strcmp(name, table->name) == 0) {
            if (!(table->variant & kernels_available()))
                return error_set(out_error, STATUS_UNSUPPORTED,
                                 "This CPU has no %s; choose auto to let it be found", name);
            *out_mask = table->variant;
            return STATUS_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, ", %s", table->name);
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "Unknown CPU variant '%.32s'; choose one of: %s", name,
                     names);
}

CHECKED Status kernels_open(const char *cpu, const char *gemm, const Kernels **out_kernels, Error *out_error)
{
    uint32_t mask;
    Status status = kernels_parse(cpu, &mask, out_error);
    if (status) return status;
    if (strcmp(gemm, "packed") == 0) {
        *out_kernels = kernels_find(mask, GEMM_PACKED);
        return STATUS_OK;
    }
    if (strcmp(gemm, "openblas") != 0)
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "Unknown product backend '%.32s'; choose one of: packed, openblas", gemm);
    status = openblas_load(out_error);
    if (status) return status;
    *out_kernels = kernels_find(mask, GEMM_OPENBLAS);
    return STATUS_OK;
}

const char *kernels_describe(const Kernels *kernels)
{
    static const char *const packed[] = {"reference, packed", "avx2, packed", "avx512, packed"};
    static const char *const openblas[] = {"reference, openblas", "avx2, openblas", "avx512, openblas"};
    size_t index = kernels->variant == KERNELS_AVX512 ? 2 : kernels->variant == KERNELS_AVX2 ? 1 : 0;
    return kernels->backend == GEMM_PACKED ? packed[index] : openblas[index];
}
