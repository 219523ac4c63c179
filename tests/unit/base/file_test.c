/* Files are read and mapped within limits, and nothing but regular files. */
#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char file_path[] = "/tmp/headlight-file-XXXXXX";

static int write_file(void **state)
{
    (void)state;
    int descriptor = mkstemp(file_path);
    bool written = descriptor >= 0 && write(descriptor, "0123456789", 10) == 10;
    if (descriptor >= 0) close(descriptor);
    return written ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

static void file_join_puts_one_slash(void **state)
{
    (void)state;
    char path[8];
    Error error;
    assert_int_equal(file_join(path, sizeof path, "a", "b", &error), STATUS_OK);
    assert_string_equal(path, "a/b");
    assert_int_equal(file_join(path, sizeof path, "a/", "b", &error), STATUS_OK);
    assert_string_equal(path, "a/b");
    assert_int_equal(file_join(path, sizeof path, "", "b", &error), STATUS_OK);
    assert_string_equal(path, "b");
    assert_int_equal(file_join(path, sizeof path, "abcd", "efg", &error), STATUS_INVALID_ARGUMENT);
}

static void file_beside_the_programs_folder_is_found(void **state)
{
    (void)state;
    char path[4096], name[64];
    Error error;
    snprintf(name, sizeof name, "tests/%s",
             program_invocation_short_name); /* the tests' programs are in build/tests */
    assert_int_equal(file_join_installed(path, sizeof path, name, &error), STATUS_OK);
    assert_int_equal(path[0], '/');
    assert_true(file_exists(path));
    assert_int_equal(file_join_installed(path, sizeof path, "share/none", &error), STATUS_OK);
    assert_false(file_exists(path));
    assert_int_equal(file_join_installed(path, 4, name, &error), STATUS_INVALID_ARGUMENT);
}

static void file_read_gives_all_bytes_and_a_terminator(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    Error error;
    assert_int_equal(file_read(file_path, 10, &bytes, &size, &error), STATUS_OK);
    assert_int_equal(size, 10);
    assert_string_equal(bytes, "0123456789");
    free(bytes);
}

static void file_over_the_limit_is_refused(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    FileMapping mapping = {0};
    Error error;
    assert_int_equal(file_read(file_path, 9, &bytes, &size, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_null(bytes);
    assert_int_equal(file_map(file_path, 9, &mapping, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_null(mapping.bytes);
}

static void file_that_is_not_regular_is_refused_without_waiting(void **state)
{
    (void)state;
    char *bytes = NULL;
    size_t size = 0;
    Error error;
    char pipe_path[64];
    snprintf(pipe_path, sizeof pipe_path, "%s.pipe", file_path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(file_read(pipe_path, 10, &bytes, &size, &error), STATUS_IO);
    unlink(pipe_path);
    assert_int_equal(file_read("/tmp", 10, &bytes, &size, &error), STATUS_IO);
    assert_int_equal(file_read("/nonexistent/x", 10, &bytes, &size, &error), STATUS_NOT_FOUND);
    assert_int_equal(file_read("/dev/null/x", 10, &bytes, &size, &error), STATUS_NOT_FOUND);
    assert_false(file_exists("/nonexistent/x"));
    assert_true(file_exists(file_path));
}

static void file_map_refuses_an_empty_file(void **state)
{
    (void)state;
    char path[] = "/tmp/headlight-empty-XXXXXX";
    FileMapping mapping = {0};
    Error error;
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(file_map(path, 10, &mapping, &error), STATUS_CORRUPT);
    unlink(path);
}

static void file_mapping_is_readable_after_its_release(void **state)
{
    (void)state;
    FileMapping mapping = {0};
    Error error;
    assert_int_equal(file_map(file_path, 10, &mapping, &error), STATUS_OK);
    assert_int_equal(mapping.size, 10);
    file_release(&mapping, 0, 10);
    file_release(&mapping, 3, SIZE_MAX);
    file_release(&mapping, 11, 1);
    assert_memory_equal(mapping.bytes, "0123456789", 10);
    file_unmap(&mapping);
    file_unmap(&mapping);
    assert_null(mapping.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_join_puts_one_slash),
        cmocka_unit_test(file_beside_the_programs_folder_is_found),
        cmocka_unit_test(file_read_gives_all_bytes_and_a_terminator),
        cmocka_unit_test(file_over_the_limit_is_refused),
        cmocka_unit_test(file_that_is_not_regular_is_refused_without_waiting),
        cmocka_unit_test(file_map_refuses_an_empty_file),
        cmocka_unit_test(file_mapping_is_readable_after_its_release),
    };
    return cmocka_run_group_tests(tests, write_file, remove_file);
}
