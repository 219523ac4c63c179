#include "unit/registry/loaded.h"

#include "base/limits.h"
#include "unit/model/scratch.h"

static TestRegistry test;
static Scratch folder;

static int open_plain(void **state)
{
    (void)state;
    const RegistryOptions options = test_registry_options(&test);
    test_registry_open(&test, &options);
    return 0;
}

/* Models come from a folder of their own. */
static int open_folder(void **state)
{
    (void)state;
    scratch_open(&folder);
    RegistryOptions options = test_registry_options(&test);
    options.folder = folder.path;
    test_registry_open(&test, &options);
    return 0;
}

static int close_plain(void **state)
{
    (void)state;
    test_registry_close(&test);
    return 0;
}

static int close_folder(void **state)
{
    test_registry_close(&test);
    scratch_close(&folder);
    (void)state;
    return 0;
}

static void copy_file(const char *to, const char *file)
{
    char command[2 * PATH_BYTES_MAX];
    snprintf(command, sizeof command, "cp %s/%s %s/%s", TEST_CHECKPOINT, file, to, file);
    assert_int_equal(system(command), 0);
}

/* A whole checkpoint as the folder's `name`. */
static void put(const char *name)
{
    char command[2 * PATH_BYTES_MAX];
    snprintf(command, sizeof command, "cp -r %s %s/%s", TEST_CHECKPOINT, folder.path, name);
    assert_int_equal(system(command), 0);
}

static void take_away(const char *name)
{
    char command[2 * PATH_BYTES_MAX];
    snprintf(command, sizeof command, "rm -r %s/%s", folder.path, name);
    assert_int_equal(system(command), 0);
}

/* Looks, and waits for what comes of it. */
static void look(bool all)
{
    registry_look(test.registry, all);
    sem_wait(&test.news);
    registry_turn(test.registry);
    for (size_t i = 0; i < registry_count(test.registry); i++) {
        RegistryView view = registry_view(test.registry, i);
        if (view.loading && registry_busy(test.registry)) {
            sem_wait(&test.news);
            registry_turn(test.registry);
            i = (size_t)-1;
        }
    }
}

static Status find(const char *name, Model **out_model, Error *out_error)
{
    return registry_find(test.registry, text_view(name), out_model, out_error);
}

static Model *found(const char *name)
{
    Error error;
    Model *model = NULL;
    if (find(name, &model, &error)) fail_msg("%s", error.message);
    model_release(model);
    return model;
}

static void name(const char *model)
{
    Error error;
    assert_int_equal(registry_name(test.registry, text_view(model), TEST_CHECKPOINT, &error), STATUS_OK);
}

static void registry_finds_by_name_and_the_first_without(void **state)
{
    (void)state;
    test_registry_load(&test, "one");
    test_registry_load(&test, "two");
    assert_string_equal(model_name(found("")), "one");
    assert_string_equal(model_name(found("one")), "one");
    assert_string_equal(model_name(found("two")), "two");
    assert_true(registry_view(test.registry, 0).is_default);
    assert_false(registry_view(test.registry, 1).is_default);
}

static void registry_names_what_is_there(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    char long_name[MODEL_NAME_BYTES_MAX + 1];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(find("three", &model, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "has none"));
    name("one");
    name("two");
    assert_int_equal(find("three", &model, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "'one', 'two'"));
    name(long_name);
    assert_int_equal(find("three", &model, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "'one', 'two', ..."));
}

static void registry_model_that_loads_is_unavailable_with_a_retry(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    name("one");
    assert_int_equal(find("", &model, &error), STATUS_UNAVAILABLE);
    assert_true(error.retry_after_ns > 0);
    assert_null(registry_view(test.registry, 0).model);
    assert_true(registry_view(test.registry, 0).loading);
    assert_false(registry_ready(test.registry));
}

static void registry_refuses_names(void **state)
{
    (void)state;
    Error error;
    char long_name[MODEL_NAME_BYTES_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"", "\xFF", "one", long_name};
    name("one");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(registry_name(test.registry, text_view(names[i]), TEST_CHECKPOINT, &error),
                         STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(registry_count(test.registry), 1);
}

/* The new one answers from now on; who holds the old one still can use it, and only then it is freed. */
static void registry_model_that_is_replaced_lives_as_long_as_it_is_held(void **state)
{
    (void)state;
    Error error;
    Model *before = NULL;
    test_registry_load(&test, "one");
    uint64_t bytes = registry_memory_bytes(test.registry);
    assert_int_equal(find("one", &before, &error), STATUS_OK);
    assert_int_equal(bytes, model_memory_bytes(before));
    assert_false(test_change(&test, REGISTRY_RELOAD, "one", NULL).change.changed);
    assert_ptr_equal(found("one"), before);
    TestChange change = {.change = {.action = REGISTRY_RELOAD, .name = text_view("one"), .force = true}};
    change.change.done = test_change_done;
    assert_int_equal(registry_change(test.registry, &change.change, &error), STATUS_OK);
    test_wait(&test, &change);
    assert_true(change.change.changed);
    assert_ptr_not_equal(found("one"), before);
    assert_int_equal(registry_memory_bytes(test.registry), 2 * bytes);
    assert_int_equal(pipeline_vector_size(model_pipeline(before)), 32);
    model_release(before);
    while (registry_memory_bytes(test.registry) > bytes) usleep(1000);
}

static void registry_unloads_all_but_the_default(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    test_registry_load(&test, "one");
    test_registry_load(&test, "two");
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "one", NULL).change.error.status,
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "three", NULL).change.error.status, STATUS_NOT_FOUND);
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "two", NULL).change.error.status, STATUS_OK);
    assert_int_equal(find("two", &model, &error), STATUS_NOT_FOUND);
    assert_int_equal(registry_count(test.registry), 1);
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "two", NULL).change.error.status, STATUS_NOT_FOUND);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "two", NULL).change.error.status, STATUS_OK);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "two", NULL).change.error.status,
                     STATUS_FAILED_PRECONDITION);
    assert_string_equal(model_name(found("two")), "two");
}

static void registry_loads_from_nowhere_else(void **state)
{
    (void)state;
    put("one");
    const char *const directories[] = {"..", ".", "", "/etc", "../x", "one/../one", TEST_CHECKPOINT};
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        TestChange change = test_change(&test, REGISTRY_LOAD, "new", directories[i]);
        assert_int_equal(change.change.error.status, STATUS_FAILED_PRECONDITION);
    }
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "..", NULL).change.error.status,
                     STATUS_FAILED_PRECONDITION);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "two", NULL).change.error.status, STATUS_NOT_FOUND);
    assert_int_equal(registry_count(test.registry), 0);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "new", "one").change.error.status, STATUS_OK);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "one", NULL).change.error.status, STATUS_OK);
    assert_int_equal(registry_count(test.registry), 2);
}

static void registry_follows_its_folder(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    put("one");
    look(true);
    Model *before = found("");
    put("two");
    look(false);
    assert_int_equal(find("two", &model, &error), STATUS_UNAVAILABLE); /* it may still be growing */
    look(false);
    assert_string_equal(model_name(found("two")), "two");
    assert_ptr_equal(found("one"), before);
    assert_int_equal(find("", &model, &error), STATUS_NOT_FOUND);
    copy_file(scratch_path(&folder, "one"), "tokenizer.json");
    look(false);
    assert_ptr_equal(found("one"), before);
    look(false);
    assert_ptr_not_equal(found("one"), before);
    take_away("two");
    look(false);
    assert_string_equal(model_name(found("two")), "two");
    look(false);
    assert_int_equal(find("two", &model, &error), STATUS_NOT_FOUND);
    assert_int_equal(registry_count(test.registry), 1);
}

/* It lies in the folder and was asked for: one look must not count it twice. */
static void registry_model_that_was_asked_for_may_still_be_growing(void **state)
{
    (void)state;
    put("one");
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "one", NULL).change.error.status, STATUS_OK);
    look(false);
    Model *before = found("one");
    copy_file(scratch_path(&folder, "one"), "tokenizer.json");
    look(false);
    assert_ptr_equal(found("one"), before);
    look(false);
    assert_ptr_not_equal(found("one"), before);
}

static void registry_model_that_was_unloaded_is_left_alone(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    put("one");
    look(true);
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "one", NULL).change.error.status, STATUS_OK);
    look(true);
    look(false);
    assert_int_equal(find("one", &model, &error), STATUS_NOT_FOUND);
    assert_int_equal(test_change(&test, REGISTRY_LOAD, "one", NULL).change.error.status, STATUS_OK);
    found("one");
    assert_int_equal(test_change(&test, REGISTRY_UNLOAD, "one", NULL).change.error.status, STATUS_OK);
    take_away("one");
    look(false);
    look(false);
    put("one");
    look(true);
    found("one");
}

/* The old one goes on, the cause is told without a path, and what comes right is loaded. */
static void registry_broken_checkpoint_changes_nothing(void **state)
{
    (void)state;
    put("one");
    look(true);
    Model *before = found("one");
    scratch_write_text(&folder, "one/tokenizer.json", "{");
    look(true);
    assert_ptr_equal(found("one"), before);
    RegistryView view = registry_view(test.registry, 0);
    assert_non_null(strstr(view.failure, "one/tokenizer.json"));
    assert_null(strstr(view.failure, folder.path));
    assert_false(view.loading);
    TestChange change = test_change(&test, REGISTRY_RELOAD, "one", NULL);
    assert_int_equal(change.change.error.status, STATUS_CORRUPT);
    assert_null(strstr(change.change.error.message, folder.path));
    look(false);
    look(false);
    copy_file(scratch_path(&folder, "one"), "tokenizer.json");
    look(false);
    look(false);
    assert_ptr_not_equal(found("one"), before);
    assert_string_equal(registry_view(test.registry, 0).failure, "");
}

static void registry_first_load_that_fails_is_told(void **state)
{
    (void)state;
    Error error;
    Model *model = NULL;
    put("one");
    scratch_write_text(&folder, "one/config.json", "{}");
    look(true);
    assert_int_equal(find("one", &model, &error), STATUS_UNAVAILABLE);
    assert_int_equal(error.retry_after_ns, 0);
    assert_true(registry_view(test.registry, 0).failure[0] != '\0');
    assert_false(registry_ready(test.registry));
    copy_file(scratch_path(&folder, "one"), "config.json");
    look(false);
    look(false);
    found("one");
    assert_true(registry_ready(test.registry));
}

static void registry_memory_limit_names_what_is_needed(void **state)
{
    (void)state;
    test_registry_load(&test, "one");
    uint64_t bytes = registry_memory_bytes(test.registry);
    test_registry_close(&test);
    RegistryOptions options = test_registry_options(&test);
    options.memory_max = bytes + 1;
    test_registry_open(&test, &options);
    test_registry_load(&test, "one");
    name("two");
    TestChange change = test_change(&test, REGISTRY_LOAD, "two", NULL);
    assert_int_equal(change.change.error.status, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(change.change.error.message, "--model-memory-limit"));
    while (registry_memory_bytes(test.registry) > bytes) usleep(1000);
}

static void registry_that_stops_ends_every_change(void **state)
{
    (void)state;
    Error error;
    enum { COUNT = MODEL_CHANGES_MAX + 1 };
    static TestChange changes[COUNT + 1];
    name("one");
    for (int i = 0; i <= COUNT; i++) {
        changes[i] = (TestChange){.change = {.action = i ? REGISTRY_RELOAD : REGISTRY_LOAD}};
        changes[i].change.name = text_view("one");
        changes[i].change.done = test_change_done;
        Status status = registry_change(test.registry, &changes[i].change, &error);
        assert_int_equal(status, i < COUNT ? STATUS_OK : STATUS_RESOURCE_EXHAUSTED); /* one is under way */
    }
    assert_true(error.retry_after_ns > 0);
    registry_stop(test.registry);
    for (int i = 0; i < COUNT; i++) {
        assert_true(changes[i].done);
        assert_int_equal(changes[i].change.error.status, STATUS_UNAVAILABLE);
    }
    assert_int_equal(registry_change(test.registry, &changes[0].change, &error), STATUS_UNAVAILABLE);
}

static void registry_digests_the_weights(void **state)
{
    (void)state;
    test_registry_load(&test, "one");
    while (!model_weights_sha256(found("one"))[0]) usleep(1000);
    assert_int_equal(strlen(model_weights_sha256(found("one"))), 64);
}

int main(void)
{
#define PLAIN(test) cmocka_unit_test_setup_teardown(test, open_plain, close_plain)
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)
    const struct CMUnitTest tests[] = {
        PLAIN(registry_finds_by_name_and_the_first_without),
        PLAIN(registry_names_what_is_there),
        PLAIN(registry_model_that_loads_is_unavailable_with_a_retry),
        PLAIN(registry_refuses_names),
        PLAIN(registry_model_that_is_replaced_lives_as_long_as_it_is_held),
        PLAIN(registry_unloads_all_but_the_default),
        FOLDER(registry_loads_from_nowhere_else),
        FOLDER(registry_follows_its_folder),
        FOLDER(registry_model_that_was_asked_for_may_still_be_growing),
        FOLDER(registry_model_that_was_unloaded_is_left_alone),
        FOLDER(registry_broken_checkpoint_changes_nothing),
        FOLDER(registry_first_load_that_fails_is_told),
        PLAIN(registry_memory_limit_names_what_is_needed),
        PLAIN(registry_that_stops_ends_every_change),
        PLAIN(registry_digests_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
