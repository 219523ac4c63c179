/* Opening an encoder over a checkpoint that lacks something. (tests/faults fails its allocations.) */
#include "unit/encoder/golden.h"

#include <unistd.h>

/* Copies the text of config.json with `from` replaced by `to`. */
static void write_changed_config(const char *directory, const char *from, const char *to)
{
    Error error;
    char path[512];
    char *text;
    size_t size;
    snprintf(path, sizeof path, "%s/golden/encoder/bert/one_head/config.json", TESTS_DATA);
    golden_check(file_read(path, 1 << 16, &text, &size, &error), &error);
    char *place = strstr(text, from);
    assert_non_null(place);
    snprintf(path, sizeof path, "%s/config.json", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    assert_int_equal(fclose(file), 0);
    free(text);
}

/* Opens the weights of "one_head" under a configuration that they do not match. */
static Status open_changed(const char *from, const char *to, Error *out_error)
{
    char directory[] = "/tmp/encoder_open_XXXXXX";
    assert_non_null(mkdtemp(directory));
    char weights[512];
    char linked[512];
    char config[512];
    snprintf(weights, sizeof weights, "%s/golden/encoder/bert/one_head/model.safetensors", TESTS_DATA);
    snprintf(linked, sizeof linked, "%s/model.safetensors", directory);
    snprintf(config, sizeof config, "%s/config.json", directory);
    assert_int_equal(symlink(weights, linked), 0);
    write_changed_config(directory, from, to);
    Checkpoint *checkpoint;
    golden_check(checkpoint_open(directory, &checkpoint, out_error), out_error);
    Encoder *encoder = NULL;
    Status status = encoder_open(checkpoint, kernels_select(KERNELS_ALL), &encoder, out_error);
    assert_null(encoder);
    checkpoint_close(checkpoint);
    unlink(linked);
    unlink(config);
    rmdir(directory);
    return status;
}

static void a_wrong_shape_is_named(void **state)
{
    (void)state;
    Error error;
    assert_int_equal(open_changed("\"intermediate_size\": 37", "\"intermediate_size\": 36", &error),
                     STATUS_CORRUPT);
    assert_non_null(strstr(error.message, "intermediate.dense"));
    assert_int_equal(open_changed("\"vocab_size\": 61", "\"vocab_size\": 62", &error), STATUS_CORRUPT);
    assert_non_null(strstr(error.message, "word_embeddings"));
}

static void a_missing_layer_is_named(void **state)
{
    (void)state;
    Error error;
    assert_int_equal(open_changed("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", &error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "encoder.layer.2."));
}

/* A module's folder may have any name up to the limit, and its tensors' names begin with it. */
static void a_module_in_a_folder_with_a_long_name_is_read(void **state)
{
    (void)state;
    enum { FOLDER_BYTES = MODULE_PATH_BYTES_MAX - 1 }; /* the limit of a file's name too */
    char folder[FOLDER_BYTES + 1];
    char directory[] = "/tmp/encoder_open_XXXXXX";
    char command[2048];
    Error error;
    Checkpoint *checkpoint;
    Encoder *encoder = NULL;
    memset(folder, 'f', FOLDER_BYTES);
    folder[FOLDER_BYTES] = '\0';
    assert_non_null(mkdtemp(directory));
    snprintf(
        command, sizeof command,
        "cp -r %s/golden/tasks/bert/dense/* %s && cd %s && mv 2_Dense %s && sed -i s/2_Dense/%s/ modules.json",
        TESTS_DATA, directory, directory, folder, folder);
    assert_int_equal(system(command), 0);
    golden_check(checkpoint_open(directory, &checkpoint, &error), &error);
    golden_check(encoder_open(checkpoint, kernels_select(KERNELS_ALL), &encoder, &error), &error);
    encoder_close(encoder);
    checkpoint_close(checkpoint);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void a_workspace_says_how_much_it_takes(void **state)
{
    (void)state;
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    golden_open("bert/one_head", &golden);
    golden_encoder_open(&golden, kernels_select(KERNELS_ALL), &encoder, &workspace);
    uint64_t small = encoder_workspace_bytes(encoder, 512);
    uint64_t large = encoder_workspace_bytes(encoder, 1024);
    assert_true(large - small >= 512 * 32 * sizeof(float));
    assert_true(large < 2 * 1024 * 1024);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_shape_is_named),
        cmocka_unit_test(a_missing_layer_is_named),
        cmocka_unit_test(a_module_in_a_folder_with_a_long_name_is_read),
        cmocka_unit_test(a_workspace_says_how_much_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
