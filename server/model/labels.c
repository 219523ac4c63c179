#include "model/labels.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LABEL_COUNT_DEFAULT = 2, /* transformers leaves the field out for two */
    LABEL_NAME_BYTES = 24,   /* "LABEL_65535" */
};

static Status labels_fail_memory(const char *path, Error *out_error)
{
    return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its labels", path);
}

/* Without "id2label". */
static Status labels_number(const FieldReader *reader, uint32_t count, Arena *arena, TextView *labels,
                            Error *out_error)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[LABEL_NAME_BYTES];
        snprintf(name, sizeof name, "LABEL_%u", i);
        const char *copy = arena_copy_text(arena, text_view(name));
        if (!copy) return labels_fail_memory(reader->path, out_error);
        labels[i] = text_view(copy);
    }
    return STATUS_OK;
}

/* "12"; false for anything that is not a plain number below `count`. */
static bool label_id(TextView key, uint32_t count, uint32_t *out_id)
{
    uint64_t id = 0;
    for (size_t i = 0; i < key.size; i++) {
        if (key.bytes[i] < '0' || key.bytes[i] > '9') return false;
        id = id * 10 + (uint64_t)(key.bytes[i] - '0');
        if (id >= count) return false;
    }
    *out_id = (uint32_t)id;
    return key.size > 0;
}

static Status labels_read_member(const FieldReader *reader, const JsonValue *member, uint32_t count, Arena *arena,
                                 TextView *labels, Error *out_error)
{
    uint32_t id;
    TextView key = json_key(member);
    TextView name;
    if (!label_id(key, count, &id)) {
        return error_set(out_error, STATUS_CORRUPT,
                         "%s: \"id2label\" has the id \"%.32s\"; expected the %u ids from 0 to %u", reader->path,
                         key.bytes, count, count - 1);
    }
    if (labels[id].bytes) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"id2label\" has the id %u twice", reader->path, id);
    }
    if (!json_string(member, &name)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: the label %u of \"id2label\" must be a string",
                         reader->path, id);
    }
    if (name.size > LABEL_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "%s: the label %u of \"id2label\" has %zu bytes; the limit is %d", reader->path, id,
                         name.size, LABEL_BYTES_MAX);
    }
    const char *copy = arena_copy_text(arena, name);
    if (!copy) return labels_fail_memory(reader->path, out_error);
    labels[id] = (TextView){copy, name.size};
    return STATUS_OK;
}

static int label_compare(const void *a, const void *b)
{
    const TextView *left = a;
    const TextView *right = b;
    size_t size = left->size < right->size ? left->size : right->size;
    int order = size ? memcmp(left->bytes, right->bytes, size) : 0;
    return order ? order : (left->size > right->size) - (left->size < right->size);
}

/* A client tells labels apart by their names. */
static Status labels_check_distinct(const FieldReader *reader, const TextView *labels, uint32_t count,
                                    Error *out_error)
{
    TextView *sorted = malloc(count * sizeof *sorted);
    if (!sorted) return labels_fail_memory(reader->path, out_error);
    memcpy(sorted, labels, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, label_compare);
    Status status = STATUS_OK;
    for (uint32_t i = 1; status == STATUS_OK && i < count; i++) {
        if (!text_equal(sorted[i - 1], sorted[i])) continue;
        status = error_set(out_error, STATUS_CORRUPT, "%s: \"id2label\" has the label \"%.64s\" twice",
                           reader->path, sorted[i].bytes);
    }
    free(sorted);
    return status;
}

static Status labels_read_names(const FieldReader *reader, const JsonValue *names, uint32_t count, Arena *arena,
                                TextView *labels, Error *out_error)
{
    for (const JsonValue *member = json_first(names); member; member = json_next(member)) {
        Status status = labels_read_member(reader, member, count, arena, labels, out_error);
        if (status != STATUS_OK) return status;
    }
    return labels_check_distinct(reader, labels, count, out_error);
}

static Status labels_read_count(const FieldReader *reader, const JsonValue *names, uint32_t *out_count,
                                Error *out_error)
{
    uint32_t count = 0;
    if (json_type(json_member(reader->object, "num_labels")) != JSON_NULL) {
        Status status = field_size(reader, "num_labels", 1, MODEL_LABEL_COUNT_MAX, &count, out_error);
        if (status != STATUS_OK) return status;
    }
    if (json_type(names) == JSON_NULL) {
        *out_count = count ? count : LABEL_COUNT_DEFAULT;
        return STATUS_OK;
    }
    size_t size = json_size(names);
    if (json_type(names) != JSON_OBJECT || size == 0) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"id2label\" must be an object of ids and labels",
                         reader->path);
    }
    if (size > MODEL_LABEL_COUNT_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: \"id2label\" has %zu labels; the limit is %d",
                         reader->path, size, MODEL_LABEL_COUNT_MAX);
    }
    if (count && count != size) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"num_labels\" is %u, \"id2label\" has %zu labels",
                         reader->path, count, size);
    }
    *out_count = (uint32_t)size;
    return STATUS_OK;
}

Status labels_read(const FieldReader *reader, Arena *arena, const TextView **out_labels, uint32_t *out_count,
                   Error *out_error)
{
    const JsonValue *names = json_member(reader->object, "id2label");
    uint32_t count = 0;
    Status status = labels_read_count(reader, names, &count, out_error);
    if (status != STATUS_OK) return status;
    TextView *labels = arena_allocate_zeroed(arena, count, sizeof *labels);
    if (!labels) return labels_fail_memory(reader->path, out_error);
    status = json_type(names) == JSON_NULL ? labels_number(reader, count, arena, labels, out_error)
                                           : labels_read_names(reader, names, count, arena, labels, out_error);
    if (status != STATUS_OK) return status;
    *out_labels = labels;
    *out_count = count;
    return STATUS_OK;
}
