/* oneDNN has no C header that versions 2 and 3 share but for this one function; Debian 12 has the one, 13 the other. */
#include "long_products.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef int (*OnednnSgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *,
                           int64_t, float, float *, int64_t);

static OnednnSgemm product_load(void)
{
    static const char *const names[] = {"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"};
    setenv("OMP_NUM_THREADS", "1", 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) return (OnednnSgemm)(uintptr_t)dlsym(library, "dnnl_sgemm");
    }
    return NULL;
}

bool product_onednn(const Product *product)
{
    static bool looked;
    static OnednnSgemm sgemm;
    if (!looked) sgemm = product_load();
    looked = true;
    int64_t depth = product->depth;
    return sgemm && sgemm('N', 'T', product->rows, product->columns, depth, 1.0f, product->a, depth,
                          product->weights, depth, 0.0f, product->c, product->columns) == 0;
}
