/* A registry for tests, whose changes are waited for. */
#pragma once

#include "registry/registry.h"

#include <semaphore.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TEST_CHECKPOINT TESTS_DATA "/golden/pipeline/queries"

typedef struct TestRegistry {
    Registry *registry;
    sem_t news;
} TestRegistry;

static void test_registry_wake(void *context)
{
    sem_post(&((TestRegistry *)context)->news);
}

static void test_registry_ready(void *context, const Model *model)
{
    (void)context;
    (void)model;
}

static inline RegistryOptions test_registry_options(TestRegistry *test)
{
    return (RegistryOptions){
        .model =
            {
                .kernels = kernels_select(KERNELS_ALL),
                .worker_count = 2,
                .batch_tokens = 64,
                .batch_items = 8,
            },
        .wake = test_registry_wake,
        .ready = test_registry_ready,
        .context = test,
    };
}

static inline void test_registry_open(TestRegistry *test, const RegistryOptions *options)
{
    Error error;
    sem_init(&test->news, 0, 0);
    if (registry_open(options, &test->registry, &error)) fail_msg("%s", error.message);
}

static inline void test_registry_close(TestRegistry *test)
{
    registry_close(test->registry);
    sem_destroy(&test->news);
}

typedef struct TestChange {
    RegistryChange change; /* first */
    bool done;
} TestChange;

static void test_change_done(RegistryChange *change)
{
    ((TestChange *)change)->done = true;
}

static inline void test_wait(TestRegistry *test, const TestChange *change)
{
    while (!change->done) {
        sem_wait(&test->news);
        registry_turn(test->registry);
    }
}

/* Asks for a change and waits until it is done. */
static inline TestChange test_change(TestRegistry *test, RegistryAction action, const char *name,
                                     const char *directory)
{
    TestChange change = {
        .change = {.action = action, .name = text_view(name), .directory = directory, .done = test_change_done}};
    Error error;
    if (registry_change(test->registry, &change.change, &error)) fail_msg("%s", error.message);
    test_wait(test, &change);
    return change;
}

/* Names the model and loads it. */
static inline void test_registry_load(TestRegistry *test, const char *name)
{
    Error error;
    if (registry_name(test->registry, text_view(name), TEST_CHECKPOINT, &error)) fail_msg("%s", error.message);
    TestChange change = test_change(test, REGISTRY_LOAD, name, NULL);
    if (change.change.error.status) fail_msg("%s", change.change.error.message);
}
