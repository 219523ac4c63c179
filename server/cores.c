#include "cores.h"

#include "base/limits.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t affinity_count(void)
{
    cpu_set_t sets[8]; /* 8,192 CPUs, the most that Linux is built for */
    memset(sets, 0, sizeof sets);
    if (sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
    int count = CPU_COUNT_S(sizeof sets, sets);
    return count > 0 ? (uint32_t)count : 1;
}

static bool file_line(const char *path, char *out_line, int capacity)
{
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool read = fgets(out_line, capacity, file) != NULL;
    fclose(file);
    return read;
}

static uint32_t quota_count(uint64_t quota, uint64_t period)
{
    if (quota == 0 || period == 0) return UINT32_MAX;
    uint64_t count = quota / period;
    if (count == 0) return 1;
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

/* cgroup v2: the group's own limit and those of all groups above it hold. `group` is its path, "/a/b"; it is cut.
 */
static uint32_t quota_v2(const char *root, char *group)
{
    uint32_t count = UINT32_MAX;
    for (;;) {
        char path[PATH_BYTES_MAX];
        char line[128];
        unsigned long long quota;
        unsigned long long period;
        snprintf(path, sizeof path, "%s/sys/fs/cgroup%s/cpu.max", root, group);
        if (file_line(path, line, sizeof line) && sscanf(line, "%llu %llu", &quota, &period) == 2) {
            uint32_t found = quota_count(quota, period);
            if (found < count) count = found;
        }
        char *slash = strrchr(group, '/');
        if (!slash) return count;
        *slash = '\0';
    }
}

/* cgroup v1: containers see their own group at the top. */
static uint32_t quota_v1(const char *root)
{
    char path[PATH_BYTES_MAX];
    char line[128];
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu/cpu.cfs_quota_us", root);
    long long quota = file_line(path, line, sizeof line) ? atoll(line) : -1; /* -1: unlimited */
    snprintf(path, sizeof path, "%s/sys/fs/cgroup/cpu/cpu.cfs_period_us", root);
    long long period = file_line(path, line, sizeof line) ? atoll(line) : 0;
    return quota > 0 && period > 0 ? quota_count((uint64_t)quota, (uint64_t)period) : UINT32_MAX;
}

uint32_t cores_available(const char *root)
{
    char path[PATH_BYTES_MAX];
    char line[PATH_BYTES_MAX / 2];
    uint32_t count = affinity_count();
    uint32_t quota = quota_v1(root);
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (file_line(path, line, sizeof line) && strncmp(line, "0::/", 4) == 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line + 3, "/") == 0) line[3] = '\0';
        uint32_t found = quota_v2(root, line + 3);
        if (found < quota) quota = found;
    }
    return count < quota ? count : quota;
}
