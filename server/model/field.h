/* Fields of a configuration file, each proved; a failure names the file, the field, what was expected and found.
 */
#pragma once

#include "base/json.h"

/* An object of the file at `path`; both outlive the reader. A field that is null counts as absent, as in Python.
 */
typedef struct FieldReader {
    const char *path;
    const JsonValue *object;
} FieldReader;

/* Checks that `root` is an object. Fails with CORRUPT. */
CHECKED Status field_open(const char *path, const JsonValue *root, FieldReader *out_reader, Error *out_error);
/* A whole number within [min, max]; an absent field fails. Fails with CORRUPT (no number, or absent), UNSUPPORTED
 * (fractional or out of range). */
CHECKED Status field_size(const FieldReader *reader, const char *name, uint32_t min, uint32_t max,
                          uint32_t *out_size, Error *out_error);
/* As field_size, and leaves the output as it is when the field is absent. */
CHECKED Status field_size_if_present(const FieldReader *reader, const char *name, uint32_t min, uint32_t max,
                                     uint32_t *out_size, Error *out_error);
/* The next leave their output as it is when the field is absent. They fail with CORRUPT. */
CHECKED Status field_number(const FieldReader *reader, const char *name, double *out_number, Error *out_error);
CHECKED Status field_boolean(const FieldReader *reader, const char *name, bool *out_boolean, Error *out_error);
CHECKED Status field_string(const FieldReader *reader, const char *name, TextView *out_text, Error *out_error);
