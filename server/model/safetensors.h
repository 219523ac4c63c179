/* The safetensors format: 8 bytes of header size, a JSON header, data. Every field is proved before it is used, by
 * the rules of the Rust library: tensors lie end to end, in some order, and cover the data exactly. Stricter than
 * it in one thing: a name that appears twice is refused. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "model/tensor.h"

typedef enum StoredType {
#define STORED_TYPE(name, bits) STORED_TYPE_##name,
#include "model/safetensors.def"
#undef STORED_TYPE
    STORED_TYPE_COUNT
} StoredType;

/* A tensor of any stored type. `shape` holds the first TENSOR_RANK_MAX of `rank` sizes. */
typedef struct SafetensorsEntry {
    const char *name; /* in the table's arena */
    StoredType type;
    uint32_t rank;
    uint64_t shape[TENSOR_RANK_MAX];
    uint64_t element_count;
    const unsigned char *data; /* in the file's mapping; as aligned as the file makes it */
    uint64_t begin;            /* offsets within the file's data: [begin, end) */
    uint64_t end;
    uint32_t file_index;
    bool kept; /* the checkpoint's: found, and not released since */
} SafetensorsEntry;

/* The tensors of several files. Zeroed is empty; one thread while it is filled, any afterwards. */
typedef struct SafetensorsTable {
    SafetensorsEntry *entries; /* sorted by name after safetensors_sort */
    size_t count;
    Arena names;
} SafetensorsTable;

/* Appends the tensors of the file of `size` bytes at `bytes`, which must outlive the table; `path` is for
 * messages. On failure the table is as it was. Fails with CORRUPT, UNSUPPORTED (an unknown dtype),
 * RESOURCE_EXHAUSTED, NO_MEMORY. */
CHECKED Status safetensors_append(SafetensorsTable *table, const char *path, uint32_t file_index,
                                  const unsigned char *bytes, size_t size, Error *out_error);
/* Sorts by name once all files are in. Fails with CORRUPT when two tensors share a name; *out_duplicate names it.
 */
CHECKED Status safetensors_sort(SafetensorsTable *table, const SafetensorsEntry **out_duplicate);
/* NULL: there is none. O(log count). */
const SafetensorsEntry *safetensors_find(const SafetensorsTable *table, const char *name);
const char *safetensors_type_name(StoredType type);
void safetensors_free(SafetensorsTable *table); /* a zeroed table is a no-op */
