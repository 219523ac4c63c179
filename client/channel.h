/* The transport: calls of bytes over gRPC C core, many at once on one thread. Only channel.c includes gRPC's
 * headers.
 *
 * Nothing happens between calls of channel_run: it drives input and output and calls the handlers, which may start
 * further calls. One thread owns a channel and all of its calls. Times are nanoseconds of clock_monotonic. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Channel Channel;
typedef struct ChannelCall ChannelCall;

/* Replies of 1,024 vectors with all their token vectors; more is refused before it is read. */
#define CHANNEL_REPLY_BYTES_MAX ((uint64_t)256 << 20)
enum { CHANNEL_ADDRESS_BYTES = 512, CHANNEL_CONNECTIONS_MAX = 1024 };

/* How a call ended. Lives until the handler returns. */
typedef struct ChannelReply {
    int code;             /* gRPC's 0..16; whatever else a server sends is 2, UNKNOWN */
    const char *message;  /* never NULL; as the server sent it */
    const uint8_t *bytes; /* a unary call's reply; NULL when code is not 0 */
    size_t size;
    const uint8_t *details; /* grpc-status-details-bin; NULL: none */
    size_t details_size;
} ChannelReply;

/* What a call tells. `context` is the starter's. */
typedef struct ChannelHandlers {
    void (*sent)(void *context); /* the message of channel_call_send was taken; streams only */
    void (*received)(void *context, const uint8_t *bytes,
                     size_t size);                          /* the next is read after this returns; streams only */
    void (*done)(void *context, const ChannelReply *reply); /* the last word; the call is gone afterwards */
} ChannelHandlers;

/* Opens `connection_count` connections to `address` ("127.0.0.1:50051", "[::1]:50051", "name:50051",
 * "unix:/path"); they connect at the first call. On success the caller owns *out_channel (channel_close). Fails
 * with INVALID_ARGUMENT, NO_MEMORY. */
CHECKED Status channel_open(const char *address, size_t connection_count, Channel **out_channel, Error *out_error);
/* Abandons the calls that are left. NULL is a no-op. */
void channel_close(Channel *channel);
/* Cancels every call and waits until it is gone; no handler is called any more, so their contexts may be freed. */
void channel_abandon(Channel *channel);
const char *channel_address(const Channel *channel);

/* Starts a unary call with a copy of `bytes`; connections take turns. `method` ("/package.Service/Method") and
 * `handlers` are static; `sent` and `received` are not called. Fails with NO_MEMORY, INTERNAL; then `done` is not
 * called. */
CHECKED Status channel_call_unary(Channel *channel, const char *method, const uint8_t *bytes, size_t size,
                                  uint64_t deadline_ns, const ChannelHandlers *handlers, void *context,
                                  ChannelCall **out_call, Error *out_error);
/* Opens a stream in both directions; a deadline of 0: none. */
CHECKED Status channel_call_stream(Channel *channel, const char *method, uint64_t deadline_ns,
                                   const ChannelHandlers *handlers, void *context, ChannelCall **out_call,
                                   Error *out_error);
/* Sends one message on a stream. One at a time: the next after `sent`. A failure shows in `done`. */
void channel_call_send(ChannelCall *call, const uint8_t *bytes, size_t size);
/* Says that no message follows. Not while one is being sent. */
void channel_call_finish(ChannelCall *call);
/* `done` follows with code 1, CANCELLED, unless the call has ended otherwise. */
void channel_call_cancel(ChannelCall *call);

/* Handles what is ready; waits for the first event until `until_ns`, or until a signal came (interrupt.h). A time
 * in the past only looks. Returns whether anything was handled. */
bool channel_run(Channel *channel, uint64_t until_ns);
