/* Rows that lie where those of spare tokens do are of tokens that training never met. */
#include "pipeline/pipeline_state.h"
#include "unit/pipeline/golden.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROW_SIZE = 32, SPARE_FIRST = 135, SPARE_COUNT = 3, CHECKPOINT_BYTES_MAX = 1 << 20 };

static const char *const FILES[] = {"config.json",       "tokenizer.json", "tokenizer_config.json",
                                    "model.safetensors", "modules.json",   "sentence_bert_config.json"};

static void file_write(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The word embeddings in the bytes of a safetensors file. */
static float *table_find(char *bytes)
{
    uint64_t header_size;
    unsigned long long begin;
    memcpy(&header_size, bytes, sizeof header_size);
    const char *entry = strstr(bytes + 8, "\"embeddings.word_embeddings.weight\"");
    assert_non_null(entry);
    const char *offsets = strstr(entry, "\"data_offsets\":[");
    assert_non_null(offsets);
    assert_int_equal(sscanf(offsets, "\"data_offsets\":[%llu", &begin), 1);
    return (float *)(void *)(bytes + 8 + header_size + begin);
}

/* All of a row near one place: `near` of it, the rest its own. */
static void row_move(float *table, uint32_t id, float near)
{
    for (uint32_t i = 0; i < ROW_SIZE; i++) {
        float *value = &table[id * ROW_SIZE + i];
        *value = near * (i % 2 ? 0.5f : -0.5f) + (1 - near) * *value;
    }
}

/* A copy of the checkpoint with the spare rows and those of `ids` moved. */
static Pipeline *checkpoint_with(const uint32_t *ids, uint32_t count, float near)
{
    char directory[] = "/tmp/headlight_glitch_XXXXXX";
    char path[PATH_BYTES_MAX], target[PATH_BYTES_MAX];
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char *bytes;
        size_t size;
        Error error;
        snprintf(path, sizeof path, "%s/golden/pipeline/queries/%s", TESTS_DATA, FILES[i]);
        snprintf(target, sizeof target, "%s/%s", directory, FILES[i]);
        if (!file_exists(path)) continue;
        if (file_read(path, CHECKPOINT_BYTES_MAX, &bytes, &size, &error)) fail_msg("%s", error.message);
        if (strcmp(FILES[i], "model.safetensors") == 0) {
            float *table = table_find(bytes);
            for (uint32_t k = 0; k < SPARE_COUNT; k++) row_move(table, SPARE_FIRST + k, near);
            for (uint32_t k = 0; k < count; k++) row_move(table, ids[k], near);
        }
        file_write(target, bytes, size);
        free(bytes);
    }
    snprintf(path, sizeof path, "%s/1_Pooling", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    char *pooling;
    size_t size;
    Error error;
    snprintf(path, sizeof path, "%s/golden/pipeline/queries/1_Pooling/config.json", TESTS_DATA);
    if (file_read(path, CHECKPOINT_BYTES_MAX, &pooling, &size, &error)) fail_msg("%s", error.message);
    snprintf(path, sizeof path, "%s/1_Pooling/config.json", directory);
    file_write(path, pooling, size);
    free(pooling);
    Pipeline *pipeline = NULL;
    const PipelineOptions options = {.directory = directory, .kernels = kernels_select(KERNELS_ALL)};
    if (pipeline_open(&options, &pipeline, &error)) fail_msg("%s", error.message);
    snprintf(path, sizeof path, "rm -r %s", directory);
    assert_int_equal(system(path), 0);
    return pipeline;
}

static void rows_near_the_spare_ones_are_found(void **state)
{
    (void)state;
    const uint32_t ids[] = {60, 110};
    Pipeline *pipeline = checkpoint_with(ids, 2, 0.99f);
    for (uint32_t id = 0; id < SPARE_FIRST; id++)
        assert_int_equal(glitch_has(pipeline, id), id == ids[0] || id == ids[1]);
    assert_true(pipeline_glitch_count(pipeline) >= 2);
    pipeline_close(pipeline);
}

static void special_tokens_are_none(void **state)
{
    (void)state;
    const uint32_t ids[] = {0, 4};
    Pipeline *pipeline = checkpoint_with(ids, 2, 0.99f);
    assert_true(pipeline_glitch_count(pipeline) >= 1);
    for (uint32_t id = 0; id < SPARE_FIRST; id++) assert_false(glitch_has(pipeline, id));
    pipeline_close(pipeline);
}

static void spare_rows_like_all_others_say_nothing(void **state)
{
    (void)state;
    Pipeline *pipeline = checkpoint_with(NULL, 0, 0);
    assert_int_equal(pipeline_glitch_count(pipeline), 0);
    assert_false(glitch_has(pipeline, SPARE_FIRST));
    pipeline_close(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_near_the_spare_ones_are_found),
        cmocka_unit_test(special_tokens_are_none),
        cmocka_unit_test(spare_rows_like_all_others_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
