/* gRPC's own log lines become ours, a few a second at most: a port scanner must not fill a disk. */
#pragma once

/* Before grpc_init; once is enough. */
void core_log_install(void);
