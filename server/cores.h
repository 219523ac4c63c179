/* How many CPUs are ours: what affinity leaves, and what the cgroup's quota pays for. */
#pragma once

#include <stdint.h>

/* At least 1. A quota of 2.5 CPUs counts as 2: a third worker would be throttled. `root` is put before /proc and
 * /sys/fs/cgroup; "" but for tests. Any thread; reads a few small files. */
uint32_t cores_available(const char *root);
