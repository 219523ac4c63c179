/* What the commands write: text for people and pipes, JSON for programs. Errors and notes go to standard error. */
#pragma once

#include "base/status.h"
#include "base/text.h"

#include <stdio.h>

typedef enum OutputFormat { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_JSONL } OutputFormat;
extern const char *const output_format_names[]; /* in the order of OutputFormat, then NULL */

/* Numbers that read back as the same float; what JSON cannot say (NaN, infinity) is null. */
void output_float(FILE *stream, float value);
void output_floats(FILE *stream, const float *values, size_t count, const char *separator);
/* A quoted JSON string. */
void output_json_text(FILE *stream, TextView text);
/* For people: bytes that could steer a terminal are shown as \xNN, a backslash as two. */
void output_plain_text(FILE *stream, TextView text);

/* Flushes `stream`. A closed pipe is no failure: whoever reads has enough. Otherwise fails with IO. */
CHECKED Status output_flush(FILE *stream, Error *out_error);
/* Whether writing has failed for good, so that going on is pointless. */
bool output_broken(FILE *stream);

/* Ends what only prints: flushes stdout; returns EXIT_DONE, or output_fail's code. */
int output_end(void);

/* "headlight: <message>" on stderr; returns the exit code, so that a command ends in one line: EXIT_USAGE for
 * INVALID_ARGUMENT, which the client alone uses for what the user typed; a signal's code after a signal; else
 * EXIT_FAILED. */
int output_fail(const Error *error);
/* A line on stderr, unless `quiet`. */
void output_note(bool quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));
