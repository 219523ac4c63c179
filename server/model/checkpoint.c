#include "model/checkpoint.h"

#include "model/sentence.h"
#include "model/weights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TENSOR_NAME_BYTES_MAX = 512, /* of the names that we ask for */
    SHAPE_TEXT_BYTES = 96,
};

struct Checkpoint {
    char *directory;
    char model_directory[PATH_BYTES_MAX]; /* where the model's own files lie */
    ModelConfig config;
    HeadConfig head_config;
    SentenceConfig sentence_config;
    Arena arena; /* labels and prompts */
    Weights weights;
};

static Status checkpoint_read_config(Checkpoint *checkpoint, Error *out_error)
{
    char path[PATH_BYTES_MAX];
    JsonDocument *document = NULL;
    Status status = file_join(path, sizeof path, checkpoint->model_directory, "config.json", out_error);
    if (status == STATUS_OK) status = json_document_open(path, &document, out_error);
    if (status == STATUS_OK) {
        status = config_read(path, json_document_root(document), &checkpoint->config, out_error);
    }
    if (status == STATUS_OK) {
        status = head_read(path, json_document_root(document), &checkpoint->config, &checkpoint->arena,
                           &checkpoint->head_config, out_error);
    }
    json_document_close(document);
    return status;
}

static Status checkpoint_find_model(Checkpoint *checkpoint, Error *out_error)
{
    char folder[MODULE_PATH_BYTES_MAX] = "";
    Status status = sentence_find_model(checkpoint->directory, folder, out_error);
    if (status != STATUS_OK) return status;
    if (*folder) {
        return file_join(checkpoint->model_directory, PATH_BYTES_MAX, checkpoint->directory, folder, out_error);
    }
    int written = snprintf(checkpoint->model_directory, PATH_BYTES_MAX, "%s", checkpoint->directory);
    if (written < PATH_BYTES_MAX) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "the checkpoint's path is too long");
}

static Status checkpoint_open_weights(Checkpoint *checkpoint, Error *out_error)
{
    Status status = weights_open(checkpoint->model_directory, &checkpoint->weights, out_error);
    for (uint32_t i = 0; status == STATUS_OK && i < checkpoint->sentence_config.step_count; i++) {
        const VectorStep *step = &checkpoint->sentence_config.steps[i];
        if (step->kind == VECTOR_NORMALIZE) continue;
        status = weights_add_module(&checkpoint->weights, checkpoint->directory, step->folder, out_error);
    }
    return status;
}

Status checkpoint_open(const char *directory, Checkpoint **out_checkpoint, Error *out_error)
{
    Status status = STATUS_NO_MEMORY;
    Checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint) checkpoint->directory = strdup(directory);
    if (!checkpoint || !checkpoint->directory) {
        error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for a checkpoint", directory);
        goto fail;
    }
    arena_init(&checkpoint->arena, 2 * JSON_BYTES_MAX);
    status = checkpoint_find_model(checkpoint, out_error);
    if (status == STATUS_OK) status = checkpoint_read_config(checkpoint, out_error);
    if (status == STATUS_OK) {
        status = sentence_read(directory, &checkpoint->config, &checkpoint->arena, &checkpoint->sentence_config,
                               out_error);
    }
    /* As sentence-transformers, which makes it a model for masks whatever config.json names. */
    if (checkpoint->sentence_config.sparse) checkpoint->head_config.kind = HEAD_FILL;
    if (status == STATUS_OK) status = checkpoint_open_weights(checkpoint, out_error);
    if (status != STATUS_OK) goto fail;
    *out_checkpoint = checkpoint;
    return STATUS_OK;
fail:
    checkpoint_close(checkpoint);
    return status;
}

void checkpoint_close(Checkpoint *checkpoint)
{
    if (!checkpoint) return;
    weights_close(&checkpoint->weights);
    arena_free(&checkpoint->arena);
    free(checkpoint->directory);
    free(checkpoint);
}

const char *checkpoint_directory(const Checkpoint *checkpoint)
{
    return checkpoint->directory;
}

const char *checkpoint_model_directory(const Checkpoint *checkpoint)
{
    return checkpoint->model_directory;
}

const ModelConfig *checkpoint_config(const Checkpoint *checkpoint)
{
    return &checkpoint->config;
}

const HeadConfig *checkpoint_head_config(const Checkpoint *checkpoint)
{
    return &checkpoint->head_config;
}

const SentenceConfig *checkpoint_sentence_config(const Checkpoint *checkpoint)
{
    return &checkpoint->sentence_config;
}

static const SafetensorsEntry *checkpoint_find_spelled(const Checkpoint *checkpoint, const char *name)
{
    char prefixed[TENSOR_NAME_BYTES_MAX];
    const SafetensorsEntry *entry = safetensors_find(&checkpoint->weights.table, name);
    if (entry) return entry;
    for (int i = 0; !entry && i < ARCHITECTURE_PREFIX_COUNT; i++) {
        const char *prefix = architecture_prefix(checkpoint->config.architecture, i);
        int written = snprintf(prefixed, sizeof prefixed, "%s%s", prefix, name);
        assert(written > 0 && (size_t)written < sizeof prefixed);
        if (*prefix) entry = safetensors_find(&checkpoint->weights.table, prefixed);
    }
    return entry;
}

/* Checkpoints converted from TensorFlow name LayerNorm's weight and bias gamma and beta. */
static const SafetensorsEntry *checkpoint_find(const Checkpoint *checkpoint, const char *name)
{
    static const char *const renamed[][2] = {{"LayerNorm.weight", "gamma"}, {"LayerNorm.bias", "beta"}};
    const SafetensorsEntry *entry = checkpoint_find_spelled(checkpoint, name);
    for (int i = 0; !entry && i < 2; i++) {
        char old_name[TENSOR_NAME_BYTES_MAX];
        size_t size = strlen(name);
        size_t tail = strlen(renamed[i][0]);
        if (size < tail || strcmp(name + size - tail, renamed[i][0]) != 0) continue;
        int stem = (int)(size - tail + strlen("LayerNorm."));
        int written = snprintf(old_name, sizeof old_name, "%.*s%s", stem, name, renamed[i][1]);
        assert(written > 0 && (size_t)written < sizeof old_name);
        entry = checkpoint_find_spelled(checkpoint, old_name);
    }
    return entry;
}

/* Writes "[384, 1536]"; `shape` holds at most TENSOR_RANK_MAX of `rank` sizes. */
static void checkpoint_describe_shape(uint32_t rank, const uint64_t *shape, char out_text[SHAPE_TEXT_BYTES])
{
    size_t used = (size_t)snprintf(out_text, SHAPE_TEXT_BYTES, "[");
    for (uint32_t i = 0; i < rank && i < TENSOR_RANK_MAX; i++) {
        used += (size_t)snprintf(out_text + used, SHAPE_TEXT_BYTES - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)shape[i]);
        if (used >= SHAPE_TEXT_BYTES) return;
    }
    snprintf(out_text + used, SHAPE_TEXT_BYTES - used, rank > TENSOR_RANK_MAX ? ", ...]" : "]");
}

static Status checkpoint_check_shape(const Checkpoint *checkpoint, const SafetensorsEntry *entry, uint32_t rank,
                                     const uint64_t *shape, Error *out_error)
{
    assert(rank <= TENSOR_RANK_MAX);
    bool equal = entry->rank == rank;
    for (uint32_t i = 0; equal && i < rank; i++) equal = entry->shape[i] == shape[i];
    if (equal) return STATUS_OK;
    char found[SHAPE_TEXT_BYTES];
    char expected[SHAPE_TEXT_BYTES];
    checkpoint_describe_shape(entry->rank, entry->shape, found);
    checkpoint_describe_shape(rank, shape, expected);
    return error_set(out_error, STATUS_CORRUPT, "%s: tensor \"%s\" has shape %s, expected %s",
                     checkpoint->weights.files[entry->file_index].path, entry->name, found, expected);
}

static Status checkpoint_select_type(const Checkpoint *checkpoint, const SafetensorsEntry *entry,
                                     TensorType *out_type, Error *out_error)
{
    switch (entry->type) {
    case STORED_TYPE_F32:
        *out_type = TENSOR_F32;
        return STATUS_OK;
    case STORED_TYPE_F16:
        *out_type = TENSOR_F16;
        return STATUS_OK;
    case STORED_TYPE_BF16:
        *out_type = TENSOR_BF16;
        return STATUS_OK;
    default:
        break;
    }
    return error_set(
        out_error, STATUS_UNSUPPORTED, "%s: tensor \"%s\" is stored as %s; F32, F16 and BF16 are supported",
        checkpoint->weights.files[entry->file_index].path, entry->name, safetensors_type_name(entry->type));
}

Status checkpoint_tensor(const Checkpoint *checkpoint, const char *name, uint32_t rank, const uint64_t *shape,
                         Tensor *out_tensor, Error *out_error)
{
    const SafetensorsEntry *entry = checkpoint_find(checkpoint, name);
    if (!entry) {
        const Weights *weights = &checkpoint->weights;
        return error_set(out_error, STATUS_NOT_FOUND, "%s: no tensor \"%s\" (nor \"%s%s\")%s",
                         weights->files[0].path, name, architecture_prefix(checkpoint->config.architecture, 0),
                         name, weights->file_count > 1 ? " in this or any other shard" : "");
    }
    Tensor tensor = {.rank = rank, .element_count = entry->element_count, .data = entry->data};
    memcpy(tensor.shape, entry->shape, sizeof tensor.shape);
    Status status = checkpoint_check_shape(checkpoint, entry, rank, shape, out_error);
    if (status == STATUS_OK) status = checkpoint_select_type(checkpoint, entry, &tensor.type, out_error);
    if (status != STATUS_OK) return status;
    checkpoint->weights.table.entries[entry - checkpoint->weights.table.entries].kept = true;
    *out_tensor = tensor;
    return STATUS_OK;
}

bool checkpoint_has_tensor(const Checkpoint *checkpoint, const char *name)
{
    return checkpoint_find(checkpoint, name) != NULL;
}

static const FileMapping *checkpoint_mapping(const Checkpoint *checkpoint, const SafetensorsEntry *entry)
{
    return &checkpoint->weights.files[entry->file_index].mapping;
}

/* The entry that `tensor` is, or is a part of; NULL: it is none of ours. */
static SafetensorsEntry *checkpoint_entry(const Checkpoint *checkpoint, const Tensor *tensor)
{
    const SafetensorsTable *table = &checkpoint->weights.table;
    const unsigned char *data = tensor->data;
    for (size_t i = 0; i < table->count; i++) {
        SafetensorsEntry *entry = &table->entries[i];
        if (data >= entry->data && data < entry->data + (entry->end - entry->begin)) return entry;
    }
    return NULL;
}

static void checkpoint_evict_entry(const Checkpoint *checkpoint, const SafetensorsEntry *entry,
                                   const Tensor *tensor)
{
    const FileMapping *mapping = checkpoint_mapping(checkpoint, entry);
    const unsigned char *data = tensor->data;
    size_t size = (size_t)tensor->element_count * (tensor->type == TENSOR_F32 ? 4 : 2);
    file_release(mapping, (size_t)(data - mapping->bytes), size);
}

void checkpoint_release(const Checkpoint *checkpoint, const Tensor *tensor)
{
    SafetensorsEntry *entry = checkpoint_entry(checkpoint, tensor);
    if (!entry) return;
    entry->kept = false;
    checkpoint_evict_entry(checkpoint, entry, tensor);
}

void checkpoint_evict(const Checkpoint *checkpoint, const Tensor *tensor)
{
    const SafetensorsEntry *entry = checkpoint_entry(checkpoint, tensor);
    if (entry) checkpoint_evict_entry(checkpoint, entry, tensor);
}

uint64_t checkpoint_kept_bytes(const Checkpoint *checkpoint)
{
    const SafetensorsTable *table = &checkpoint->weights.table;
    uint64_t bytes = 0;
    for (size_t i = 0; i < table->count; i++) {
        const SafetensorsEntry *entry = &table->entries[i];
        if (entry->kept) bytes += entry->end - entry->begin;
    }
    return bytes;
}

Status checkpoint_detach(const Checkpoint *checkpoint, Error *out_error)
{
    const SafetensorsTable *table = &checkpoint->weights.table;
    for (size_t i = 0; i < table->count; i++) {
        const SafetensorsEntry *entry = &table->entries[i];
        if (!entry->kept) continue;
        const FileMapping *mapping = checkpoint_mapping(checkpoint, entry);
        Status status =
            file_detach(mapping, (size_t)(entry->data - mapping->bytes), entry->end - entry->begin, out_error);
        if (status) return error_prefix(out_error, "%s", checkpoint->directory);
    }
    return STATUS_OK;
}

typedef struct CheckpointHash {
    Sha256 *hash;
    const atomic_bool *stop;
    bool stopped;
} CheckpointHash;

static bool checkpoint_hash_part(void *context, const void *bytes, size_t size)
{
    CheckpointHash *work = context;
    work->stopped = atomic_load_explicit(work->stop, memory_order_relaxed);
    if (!work->stopped) sha256_update(work->hash, bytes, size);
    return !work->stopped;
}

Status checkpoint_hash(const Checkpoint *checkpoint, const atomic_bool *stop, char out_hex[SHA256_HEX_BYTES],
                       Error *out_error)
{
    CheckpointHash work = {.stop = stop};
    Status status = sha256_open(&work.hash, out_error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; status == STATUS_OK && !work.stopped && i < checkpoint->weights.file_count; i++) {
        const WeightFile *file = &checkpoint->weights.files[i];
        status = file_reread(file->path, &file->mapping, checkpoint_hash_part, &work, out_error);
    }
    if (status == STATUS_OK && work.stopped) {
        status =
            error_set(out_error, STATUS_CANCELLED, "%s: hashing its weights was stopped", checkpoint->directory);
    }
    if (status == STATUS_OK) sha256_finish(work.hash, out_hex);
    sha256_close(work.hash);
    return status;
}
