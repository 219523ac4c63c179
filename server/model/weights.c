#include "model/weights.h"

#include "base/json.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

static const char weights_file_name[] = "model.safetensors";
static const char weights_index_name[] = "model.safetensors.index.json";

/* Maps directory/name and appends its tensors. The caller has made room in `files`. */
static Status weights_add_file(Weights *weights, const char *directory, const char *name, Error *out_error)
{
    char path[PATH_BYTES_MAX];
    Status status = file_join(path, sizeof path, directory, name, out_error);
    if (status != STATUS_OK) return status;
    WeightFile *file = &weights->files[weights->file_count++];
    file->path = strdup(path);
    if (!file->path) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its path", path);
    status = file_map(path, SAFETENSORS_FILE_BYTES_MAX, &file->mapping, out_error);
    if (status != STATUS_OK) return status;
    return safetensors_append(&weights->table, path, (uint32_t)(weights->file_count - 1), file->mapping.bytes,
                              file->mapping.size, out_error);
}

static Status weights_allocate_files(Weights *weights, size_t count, const char *directory, Error *out_error)
{
    weights->files = calloc(count ? count : 1, sizeof *weights->files);
    if (weights->files) return STATUS_OK;
    return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its weight files", directory);
}

/* A shard is a file beside its index: the name comes from a stranger and must not lead elsewhere. */
static bool weights_is_plain_name(TextView name)
{
    static const char suffix[] = ".safetensors";
    size_t suffix_size = sizeof suffix - 1;
    return name.size > suffix_size && name.bytes[0] != '.' && !memchr(name.bytes, '/', name.size) &&
           memcmp(name.bytes + name.size - suffix_size, suffix, suffix_size) == 0;
}

static int weights_compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The distinct file names of `weight_map`, sorted. The caller frees *out_names; its texts belong to the document.
 */
static Status weights_collect_names(const char *path, const JsonValue *weight_map, const char ***out_names,
                                    size_t *out_count, Error *out_error)
{
    size_t size = json_size(weight_map);
    if (json_type(weight_map) != JSON_OBJECT || size == 0 || size > SAFETENSORS_TENSOR_COUNT_MAX) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"weight_map\" must name the file of 1 to %d tensors",
                         path, SAFETENSORS_TENSOR_COUNT_MAX);
    }
    const char **names = malloc(size * sizeof *names);
    if (!names) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its shards", path);
    size_t used = 0;
    for (const JsonValue *member = json_first(weight_map); member; member = json_next(member)) {
        TextView name = text_view("");
        if (!json_string(member, &name) || !weights_is_plain_name(name)) {
            free(names);
            return error_set(
                out_error, STATUS_CORRUPT,
                "%s: the tensor \"%.128s\" lies in \"%.64s\"; only .safetensors files beside the index are "
                "read",
                path, json_key(member).bytes, name.bytes);
        }
        names[used++] = name.bytes;
    }
    qsort(names, used, sizeof *names, weights_compare_names);
    size_t distinct = 0;
    for (size_t i = 0; i < used; i++) {
        if (distinct == 0 || strcmp(names[distinct - 1], names[i]) != 0) names[distinct++] = names[i];
    }
    *out_names = names;
    *out_count = distinct;
    return STATUS_OK;
}

/* Proves that each tensor of the index is in the file that it names. */
static Status weights_check_map(const Weights *weights, const char *path, const JsonValue *weight_map,
                                Error *out_error)
{
    for (const JsonValue *member = json_first(weight_map); member; member = json_next(member)) {
        const char *tensor = json_key(member).bytes;
        const SafetensorsEntry *entry = safetensors_find(&weights->table, tensor);
        TextView name = text_view("");
        if (entry && json_string(member, &name)) {
            const char *file = strrchr(weights->files[entry->file_index].path, '/');
            if (text_equal(name, text_view(file ? file + 1 : weights->files[entry->file_index].path))) continue;
        }
        return error_set(out_error, STATUS_CORRUPT, "%s: the tensor \"%.128s\" is not in the file named for it",
                         path, tensor);
    }
    return STATUS_OK;
}

static Status weights_sort(Weights *weights, Error *out_error)
{
    const SafetensorsEntry *duplicate = NULL;
    if (safetensors_sort(&weights->table, &duplicate) == STATUS_OK) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: the tensor \"%.128s\" appears twice",
                     weights->files[duplicate->file_index].path, duplicate->name);
}

static Status weights_open_names(Weights *weights, const char *directory, const char *const *names, size_t count,
                                 Error *out_error)
{
    if (count > SHARD_COUNT_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: %zu weight files; the limit is %d", directory,
                         count, SHARD_COUNT_MAX);
    }
    Status status = weights_allocate_files(weights, count, directory, out_error);
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = weights_add_file(weights, directory, names[i], out_error);
    }
    return status == STATUS_OK ? weights_sort(weights, out_error) : status;
}

static Status weights_open_index(Weights *weights, const char *directory, const char *path, Error *out_error)
{
    JsonDocument *document = NULL;
    const char **names = NULL;
    size_t count = 0;
    Status status = json_document_open(path, &document, out_error);
    if (status != STATUS_OK) return status;
    const JsonValue *weight_map = json_member(json_document_root(document), "weight_map");
    status = weights_collect_names(path, weight_map, &names, &count, out_error);
    if (status == STATUS_OK) status = weights_open_names(weights, directory, names, count, out_error);
    if (status == STATUS_OK) status = weights_check_map(weights, path, weight_map, out_error);
    free(names);
    json_document_close(document);
    return status;
}

static bool weights_exists(const char *directory, const char *name)
{
    char path[PATH_BYTES_MAX];
    return file_join(path, sizeof path, directory, name, NULL) == STATUS_OK && file_exists(path);
}

Status weights_open(const char *directory, Weights *weights, Error *out_error)
{
    const char *const single[] = {weights_file_name};
    char index_path[PATH_BYTES_MAX];
    Status status = file_join(index_path, sizeof index_path, directory, weights_index_name, out_error);
    if (status != STATUS_OK) return status;
    if (weights_exists(directory, weights_file_name)) {
        return weights_open_names(weights, directory, single, 1, out_error);
    }
    if (file_exists(index_path)) return weights_open_index(weights, directory, index_path, out_error);
    if (weights_exists(directory, "pytorch_model.bin") ||
        weights_exists(directory, "pytorch_model.bin.index.json")) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: pytorch_model.bin is not read, because it runs code; convert it with transformers: "
                         "AutoModel.from_pretrained(directory).save_pretrained(directory)",
                         directory);
    }
    return error_set(out_error, STATUS_NOT_FOUND, "%s: neither %s nor %s is there", directory, weights_file_name,
                     weights_index_name);
}

static Status weights_check_module(const char *directory, Error *out_error)
{
    if (weights_exists(directory, weights_file_name)) return STATUS_OK;
    if (weights_exists(directory, "pytorch_model.bin")) {
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "%s: pytorch_model.bin is not read, because it runs code; convert it with "
                         "sentence-transformers: SentenceTransformer(checkpoint).save_pretrained(checkpoint)",
                         directory);
    }
    return error_set(out_error, STATUS_NOT_FOUND, "%s: %s is not there", directory, weights_file_name);
}

/* Puts "<folder>/" in front of the names from `first` on. */
static Status weights_prefix_names(SafetensorsTable *table, size_t first, const char *folder, Error *out_error)
{
    for (size_t i = first; i < table->count; i++) {
        const char *old = table->entries[i].name;
        size_t size = strlen(folder) + strlen("/") + strlen(old) + 1;
        char *name = arena_allocate(&table->names, size);
        if (!name) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its tensors' names", folder);
        snprintf(name, size, "%s/%s", folder, old);
        table->entries[i].name = name;
    }
    return STATUS_OK;
}

Status weights_add_module(Weights *weights, const char *directory, const char *folder, Error *out_error)
{
    char in_folder[PATH_BYTES_MAX];
    Status status = file_join(in_folder, sizeof in_folder, directory, folder, out_error);
    if (status == STATUS_OK) status = weights_check_module(in_folder, out_error);
    if (status != STATUS_OK) return status;
    WeightFile *files = realloc(weights->files, (weights->file_count + 1) * sizeof *files);
    if (!files) return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its weight files", in_folder);
    files[weights->file_count] = (WeightFile){0};
    weights->files = files;
    size_t first = weights->table.count;
    status = weights_add_file(weights, in_folder, weights_file_name, out_error);
    if (status == STATUS_OK) status = weights_prefix_names(&weights->table, first, folder, out_error);
    return status == STATUS_OK ? weights_sort(weights, out_error) : status;
}

void weights_close(Weights *weights)
{
    for (size_t i = 0; i < weights->file_count; i++) {
        file_unmap(&weights->files[i].mapping);
        free(weights->files[i].path);
    }
    free(weights->files);
    safetensors_free(&weights->table);
    *weights = (Weights){0};
}
