#include "base/guard.h"

#include "base/file.h"
#include "unit/model/scratch.h"

#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 64 * 1024 };

static Scratch scratch;
static FileMapping mapping;

static int open_file(void **state)
{
    (void)state;
    static char bytes[SIZE];
    memset(bytes, 'x', sizeof bytes);
    scratch_open(&scratch);
    scratch_write(&scratch, "file", bytes, sizeof bytes);
    Error error;
    if (file_map(scratch_path(&scratch, "file"), SIZE, &mapping, &error)) fail_msg("%s", error.message);
    return 0;
}

static int close_file(void **state)
{
    (void)state;
    file_unmap(&mapping);
    scratch_close(&scratch);
    return 0;
}

static uint32_t sum(size_t begin, size_t end)
{
    uint32_t total = 0;
    for (size_t i = begin; i < end; i++) total += mapping.bytes[i];
    return total;
}

static void guard_notices_what_was_cut_off(void **state)
{
    (void)state;
    guard_install(); /* in place of cmocka's handler */
    guard_begin();
    assert_int_equal(sum(0, SIZE), SIZE * 'x');
    assert_false(guard_end());
    assert_int_equal(truncate(scratch_path(&scratch, "file"), SIZE / 2), 0);
    guard_begin();
    assert_int_equal(sum(0, SIZE), SIZE / 2 * 'x');
    assert_true(guard_end());
    guard_begin();
    assert_int_equal(sum(0, SIZE / 2), SIZE / 2 * 'x');
    assert_false(guard_end());
}

static void guard_elsewhere_the_process_ends(void **state)
{
    (void)state;
    guard_install();
    assert_int_equal(truncate(scratch_path(&scratch, "file"), 0), 0);
    pid_t child = fork();
    if (child == 0) _exit(sum(0, SIZE) == 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static void file_detached_keeps_what_it_had(void **state)
{
    (void)state;
    Error error;
    assert_int_equal(file_detach(&mapping, 10000, 30000, &error), STATUS_OK);
    assert_int_equal(file_detach(&mapping, 30000, SIZE - 30000, &error), STATUS_OK);
    assert_int_equal(truncate(scratch_path(&scratch, "file"), 0), 0);
    assert_int_equal(sum(10000, SIZE), (SIZE - 10000) * 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(guard_notices_what_was_cut_off, open_file, close_file),
        cmocka_unit_test_setup_teardown(guard_elsewhere_the_process_ends, open_file, close_file),
        cmocka_unit_test_setup_teardown(file_detached_keeps_what_it_had, open_file, close_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
