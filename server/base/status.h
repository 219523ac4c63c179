/* One way to fail: a Status says what kind of failure it is, an Error says where and why. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CHECKED __attribute__((warn_unused_result))

typedef enum Status {
#define STATUS(name, grpc_code) STATUS_##name,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT
} Status;

enum { ERROR_MESSAGE_BYTES = 512 };

/* The first cause of a failure, carried unchanged to whoever reports it. A plain value: owns nothing. */
typedef struct Error {
    Status status;
    uint64_t retry_after_ns; /* when to try again; 0: unknown */
    char message[ERROR_MESSAGE_BYTES];
} Error;

/* "NOT_FOUND", for what tests say. Any thread. */
const char *status_name(Status status);
/* The gRPC code (0..16) of `status`. Any thread. */
int status_grpc_code(Status status);

/* Writes `status` and the formatted message, cut at ERROR_MESSAGE_BYTES on a UTF-8 border, and with '?' for control
 * bytes and what is no UTF-8, into `error` (NULL: only returns). Returns `status`, so that a failure is one line:
 * `return error_set(out_error, STATUS_CORRUPT, "%s: ...", path);`. Any thread. */
Status error_set(Error *error, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "text: " in front of the message, to say which file or input the cause belongs to. */
Status error_prefix(Error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
