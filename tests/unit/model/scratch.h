/* A folder of its own for a test, and tiny checkpoints in it. Failures to write end the test program. */
#pragma once

#include <assert.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Scratch {
    char path[256];
} Scratch;

typedef struct ScratchTensor {
    const char *name;
    const char *dtype;
    uint32_t rank;
    uint64_t shape[5];
    const void *data; /* NULL: zeros */
    size_t size;      /* in bytes */
} ScratchTensor;

static inline void scratch_open(Scratch *scratch)
{
    const char *parent = getenv("TMPDIR");
    int written = snprintf(scratch->path, sizeof scratch->path, "%s/headlight-XXXXXX", parent ? parent : "/tmp");
    char *made = written < (int)sizeof scratch->path ? mkdtemp(scratch->path) : NULL;
    assert(made);
    (void)made;
}

static inline int scratch_remove(const char *path, const struct stat *information, int kind, struct FTW *place)
{
    (void)information, (void)kind, (void)place;
    return remove(path);
}

static inline void scratch_close(Scratch *scratch)
{
    nftw(scratch->path, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
    scratch->path[0] = '\0';
}

/* The path of `name` in the folder, in a buffer that the next call reuses. */
static inline const char *scratch_path(const Scratch *scratch, const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", scratch->path, name);
    return path;
}

/* Writes a file; a folder in `name`, such as 1_Pooling/config.json, is made. */
static inline void scratch_write(const Scratch *scratch, const char *name, const void *bytes, size_t size)
{
    char folder[64] = "";
    const char *slash = strrchr(name, '/');
    if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
    if (slash) mkdir(scratch_path(scratch, folder), 0700);
    FILE *stream = fopen(scratch_path(scratch, name), "wb");
    assert(stream);
    size_t written = size ? fwrite(bytes, 1, size, stream) : 0;
    assert(written == size);
    (void)written;
    fclose(stream);
}

static inline void scratch_write_text(const Scratch *scratch, const char *name, const char *text)
{
    scratch_write(scratch, name, text, strlen(text));
}

/* Writes a safetensors file of a given header and `data_size` bytes of data (NULL: zeros). */
static inline void scratch_write_header(const Scratch *scratch, const char *name, const char *header,
                                        const void *data, size_t data_size)
{
    size_t header_size = strlen(header);
    unsigned char *bytes = calloc(1, 8 + header_size + data_size);
    assert(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)header_size >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    if (data) memcpy(bytes + 8 + header_size, data, data_size);
    scratch_write(scratch, name, bytes, 8 + header_size + data_size);
    free(bytes);
}

/* Writes a well-formed safetensors file of these tensors, end to end. */
static inline void scratch_write_tensors(const Scratch *scratch, const char *name, const ScratchTensor *tensors,
                                         size_t count)
{
    char *header = NULL;
    char *data = NULL;
    size_t header_size = 0;
    size_t data_size = 0;
    FILE *header_stream = open_memstream(&header, &header_size);
    FILE *data_stream = open_memstream(&data, &data_size);
    assert(header_stream && data_stream);
    size_t offset = 0;
    fputc('{', header_stream);
    for (size_t i = 0; i < count; i++) {
        fprintf(header_stream, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "", tensors[i].name,
                tensors[i].dtype);
        for (uint32_t axis = 0; axis < tensors[i].rank; axis++) {
            fprintf(header_stream, "%s%llu", axis ? "," : "", (unsigned long long)tensors[i].shape[axis]);
        }
        fprintf(header_stream, "],\"data_offsets\":[%zu,%zu]}", offset, offset + tensors[i].size);
        for (size_t byte = 0; byte < tensors[i].size; byte++) {
            fputc(tensors[i].data ? ((const unsigned char *)tensors[i].data)[byte] : 0, data_stream);
        }
        offset += tensors[i].size;
    }
    fputc('}', header_stream);
    fclose(header_stream);
    fclose(data_stream);
    scratch_write_header(scratch, name, header, data, data_size);
    free(header);
    free(data);
}

static const char scratch_config[] =
    "{\"model_type\": \"bert\", \"hidden_size\": 4, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
    "\"intermediate_size\": 8, \"vocab_size\": 16, \"max_position_embeddings\": 32, \"type_vocab_size\": 2, "
    "\"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-12}";

/* The smallest checkpoint that opens: config.json and one tensor. */
static inline void scratch_write_checkpoint(const Scratch *scratch)
{
    static const float values[4] = {1, 2, 3, 4};
    const ScratchTensor tensor = {"embeddings.LayerNorm.weight", "F32", 1, {4}, values, sizeof values};
    scratch_write_text(scratch, "config.json", scratch_config);
    scratch_write_tensors(scratch, "model.safetensors", &tensor, 1);
}

/* Adds sentence-transformers' files: mean pooling, normalization, a limit of 16 tokens and two prompts. */
static inline void scratch_write_sentence_files(const Scratch *scratch)
{
    scratch_write_text(
        scratch, "modules.json",
        "[{\"idx\":0,\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
        "{\"idx\":1,\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"},"
        "{\"idx\":2,\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}]");
    scratch_write_text(scratch, "1_Pooling/config.json",
                       "{\"word_embedding_dimension\":4,\"pooling_mode_mean_tokens\":true}");
    scratch_write_text(scratch, "sentence_bert_config.json", "{\"max_seq_length\":16,\"do_lower_case\":true}");
    scratch_write_text(scratch, "config_sentence_transformers.json",
                       "{\"prompts\":{\"query\":\"query: \",\"passage\":null},\"default_prompt_name\":\"query\"}");
}
