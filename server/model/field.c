#include "model/field.h"

static const char *field_describe(const JsonValue *value)
{
    switch (json_type(value)) {
    case JSON_NULL:
        return "nothing";
    case JSON_BOOLEAN:
        return "a boolean";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "a list";
    case JSON_OBJECT:
        return "an object";
    }
    return "nothing";
}

static Status field_fail(const FieldReader *reader, const char *name, const char *expected, Error *out_error)
{
    return error_set(out_error, STATUS_CORRUPT, "%s: \"%s\" must be %s, found %s", reader->path, name, expected,
                     field_describe(json_member(reader->object, name)));
}

Status field_open(const char *path, const JsonValue *root, FieldReader *out_reader, Error *out_error)
{
    if (json_type(root) != JSON_OBJECT) {
        return error_set(out_error, STATUS_CORRUPT, "%s: expected an object, found %s", path,
                         field_describe(root));
    }
    *out_reader = (FieldReader){path, root};
    return STATUS_OK;
}

Status field_size(const FieldReader *reader, const char *name, uint32_t min, uint32_t max, uint32_t *out_size,
                  Error *out_error)
{
    int64_t integer = 0;
    double number = 0;
    const JsonValue *value = json_member(reader->object, name);
    if (!json_number(value, &number)) return field_fail(reader, name, "a whole number", out_error);
    if (!json_integer(value, min, max, &integer)) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: \"%s\" is %.17g, expected a whole number from %u to %u", reader->path, name, number,
                         min, max);
    }
    *out_size = (uint32_t)integer;
    return STATUS_OK;
}

Status field_size_if_present(const FieldReader *reader, const char *name, uint32_t min, uint32_t max,
                             uint32_t *out_size, Error *out_error)
{
    if (json_type(json_member(reader->object, name)) == JSON_NULL) return STATUS_OK;
    return field_size(reader, name, min, max, out_size, out_error);
}

Status field_number(const FieldReader *reader, const char *name, double *out_number, Error *out_error)
{
    const JsonValue *value = json_member(reader->object, name);
    if (json_type(value) == JSON_NULL || json_number(value, out_number)) return STATUS_OK;
    return field_fail(reader, name, "a number", out_error);
}

Status field_boolean(const FieldReader *reader, const char *name, bool *out_boolean, Error *out_error)
{
    const JsonValue *value = json_member(reader->object, name);
    if (json_type(value) == JSON_NULL || json_boolean(value, out_boolean)) return STATUS_OK;
    return field_fail(reader, name, "true or false", out_error);
}

Status field_string(const FieldReader *reader, const char *name, TextView *out_text, Error *out_error)
{
    const JsonValue *value = json_member(reader->object, name);
    if (json_type(value) == JSON_NULL || json_string(value, out_text)) return STATUS_OK;
    return field_fail(reader, name, "a string", out_error);
}
