#include "registry/registry.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Registry *opened(void)
{
    Registry *registry = NULL;
    Error error;
    assert_int_equal(registry_open(&registry, &error), STATUS_OK);
    return registry;
}

static Model *loaded(const char *name)
{
    const ModelOptions options = {
        .name = name,
        .directory = TESTS_DATA "/golden/pipeline/queries",
        .kernels = kernels_select(KERNELS_ALL),
        .worker_count = 2,
        .batch_tokens = 64,
        .batch_items = 4,
    };
    Model *model = NULL;
    Error error;
    if (model_open(&options, &model, &error)) fail_msg("%s", error.message);
    return model;
}

static void registry_finds_by_name_and_the_first_without(void **state)
{
    (void)state;
    Registry *registry = opened();
    Error error;
    assert_int_equal(registry_add(registry, text_view("one"), &error), STATUS_OK);
    assert_int_equal(registry_add(registry, text_view("two"), &error), STATUS_OK);
    Model *one = loaded("one");
    Model *two = loaded("two");
    registry_set(registry, two);
    registry_set(registry, one);
    const struct {
        const char *name;
        const Model *model;
    } cases[] = {{"", one}, {"one", one}, {"two", two}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Model *found = NULL;
        assert_int_equal(registry_find(registry, text_view(cases[i].name), &found, &error), STATUS_OK);
        assert_ptr_equal(found, cases[i].model);
        model_release(found);
    }
    registry_close(registry);
}

static void registry_names_what_is_there(void **state)
{
    (void)state;
    Registry *registry = opened();
    Error error;
    Model *found = NULL;
    char long_name[MODEL_NAME_BYTES_MAX + 1];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(registry_add(registry, text_view("one"), &error), STATUS_OK);
    assert_int_equal(registry_add(registry, text_view("two"), &error), STATUS_OK);
    assert_int_equal(registry_find(registry, text_view("three"), &found, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "'one', 'two'"));
    assert_int_equal(registry_add(registry, text_view(long_name), &error), STATUS_OK);
    assert_int_equal(registry_find(registry, text_view("three"), &found, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "'one', 'two', ..."));
    registry_close(registry);
}

static void registry_model_that_loads_is_unavailable_with_a_retry(void **state)
{
    (void)state;
    Registry *registry = opened();
    Error error;
    Model *found = NULL;
    assert_int_equal(registry_add(registry, text_view("one"), &error), STATUS_OK);
    assert_int_equal(registry_find(registry, text_view(""), &found, &error), STATUS_UNAVAILABLE);
    assert_true(error.retry_after_ns > 0);
    assert_null(registry_view(registry, 0).model);
    registry_close(registry);
}

static void registry_refuses_names(void **state)
{
    (void)state;
    Registry *registry = opened();
    Error error;
    char long_name[MODEL_NAME_BYTES_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[] = {"", "\xFF", "one", long_name};
    assert_int_equal(registry_add(registry, text_view("one"), &error), STATUS_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(registry_add(registry, text_view(names[i]), &error), STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(registry_count(registry), 1);
    registry_close(registry);
}

/* The new one answers from now on; who holds the old one still can use it. */
static void registry_model_that_is_replaced_lives_as_long_as_it_is_held(void **state)
{
    (void)state;
    Registry *registry = opened();
    Error error;
    Model *before = NULL;
    Model *after = NULL;
    assert_int_equal(registry_add(registry, text_view("one"), &error), STATUS_OK);
    registry_set(registry, loaded("one"));
    registry_set_weights_sha256(registry, "one", "abc");
    assert_int_equal(registry_find(registry, text_view("one"), &before, &error), STATUS_OK);
    registry_set(registry, loaded("one"));
    assert_string_equal(registry_view(registry, 0).weights_sha256, "");
    assert_int_equal(registry_find(registry, text_view("one"), &after, &error), STATUS_OK);
    assert_ptr_not_equal(before, after);
    assert_int_equal(pipeline_vector_size(model_pipeline(before)), 32);
    model_release(before);
    registry_close(registry);
    assert_int_equal(pipeline_vector_size(model_pipeline(after)), 32);
    model_release(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_finds_by_name_and_the_first_without),
        cmocka_unit_test(registry_names_what_is_there),
        cmocka_unit_test(registry_model_that_loads_is_unavailable_with_a_retry),
        cmocka_unit_test(registry_refuses_names),
        cmocka_unit_test(registry_model_that_is_replaced_lives_as_long_as_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
