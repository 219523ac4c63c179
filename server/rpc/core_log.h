/* gRPC's own log lines become ours, a few a second at most: a port scanner must not fill a disk. */
#pragma once

#include <stdbool.h>

/* Before grpc_init; once is enough. */
void core_log_install(void);
/* While hushed, what it takes for an error is for debugging: whoever hushes it says what went wrong. Any thread. */
void core_log_hush(bool hushed);
/* Whether gRPC has stopped listening on an address, as 1.51 does for good when accepting fails once: a line in its
 * log is all that tells. Of the whole process, and forever. Any thread. */
bool core_log_listener_lost(void);
