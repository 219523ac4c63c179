/* The count of workers follows affinity and the cgroup's quota, as made-up /proc and /sys trees tell them. */
#include "cores.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512] = "";
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, folder);
    for (char *slash = whole + 1; (slash = strchr(slash, '/')); slash++) {
        snprintf(path, sizeof path, "%.*s", (int)(slash - whole), whole);
        mkdir(path, 0700);
    }
    mkdir(whole, 0700);
    snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int root_make(void **state)
{
    (void)state;
    strcpy(root, "/tmp/cores_test.XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int root_remove(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static uint32_t affinity(void)
{
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return (uint32_t)CPU_COUNT(&set);
}

static void cores_without_quota_are_those_of_affinity(void **state)
{
    (void)state;
    assert_int_equal(cores_available(root), affinity());
    write_file("/proc/self", "cgroup", "0::/\n");
    write_file("/sys/fs/cgroup", "cpu.max", "max 100000\n");
    assert_int_equal(cores_available(root), affinity());
}

static void cores_quota_of_the_group_rounds_down_to_at_least_one(void **state)
{
    (void)state;
    write_file("/proc/self", "cgroup", "0::/\n");
    write_file("/sys/fs/cgroup", "cpu.max", "50000 100000\n");
    assert_int_equal(cores_available(root), 1);
    write_file("/sys/fs/cgroup", "cpu.max", "190000 100000\n");
    assert_int_equal(cores_available(root), 1);
    write_file("/sys/fs/cgroup", "cpu.max", "99900000000 100000\n");
    assert_int_equal(cores_available(root), affinity());
}

static void cores_quota_of_a_group_above_holds(void **state)
{
    (void)state;
    write_file("/proc/self", "cgroup", "0::/pods/one\n");
    write_file("/sys/fs/cgroup/pods/one", "cpu.max", "max 100000\n");
    write_file("/sys/fs/cgroup/pods", "cpu.max", "100000 100000\n");
    assert_int_equal(cores_available(root), 1);
}

static void cores_quota_of_cgroup_v1_holds(void **state)
{
    (void)state;
    write_file("/proc/self", "cgroup", "4:cpu,cpuacct:/\n");
    write_file("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "-1\n");
    write_file("/sys/fs/cgroup/cpu", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(cores_available(root), affinity());
    write_file("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "100000\n");
    assert_int_equal(cores_available(root), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cores_without_quota_are_those_of_affinity, root_make, root_remove),
        cmocka_unit_test_setup_teardown(cores_quota_of_the_group_rounds_down_to_at_least_one, root_make,
                                        root_remove),
        cmocka_unit_test_setup_teardown(cores_quota_of_a_group_above_holds, root_make, root_remove),
        cmocka_unit_test_setup_teardown(cores_quota_of_cgroup_v1_holds, root_make, root_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
