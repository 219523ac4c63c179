/* The requests of a load test, packed beforehand, so that the test measures the server and not their making. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Enough that no cache of a few hundred entries answers them; small enough to be made in no time. */
enum { BENCH_REQUESTS_GENERATED = 512, BENCH_TEXTS_MAX = 200000, BENCH_TEXT_BYTES_MAX = 64 * 1024 * 1024 };
enum { BENCH_MIXED_TOKENS_MIN = 4, BENCH_MIXED_TOKENS_MAX = 256 };

typedef struct BenchTextsOptions {
    const char *file; /* lines; NULL: generated */
    const char *model;
    uint64_t
        token_count; /* of a generated text, about; 0: mixed, BENCH_MIXED_TOKENS_*, evenly over the logarithm */
    uint64_t batch;  /* texts in a request */
    uint64_t seed;
} BenchTextsOptions;

typedef struct BenchRequest {
    uint8_t *bytes;
    size_t size;
} BenchRequest;

/* Owned by whoever made it (bench_texts_free). */
typedef struct BenchTexts {
    BenchRequest *requests; /* [count] */
    size_t count;
} BenchTexts;

/* Fails with what the file's reading fails with, INVALID_ARGUMENT (no text), RESOURCE_EXHAUSTED (a limit),
 * NO_MEMORY; then *out_texts is empty. */
CHECKED Status bench_texts_make(const BenchTextsOptions *options, BenchTexts *out_texts, Error *out_error);
void bench_texts_free(BenchTexts *texts); /* zeroed is a no-op */
