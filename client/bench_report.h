/* What `headlight bench` prints. */
#pragma once

#include "bench_load.h"
#include "output.h"

#include <stdio.h>

/* The plan in the user's terms, for the report. */
typedef struct BenchReport {
    const char *address;
    uint64_t connection_count;
    const BenchPlan *plan;
    const BenchResult *result;
} BenchReport;

/* Prints to stdout: a table, or one JSON object (both JSON formats). */
void bench_report_print(const BenchReport *report, OutputFormat format);
/* One line about a running test. */
void bench_report_progress(FILE *stream, const BenchResult *result, uint64_t elapsed_ns);
