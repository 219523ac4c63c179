#include "model/safetensors.h"

#include "base/json.h"
#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>

enum { SAFETENSORS_LENGTH_BYTES = 8 };

typedef struct StoredTypeRow {
    const char *name;
    uint32_t bits;
} StoredTypeRow;

static const StoredTypeRow stored_type_rows[STORED_TYPE_COUNT] = {
#define STORED_TYPE(name, bits) [STORED_TYPE_##name] = {#name, bits},
#include "model/safetensors.def"
#undef STORED_TYPE
};

/* A file while its header is read. */
typedef struct SafetensorsFile {
    const char *path;
    uint32_t index;
    const unsigned char *data;
    uint64_t data_size;
} SafetensorsFile;

const char *safetensors_type_name(StoredType type)
{
    assert(type < STORED_TYPE_COUNT);
    return stored_type_rows[type].name;
}

/* Splits the file into header and data. Fails with CORRUPT, RESOURCE_EXHAUSTED. */
static Status safetensors_split(const unsigned char *bytes, size_t size, SafetensorsFile *file,
                                TextView *out_header, Error *out_error)
{
    if (size < SAFETENSORS_LENGTH_BYTES) {
        return error_set(out_error, STATUS_CORRUPT, "%s: a file of %zu bytes is no safetensors file", file->path,
                         size);
    }
    uint64_t header_size = 0;
    for (int i = SAFETENSORS_LENGTH_BYTES - 1; i >= 0; i--) header_size = header_size << 8 | bytes[i];
    if (header_size > size - SAFETENSORS_LENGTH_BYTES) {
        return error_set(
            out_error, STATUS_CORRUPT,
            "%s: the header claims %llu bytes but the file has %zu; it is truncated or no safetensors file",
            file->path, (unsigned long long)header_size, size);
    }
    if (header_size > SAFETENSORS_HEADER_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: a header of %llu bytes; the limit is %llu",
                         file->path, (unsigned long long)header_size,
                         (unsigned long long)SAFETENSORS_HEADER_BYTES_MAX);
    }
    *out_header = (TextView){(const char *)bytes + SAFETENSORS_LENGTH_BYTES, (size_t)header_size};
    file->data = bytes + SAFETENSORS_LENGTH_BYTES + header_size;
    file->data_size = size - SAFETENSORS_LENGTH_BYTES - header_size;
    return STATUS_OK;
}

static Status safetensors_check_metadata(const SafetensorsFile *file, const JsonValue *metadata, Error *out_error)
{
    TextView text;
    bool valid = json_type(metadata) == JSON_OBJECT || json_type(metadata) == JSON_NULL;
    for (const JsonValue *member = json_first(metadata); member; member = json_next(member)) {
        valid = valid && json_string(member, &text);
    }
    if (valid) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: __metadata__ must hold strings only", file->path);
}

static Status safetensors_read_type(const SafetensorsFile *file, const char *name, const JsonValue *dtype,
                                    StoredType *out_type, Error *out_error)
{
    TextView text;
    if (!json_string(dtype, &text)) {
        return error_set(out_error, STATUS_CORRUPT, "%s: tensor \"%s\" has no dtype", file->path, name);
    }
    for (int type = 0; type < STORED_TYPE_COUNT; type++) {
        if (!text_equal(text, text_view(stored_type_rows[type].name))) continue;
        *out_type = (StoredType)type;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED, "%s: tensor \"%s\" has the unknown dtype \"%.32s\"",
                     file->path, name, text.bytes);
}

static Status safetensors_read_shape(const SafetensorsFile *file, const JsonValue *shape, SafetensorsEntry *entry,
                                     Error *out_error)
{
    uint64_t product = 1;
    bool valid = json_type(shape) == JSON_ARRAY;
    for (const JsonValue *item = json_first(shape); valid && item; item = json_next(item)) {
        int64_t size = 0;
        valid =
            json_integer(item, 0, INT64_MAX, &size) && !__builtin_mul_overflow(product, (uint64_t)size, &product);
        if (entry->rank < TENSOR_RANK_MAX) entry->shape[entry->rank] = (uint64_t)size;
        entry->rank++;
    }
    entry->element_count = product;
    if (valid) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: tensor \"%s\" has no valid shape", file->path, entry->name);
}

static Status safetensors_read_offsets(const SafetensorsFile *file, const JsonValue *offsets,
                                       SafetensorsEntry *entry, Error *out_error)
{
    int64_t begin = 0;
    int64_t end = 0;
    const JsonValue *first = json_first(offsets);
    const JsonValue *second = json_next(first);
    if (json_type(offsets) != JSON_ARRAY || json_next(second) || !json_integer(first, 0, INT64_MAX, &begin) ||
        !json_integer(second, 0, INT64_MAX, &end) || begin > end) {
        return error_set(out_error, STATUS_CORRUPT, "%s: tensor \"%s\" has no valid data_offsets", file->path,
                         entry->name);
    }
    if ((uint64_t)end > file->data_size) {
        return error_set(
            out_error, STATUS_CORRUPT,
            "%s: tensor \"%s\" ends at byte %lld of the data, but the file holds %llu; it is truncated",
            file->path, entry->name, (long long)end, (unsigned long long)file->data_size);
    }
    entry->begin = (uint64_t)begin;
    entry->end = (uint64_t)end;
    entry->data = file->data + begin;
    return STATUS_OK;
}

static Status safetensors_check_size(const SafetensorsFile *file, const SafetensorsEntry *entry, Error *out_error)
{
    uint64_t bits = 0;
    uint64_t found = entry->end - entry->begin;
    bool fits = !__builtin_mul_overflow(entry->element_count, stored_type_rows[entry->type].bits, &bits);
    if (fits && bits % 8 == 0 && bits / 8 == found) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT,
                     "%s: tensor \"%s\" has %llu elements of type %s, but its data_offsets span %llu bytes",
                     file->path, entry->name, (unsigned long long)entry->element_count,
                     safetensors_type_name(entry->type), (unsigned long long)found);
}

static Status safetensors_read_entry(SafetensorsTable *table, const SafetensorsFile *file, const JsonValue *member,
                                     Error *out_error)
{
    SafetensorsEntry entry = {.file_index = file->index, .name = arena_copy_text(&table->names, json_key(member))};
    if (!entry.name) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its header", file->path);
    Status status = safetensors_read_type(file, entry.name, json_member(member, "dtype"), &entry.type, out_error);
    if (status == STATUS_OK)
        status = safetensors_read_shape(file, json_member(member, "shape"), &entry, out_error);
    if (status == STATUS_OK) {
        status = safetensors_read_offsets(file, json_member(member, "data_offsets"), &entry, out_error);
    }
    if (status == STATUS_OK) status = safetensors_check_size(file, &entry, out_error);
    if (status == STATUS_OK) table->entries[table->count++] = entry;
    return status;
}

static Status safetensors_read_header(SafetensorsTable *table, const SafetensorsFile *file, const JsonValue *root,
                                      Error *out_error)
{
    if (json_type(root) != JSON_OBJECT) {
        return error_set(out_error, STATUS_CORRUPT, "%s: the header is no JSON object", file->path);
    }
    size_t count = json_size(root);
    if (count > SAFETENSORS_TENSOR_COUNT_MAX - table->count) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: more than %d tensors", file->path,
                         SAFETENSORS_TENSOR_COUNT_MAX);
    }
    SafetensorsEntry *entries = realloc(table->entries, (table->count + count + 1) * sizeof *entries);
    if (!entries) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its header", file->path);
    table->entries = entries;
    for (const JsonValue *member = json_first(root); member; member = json_next(member)) {
        Status status = text_equal(json_key(member), text_view("__metadata__"))
                            ? safetensors_check_metadata(file, member, out_error)
                            : safetensors_read_entry(table, file, member, out_error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static int safetensors_compare_offsets(const void *left, const void *right)
{
    const SafetensorsEntry *a = left;
    const SafetensorsEntry *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Sorts the file's `count` entries by offset and proves that they cover its data without gap or overlap. */
static Status safetensors_check_coverage(const SafetensorsFile *file, SafetensorsEntry *entries, size_t count,
                                         Error *out_error)
{
    if (count > 1) qsort(entries, count, sizeof *entries, safetensors_compare_offsets);
    uint64_t covered = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].begin != covered) {
            return error_set(out_error, STATUS_CORRUPT,
                             "%s: tensor \"%s\" starts at byte %llu of the data, expected %llu: tensors must not "
                             "overlap or leave gaps",
                             file->path, entries[i].name, (unsigned long long)entries[i].begin,
                             (unsigned long long)covered);
        }
        covered = entries[i].end;
    }
    if (covered == file->data_size) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT,
                     "%s: the tensors cover %llu bytes of data, but the file holds %llu", file->path,
                     (unsigned long long)covered, (unsigned long long)file->data_size);
}

Status safetensors_append(SafetensorsTable *table, const char *path, uint32_t file_index,
                          const unsigned char *bytes, size_t size, Error *out_error)
{
    if (table->names.budget_bytes == 0) arena_init(&table->names, 2 * SAFETENSORS_HEADER_BYTES_MAX);
    size_t count_before = table->count;
    SafetensorsFile file = {.path = path, .index = file_index};
    JsonDocument *document = NULL;
    TextView header;
    Status status = safetensors_split(bytes, size, &file, &header, out_error);
    if (status != STATUS_OK) return status;
    status = json_document_parse(header, &document, out_error);
    if (status != STATUS_OK) return out_error ? error_prefix(out_error, "%s: header", path) : status;
    status = safetensors_read_header(table, &file, json_document_root(document), out_error);
    json_document_close(document);
    if (status == STATUS_OK) {
        status = safetensors_check_coverage(&file, table->entries + count_before, table->count - count_before,
                                            out_error);
    }
    if (status != STATUS_OK) table->count = count_before;
    return status;
}

static int safetensors_compare_names(const void *left, const void *right)
{
    return strcmp(((const SafetensorsEntry *)left)->name, ((const SafetensorsEntry *)right)->name);
}

Status safetensors_sort(SafetensorsTable *table, const SafetensorsEntry **out_duplicate)
{
    if (table->count > 1) qsort(table->entries, table->count, sizeof *table->entries, safetensors_compare_names);
    for (size_t i = 1; i < table->count; i++) {
        if (strcmp(table->entries[i - 1].name, table->entries[i].name) != 0) continue;
        *out_duplicate = &table->entries[i];
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

const SafetensorsEntry *safetensors_find(const SafetensorsTable *table, const char *name)
{
    if (table->count == 0) return NULL;
    SafetensorsEntry key = {.name = name};
    return bsearch(&key, table->entries, table->count, sizeof key, safetensors_compare_names);
}

void safetensors_free(SafetensorsTable *table)
{
    free(table->entries);
    arena_free(&table->names);
    *table = (SafetensorsTable){0};
}
