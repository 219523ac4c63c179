/* Products by the libraries that others use, loaded as they are asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Product {
    uint32_t rows, columns, depth;
    const float *a;       /* [rows][depth] */
    const float *weights; /* [columns][depth], as checkpoints have them */
    float *c;             /* [rows][columns] */
} Product;

/* oneDNN's sgemm on one thread. False: it is not installed, or failed. */
bool product_onednn(const Product *product);
