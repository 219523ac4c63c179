/* A checkpoint directory: tensors found under every name they go by, wrong files refused with a text that helps.
 */
#include "model/checkpoint.h"

#include "base/file.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Scratch scratch;

static int open_folder(void **state)
{
    (void)state;
    scratch_open(&scratch);
    scratch_write_checkpoint(&scratch);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static Checkpoint *open_checkpoint(void)
{
    Checkpoint *checkpoint = NULL;
    Error error;
    if (checkpoint_open(scratch.path, &checkpoint, &error) != STATUS_OK) fail_msg("%s", error.message);
    return checkpoint;
}

static void assert_refused(Status expected, const char *reason)
{
    Checkpoint *checkpoint = NULL;
    Error error = {.message = ""};
    Status status = checkpoint_open(scratch.path, &checkpoint, &error);
    if (status != expected || !strstr(error.message, reason) || !strstr(error.message, scratch.path)) {
        fail_msg("status \"%s\", message \"%s\", expected \"%s\"", status_name(status), error.message, reason);
    }
    assert_null(checkpoint);
}

static void assert_values(const Checkpoint *checkpoint, const char *name, uint64_t size, const float *expected)
{
    Tensor tensor;
    Error error;
    float values[8];
    Status status = checkpoint_tensor(checkpoint, name, 1, &size, &tensor, &error);
    if (status != STATUS_OK) fail_msg("%s", error.message);
    tensor_read(&tensor, 0, size, values);
    assert_memory_equal(values, expected, size * sizeof *values);
}

static void checkpoint_gives_configuration_and_tensors(void **state)
{
    (void)state;
    Checkpoint *checkpoint = open_checkpoint();
    assert_string_equal(checkpoint_directory(checkpoint), scratch.path);
    assert_int_equal(checkpoint_config(checkpoint)->hidden_size, 4);
    assert_int_equal(checkpoint_sentence_config(checkpoint)->token_count_max, 32);
    assert_values(checkpoint, "embeddings.LayerNorm.weight", 4, (const float[]){1, 2, 3, 4});
    checkpoint_close(checkpoint);
    checkpoint_close(NULL);
}

static void checkpoint_finds_prefixed_and_old_names(void **state)
{
    (void)state;
    static const float a[] = {1, 2}, b[] = {3, 4}, c[] = {5, 6}, d[] = {7, 8};
    const ScratchTensor tensors[] = {
        {"bert.embeddings.LayerNorm.gamma", "F32", 1, {2}, a, sizeof a},
        {"embeddings.LayerNorm.beta", "F32", 1, {2}, b, sizeof b},
        {"bert.pooler.dense.bias", "F32", 1, {2}, c, sizeof c},
        {"gamma", "F32", 1, {2}, d, sizeof d},
    };
    scratch_write_tensors(&scratch, "model.safetensors", tensors, 4);
    Checkpoint *checkpoint = open_checkpoint();
    assert_values(checkpoint, "embeddings.LayerNorm.weight", 2, a);
    assert_values(checkpoint, "embeddings.LayerNorm.bias", 2, b);
    assert_values(checkpoint, "pooler.dense.bias", 2, c);
    assert_values(checkpoint, "bert.pooler.dense.bias", 2, c);
    Tensor tensor;
    Error error;
    assert_int_equal(checkpoint_tensor(checkpoint, "weight", 1, (const uint64_t[]){2}, &tensor, &error),
                     STATUS_NOT_FOUND);
    checkpoint_close(checkpoint);
}

static void checkpoint_tensor_error_names_file_tensor_and_shapes(void **state)
{
    (void)state;
    const ScratchTensor tensors[] = {
        {"query.weight", "F32", 2, {4, 5}, NULL, 80},
        {"deep", "F32", 5, {1, 1, 1, 1, 2}, NULL, 8},
        {"position_ids", "I64", 1, {2}, NULL, 16},
        {"scalar", "F32", 0, {0}, NULL, 4},
    };
    static const struct {
        const char *name;
        uint32_t rank;
        uint64_t shape[4];
        Status status;
        const char *message;
    } cases[] = {
        {"query.weight", 2, {4, 4}, STATUS_CORRUPT, "tensor \"query.weight\" has shape [4, 5], expected [4, 4]"},
        {"query.weight", 1, {20}, STATUS_CORRUPT, "has shape [4, 5], expected [20]"},
        {"deep", 4, {1, 1, 1, 1}, STATUS_CORRUPT, "has shape [1, 1, 1, 1, ...], expected [1, 1, 1, 1]"},
        {"scalar", 1, {1}, STATUS_CORRUPT, "has shape [], expected [1]"},
        {"position_ids", 1, {2}, STATUS_UNSUPPORTED, "is stored as I64; F32, F16 and BF16 are supported"},
        {"key.weight", 2, {4, 4}, STATUS_NOT_FOUND, "no tensor \"key.weight\" (nor \"bert.key.weight\")"},
    };
    scratch_write_tensors(&scratch, "model.safetensors", tensors, 4);
    Checkpoint *checkpoint = open_checkpoint();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[512];
        Tensor tensor;
        Error error;
        Status status =
            checkpoint_tensor(checkpoint, cases[i].name, cases[i].rank, cases[i].shape, &tensor, &error);
        snprintf(expected, sizeof expected, "%s/model.safetensors: ", scratch.path);
        assert_int_equal(status, cases[i].status);
        assert_int_equal(strncmp(error.message, expected, strlen(expected)), 0);
        assert_non_null(strstr(error.message, cases[i].message));
    }
    Tensor tensor;
    assert_int_equal(checkpoint_tensor(checkpoint, "scalar", 0, NULL, &tensor, NULL), STATUS_OK);
    assert_int_equal(tensor.element_count, 1);
    checkpoint_close(checkpoint);
}

static void checkpoint_reads_half_floats_off_alignment(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x3C00, 0xC000, 0x0001, 0x7BFF};
    static const uint16_t brains[] = {0x3F80, 0xC000, 0x0001, 0x7F7F};
    scratch_write_header(&scratch, "model.safetensors",
                         "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                         "\"h\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[9,17]}} ",
                         (const unsigned char[17]){0}, 17);
    char *path = strdup(scratch_path(&scratch, "model.safetensors"));
    FILE *stream = fopen(path, "r+b");
    assert_non_null(stream);
    fseek(stream, -17, SEEK_END);
    fwrite(halves, 1, 8, stream);
    fputc(7, stream);
    fwrite(brains, 1, 8, stream);
    fclose(stream);
    free(path);
    Checkpoint *checkpoint = open_checkpoint();
    assert_values(checkpoint, "h", 4, (const float[]){1, -2, 0x1p-24F, 65504});
    assert_values(checkpoint, "b", 4, (const float[]){1, -2, 0x1p-133F, 0x1.FEp127F});
    checkpoint_close(checkpoint);
}

static void checkpoint_reads_tensors_again_after_their_release(void **state)
{
    (void)state;
    enum { COUNT = 64 * 1024 };
    float *values = malloc(COUNT * sizeof *values);
    float *read = malloc(COUNT * sizeof *read);
    assert_true(values && read);
    for (int i = 0; i < COUNT; i++) values[i] = (float)i;
    const ScratchTensor big = {"big", "F32", 1, {COUNT}, values, COUNT * sizeof *values};
    scratch_write_tensors(&scratch, "model.safetensors", &big, 1);
    Checkpoint *checkpoint = open_checkpoint();
    Tensor tensor;
    assert_int_equal(checkpoint_tensor(checkpoint, "big", 1, (const uint64_t[]){COUNT}, &tensor, NULL), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        tensor_read(&tensor, 0, COUNT, read);
        assert_memory_equal(read, values, COUNT * sizeof *values);
        checkpoint_release(checkpoint, &tensor);
    }
    checkpoint_close(checkpoint);
    free(values);
    free(read);
}

static void write_shards(const char *index)
{
    static const float a[] = {1, 2}, b[] = {3, 4};
    const ScratchTensor first = {"a", "F32", 1, {2}, a, sizeof a};
    const ScratchTensor second = {"b", "F32", 1, {2}, b, sizeof b};
    unlink(scratch_path(&scratch, "model.safetensors"));
    scratch_write_tensors(&scratch, "model-1.safetensors", &first, 1);
    scratch_write_tensors(&scratch, "model-2.safetensors", &second, 1);
    scratch_write_text(&scratch, "model.safetensors.index.json", index);
}

static void checkpoint_in_shards_is_one_table(void **state)
{
    (void)state;
    write_shards("{\"metadata\":{\"total_size\":16},"
                 "\"weight_map\":{\"b\":\"model-2.safetensors\",\"a\":\"model-1.safetensors\"}}");
    Checkpoint *checkpoint = open_checkpoint();
    assert_values(checkpoint, "a", 2, (const float[]){1, 2});
    assert_values(checkpoint, "b", 2, (const float[]){3, 4});
    Tensor tensor;
    Error error;
    assert_int_equal(checkpoint_tensor(checkpoint, "c", 1, (const uint64_t[]){2}, &tensor, &error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "any other shard"));
    checkpoint_close(checkpoint);
}

static void checkpoint_refuses_wrong_shards(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        Status status;
        const char *reason;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"../model-1.safetensors\"}}", STATUS_CORRUPT, "only .safetensors files beside"},
        {"{\"weight_map\":{\"a\":\"/etc/model-1.safetensors\"}}", STATUS_CORRUPT,
         "only .safetensors files beside"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", STATUS_CORRUPT, "only .safetensors files beside"},
        {"{\"weight_map\":{\"a\":\"passwd\"}}", STATUS_CORRUPT, "only .safetensors files beside"},
        {"{\"weight_map\":{\"a\":1}}", STATUS_CORRUPT, "only .safetensors files beside"},
        {"{\"weight_map\":{\"a\":\"model-2.safetensors\"}}", STATUS_CORRUPT,
         "\"a\" is not in the file named for it"},
        {"{\"weight_map\":{\"z\":\"model-2.safetensors\"}}", STATUS_CORRUPT,
         "\"z\" is not in the file named for it"},
        {"{\"weight_map\":{\"a\":\"model-3.safetensors\"}}", STATUS_NOT_FOUND, "model-3.safetensors"},
        {"{\"weight_map\":{}}", STATUS_CORRUPT, "\"weight_map\" must name"},
        {"{\"weight_map\":[\"model-1.safetensors\"]}", STATUS_CORRUPT, "\"weight_map\" must name"},
        {"{}", STATUS_CORRUPT, "\"weight_map\" must name"},
        {"[]", STATUS_CORRUPT, "\"weight_map\" must name"},
        {"", STATUS_CORRUPT, "index.json: line 1, column 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_shards(cases[i].index);
        assert_refused(cases[i].status, cases[i].reason);
    }
}

static void checkpoint_refuses_a_tensor_in_two_shards(void **state)
{
    (void)state;
    const ScratchTensor again = {"a", "F32", 1, {2}, NULL, 8};
    write_shards("{\"weight_map\":{\"a\":\"model-1.safetensors\",\"b\":\"model-3.safetensors\"}}");
    scratch_write_tensors(&scratch, "model-3.safetensors", &again, 1);
    assert_refused(STATUS_CORRUPT, "the tensor \"a\" appears twice");
}

static void checkpoint_refuses_too_many_shards(void **state)
{
    (void)state;
    char *index = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&index, &size);
    assert_non_null(stream);
    fputs("{\"weight_map\":{\"a\":\"model-1.safetensors\"", stream);
    for (int i = 0; i < SHARD_COUNT_MAX; i++) fprintf(stream, ",\"%d\":\"%d.safetensors\"", i, i);
    fputs("}}", stream);
    fclose(stream);
    write_shards(index);
    assert_refused(STATUS_RESOURCE_EXHAUSTED, "1025 weight files; the limit is 1024");
    free(index);
}

static void checkpoint_says_what_is_missing(void **state)
{
    (void)state;
    unlink(scratch_path(&scratch, "model.safetensors"));
    assert_refused(STATUS_NOT_FOUND, "neither model.safetensors nor model.safetensors.index.json is there");
    scratch_write_text(&scratch, "pytorch_model.bin", "x");
    assert_refused(STATUS_UNSUPPORTED, "convert it with transformers");
    unlink(scratch_path(&scratch, "config.json"));
    assert_refused(STATUS_NOT_FOUND, "config.json: No such file");
    scratch_write_text(&scratch, "config.json", "{\"model_type\":\"t5\"}");
    assert_refused(STATUS_UNSUPPORTED, "config.json: model_type \"t5\"");
    Checkpoint *checkpoint = NULL;
    assert_int_equal(checkpoint_open("/nonexistent", &checkpoint, NULL), STATUS_NOT_FOUND);
    assert_null(checkpoint);
}

static void checkpoint_refuses_truncated_and_empty_weights(void **state)
{
    (void)state;
    const char *path = scratch_path(&scratch, "model.safetensors");
    struct stat information;
    assert_int_equal(stat(path, &information), 0);
    for (off_t size = information.st_size - 1; size >= 0; size--) {
        assert_int_equal(truncate(scratch_path(&scratch, "model.safetensors"), size), 0);
        assert_refused(STATUS_CORRUPT, size == 0 ? "the file is empty" : "safetensors");
    }
}

static void checkpoint_hash_is_that_of_its_files_in_order_unless_stopped(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    char expected[SHA256_HEX_BYTES];
    Error error;
    write_shards("{\"weight_map\":{\"b\":\"model-2.safetensors\",\"a\":\"model-1.safetensors\"}}");
    Checkpoint *checkpoint = open_checkpoint();
    atomic_bool stop = true;
    assert_int_equal(checkpoint_hash(checkpoint, &stop, hex, &error), STATUS_CANCELLED);
    stop = false;
    assert_int_equal(checkpoint_hash(checkpoint, &stop, hex, &error), STATUS_OK);
    checkpoint_close(checkpoint);
    Sha256 *hash = NULL;
    assert_int_equal(sha256_open(&hash, &error), STATUS_OK);
    static const char *const names[] = {"model-1.safetensors", "model-2.safetensors"};
    for (int i = 0; i < 2; i++) {
        FileMapping mapping = {0};
        assert_int_equal(file_map(scratch_path(&scratch, names[i]), 4096, &mapping, &error), STATUS_OK);
        sha256_update(hash, mapping.bytes, mapping.size);
        file_unmap(&mapping);
    }
    sha256_finish(hash, expected);
    sha256_close(hash);
    assert_string_equal(hex, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoint_gives_configuration_and_tensors, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_finds_prefixed_and_old_names, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_tensor_error_names_file_tensor_and_shapes, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_reads_half_floats_off_alignment, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_reads_tensors_again_after_their_release, open_folder,
                                        close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_in_shards_is_one_table, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_refuses_wrong_shards, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_refuses_a_tensor_in_two_shards, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_refuses_too_many_shards, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_says_what_is_missing, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_refuses_truncated_and_empty_weights, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(checkpoint_hash_is_that_of_its_files_in_order_unless_stopped, open_folder,
                                        close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
