#include "base/status.h"

#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct StatusRow {
    const char *name;
    int grpc_code;
} StatusRow;

static const StatusRow status_rows[STATUS_COUNT] = {
#define STATUS(name, grpc_code) [STATUS_##name] = {#name, grpc_code},
#include "base/status.def"
#undef STATUS
};

const char *status_name(Status status)
{
    assert(status < STATUS_COUNT);
    return status_rows[status].name;
}

int status_grpc_code(Status status)
{
    assert(status < STATUS_COUNT);
    return status_rows[status].grpc_code;
}

/* A message travels in a gRPC trailer and in logs: no control bytes, and valid UTF-8, whatever it quotes. */
static void error_clean(char *message)
{
    size_t size = strlen(message);
    if (size == ERROR_MESSAGE_BYTES - 1) {
        while (size > 0 && ((unsigned char)message[size - 1] & 0xC0) == 0x80) size--;
        if (size > 0 && (unsigned char)message[size - 1] >= 0xC0) size--;
        message[size] = '\0';
    }
    text_clean(message);
}

Status error_set(Error *error, Status status, const char *format, ...)
{
    assert(status != STATUS_OK);
    if (!error) return status;
    error->status = status;
    error->retry_after_ns = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error_clean(error->message);
    return status;
}

Status error_prefix(Error *error, const char *format, ...)
{
    assert(error && error->status != STATUS_OK);
    char tail[ERROR_MESSAGE_BYTES];
    memcpy(tail, error->message, sizeof tail);
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    size_t used = written < 0 ? 0 : (size_t)written;
    size_t left = used < sizeof error->message ? sizeof error->message - used : 0;
    if (left > sizeof ": ") snprintf(error->message + used, left, ": %.*s", (int)(left - sizeof ": "), tail);
    error_clean(error->message);
    return error->status;
}
