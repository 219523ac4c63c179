/* Which files a pull takes, and which names it refuses. */
#include "pull_files.h"

#include "call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COMMIT "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
#define SHA "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

static Status parse(const char *siblings, PullFiles *files, Error *error)
{
    char listing[2048];
    snprintf(listing, sizeof listing, "{\"sha\":\"" COMMIT "\",\"siblings\":[%s]}", siblings);
    return pull_files_parse(text_view(listing), files, error);
}

static void pull_path_stays_below_its_folder(void **state)
{
    (void)state;
    static const char *const safe[] = {"a", "a/b", "1_Pooling/config.json", ".hidden", "..a", "a..", "...", "a b"};
    static const char *const unsafe[] = {"",     "/",    "/a",    "a/",     "a//b", ".",    "..",   "./a",
                                         "../a", "a/..", "a/./b", "a/../b", "a\\b", "a\nb", "a\x7F"};
    for (size_t index = 0; index < sizeof safe / sizeof *safe; index++) {
        assert_true(pull_path_safe(text_view(safe[index])));
    }
    for (size_t index = 0; index < sizeof unsafe / sizeof *unsafe; index++) {
        assert_false(pull_path_safe(text_view(unsafe[index])));
    }
    assert_false(pull_path_safe((TextView){"a\0b", 3}));
    char longest[PULL_PATH_BYTES_MAX + 1];
    memset(longest, 'a', sizeof longest);
    assert_true(pull_path_safe((TextView){longest, PULL_PATH_BYTES_MAX - 1}));
    assert_false(pull_path_safe((TextView){longest, PULL_PATH_BYTES_MAX}));
}

static void pull_path_is_needed_by_name_and_folder(void **state)
{
    (void)state;
    static const char *const needed[] = {"config.json",
                                         "tokenizer.json",
                                         "tokenizer_config.json",
                                         "vocab.txt",
                                         "modules.json",
                                         "1_Pooling/config.json",
                                         "2_Dense/config.json",
                                         "0_Transformer/tokenizer.json",
                                         "sentence_bert_config.json",
                                         "sentence_xlnet_config.json",
                                         "config_sentence_transformers.json"};
    static const char *const other[] = {"README.md",           "pytorch_model.bin",           "onnx/config.json",
                                        "tokenizer.model",     "1_Pooling/deep/config.json",  "data_config.json",
                                        "train_script.py",     "openvino/openvino_model.xml", "1_Pooling",
                                        "_Pooling/config.json"};
    for (size_t index = 0; index < sizeof needed / sizeof *needed; index++)
        assert_true(pull_path_needed(needed[index]));
    for (size_t index = 0; index < sizeof other / sizeof *other; index++)
        assert_false(pull_path_needed(other[index]));
}

static void pull_repository_is_an_owner_and_a_name(void **state)
{
    (void)state;
    assert_true(pull_repository_valid("sentence-transformers/all-MiniLM-L6-v2"));
    assert_true(pull_repository_valid("bert-base-uncased"));
    static const char *const wrong[] = {"",     "/",   "a/",  "/a",    "a/b/c", "..",
                                        "a/..", "a b", "a?b", "a/b#c", "a%2Fb"};
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++)
        assert_false(pull_repository_valid(wrong[index]));
}

static void pull_files_read_sizes_and_hashes(void **state)
{
    (void)state;
    PullFiles files;
    Error error;
    Status status = parse("{\"rfilename\":\"config.json\",\"size\":612,\"blobId\":\"72b\"},"
                          "{\"rfilename\":\"model.safetensors\",\"size\":90868376,\"lfs\":{\"sha256\":\"" SHA
                          "\",\"size\":90868376,\"pointerSize\":133}},"
                          "{\"rfilename\":\"vocab.txt\"},{\"rfilename\":\"README.md\",\"size\":1}",
                          &files, &error);
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(files.commit, COMMIT);
    assert_int_equal(files.count, 3);
    assert_string_equal(files.files[0].path, "model.safetensors");
    assert_string_equal(files.files[0].sha256, SHA);
    assert_int_equal(files.files[0].size, 90868376);
    assert_false(files.files[1].size_known);
    assert_string_equal(files.files[2].path, "config.json");
    assert_string_equal(files.files[2].sha256, "");
    pull_files_free(&files);
}

static void pull_files_refuse_what_is_no_listing(void **state)
{
    (void)state;
    static const struct {
        const char *siblings;
        Status status;
    } cases[] = {
        {"", STATUS_NOT_FOUND},
        {"7", STATUS_CORRUPT},
        {"{\"rfilename\":7}", STATUS_CORRUPT},
        {"{\"rfilename\":\"a/../../b\"}", STATUS_CORRUPT},
        {"{\"rfilename\":\"config.json\"}", STATUS_NOT_FOUND},
        {"{\"rfilename\":\"model.safetensors\"}", STATUS_NOT_FOUND},
        {"{\"rfilename\":\"config.json\",\"size\":\"1\"},{\"rfilename\":\"model.safetensors\"}", STATUS_CORRUPT},
        {"{\"rfilename\":\"config.json\",\"size\":1.5},{\"rfilename\":\"model.safetensors\"}", STATUS_CORRUPT},
        {"{\"rfilename\":\"config.json\",\"size\":99999999},{\"rfilename\":\"model.safetensors\"}",
         STATUS_RESOURCE_EXHAUSTED},
    };
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        PullFiles files;
        Error error;
        assert_int_equal(parse(cases[index].siblings, &files, &error), cases[index].status);
    }
}

/* Whatever a hub sends: no crash, and no name that leaves the folder. */
static void pull_files_survive_any_change_of_a_listing(void **state)
{
    (void)state;
    uint64_t seed = (uint64_t)time(NULL), random = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    static const char listing[] =
        "{\"sha\":\"" COMMIT "\",\"siblings\":[{\"rfilename\":\"config.json\",\"size\":9},"
        "{\"rfilename\":\"1_Pooling/config.json\",\"size\":9},"
        "{\"rfilename\":\"model.safetensors\",\"lfs\":{\"sha256\":\"" SHA "\",\"size\":7}}]}";
    static const char pieces[] = "../\\\"{}[]:,0-9e\x01";
    for (int round = 0; round < 20000; round++) {
        char changed[sizeof listing];
        memcpy(changed, listing, sizeof listing);
        for (uint64_t change = call_random(&random) % 4; change-- > 0;) {
            size_t position = call_random(&random) % (sizeof listing - 1);
            changed[position] = pieces[call_random(&random) % (sizeof pieces - 1)];
        }
        PullFiles files;
        Error error;
        if (pull_files_parse((TextView){changed, sizeof listing - 1}, &files, &error) != STATUS_OK) continue;
        for (size_t index = 0; index < files.count; index++) {
            assert_true(pull_path_safe(text_view(files.files[index].path)));
        }
        pull_files_free(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pull_path_stays_below_its_folder),
        cmocka_unit_test(pull_path_is_needed_by_name_and_folder),
        cmocka_unit_test(pull_repository_is_an_owner_and_a_name),
        cmocka_unit_test(pull_files_read_sizes_and_hashes),
        cmocka_unit_test(pull_files_refuse_what_is_no_listing),
        cmocka_unit_test(pull_files_survive_any_change_of_a_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
