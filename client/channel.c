#include "channel.h"

#include "base/clock.h"
#include "interrupt.h"

#include <arpa/inet.h>
#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNEL_EVENTS_PER_RUN = 256, /* so that the caller's timers are looked at under load as well */
    CHANNEL_WAIT_MS = 50,         /* how late a signal may be noticed */
};

/* A unary call has one tag, UNARY; a stream has the others, at most one of each under way. */
typedef enum ChannelEvent {
    CHANNEL_UNARY,
    CHANNEL_OPENED,
    CHANNEL_SENT,
    CHANNEL_FINISHED,
    CHANNEL_RECEIVED,
    CHANNEL_STATUS,
    CHANNEL_EVENT_COUNT
} ChannelEvent;

typedef struct ChannelTag {
    ChannelCall *call;
    ChannelEvent event;
} ChannelTag;

struct Channel {
    grpc_completion_queue *queue;
    size_t connection_count;
    size_t next_connection;
    ChannelCall *calls; /* a list, so that closing finds them */
    bool abandoning;    /* handlers are not called */
    char address[CHANNEL_ADDRESS_BYTES];
    grpc_channel *connections[]; /* [connection_count] */
};

struct ChannelCall {
    Channel *channel;
    ChannelCall *previous, *next;
    grpc_call *call;
    const ChannelHandlers *handlers;
    void *context;
    ChannelTag tags[CHANNEL_EVENT_COUNT];
    unsigned pending_count; /* tags under way; at 0 after the status the call is freed */
    bool ended;             /* the status is known */
    grpc_byte_buffer *request;
    grpc_byte_buffer *received;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice message;
};

/* ---- Channels ---- */

/* "name:port" needs a resolver; addresses in numbers do without one, which saves its start. */
static Status channel_target(const char *address, char target[CHANNEL_ADDRESS_BYTES], Error *out_error)
{
    const char *colon = strrchr(address, ':');
    size_t size = strlen(address);
    if (size + sizeof "dns:///" > CHANNEL_ADDRESS_BYTES) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "the address is longer than %d bytes",
                         CHANNEL_ADDRESS_BYTES);
    }
    if (strncmp(address, "unix:", 5) == 0 && address[5]) {
        memcpy(target, address, size + 1);
        return STATUS_OK;
    }
    char *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || colon == address || port == 0 || port > 65535 || *end || colon[1] < '0' || colon[1] > '9') {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "'%s' is no address; give HOST:PORT, [IPV6]:PORT or unix:/PATH", address);
    }
    char host[CHANNEL_ADDRESS_BYTES];
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    struct in_addr numbers;
    const char *scheme = address[0] == '['                         ? "ipv6:"
                         : inet_pton(AF_INET, host, &numbers) == 1 ? "ipv4:"
                                                                   : "dns:///";
    snprintf(target, CHANNEL_ADDRESS_BYTES, "%s%s", scheme, address);
    return STATUS_OK;
}

static grpc_arg channel_argument(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_channel *channel_connect(const char *target)
{
    grpc_arg arguments[] = {
        channel_argument(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)CHANNEL_REPLY_BYTES_MAX),
        channel_argument(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1),
        channel_argument(GRPC_ARG_MAX_METADATA_SIZE, 64 * 1024),
        /* Each connection of ours is one of TCP's. */
        channel_argument(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        /* retry.h repeats calls; it knows what the user allowed. */
        channel_argument(GRPC_ARG_ENABLE_RETRIES, 0),
        channel_argument(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
        channel_argument(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000),
        channel_argument(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        /* http_proxy is for the web; sending texts there would surprise. */
        channel_argument(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        /* Core inflates before it looks at the limit: offer nothing, inflate nothing. */
        channel_argument(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        channel_argument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
    };
    grpc_channel_args list = {sizeof arguments / sizeof *arguments, arguments};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *connection = grpc_channel_create(target, credentials, &list);
    grpc_channel_credentials_release(credentials);
    return connection;
}

Status channel_open(const char *address, size_t connection_count, Channel **out_channel, Error *out_error)
{
    assert(connection_count >= 1 && connection_count <= CHANNEL_CONNECTIONS_MAX);
    char target[CHANNEL_ADDRESS_BYTES];
    Status status = channel_target(address, target, out_error);
    if (status != STATUS_OK) return status;
    Channel *channel = calloc(1, sizeof *channel + connection_count * sizeof *channel->connections);
    if (!channel) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    snprintf(channel->address, sizeof channel->address, "%s", address);
    /* Core's own lines about failed connections; our message says the same once. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    grpc_init();
    channel->queue = grpc_completion_queue_create_for_next(NULL);
    channel->connection_count = connection_count;
    for (size_t index = 0; index < connection_count; index++)
        channel->connections[index] = channel_connect(target);
    *out_channel = channel;
    return STATUS_OK;
}

const char *channel_address(const Channel *channel)
{
    return channel->address;
}

void channel_abandon(Channel *channel)
{
    channel->abandoning = true;
    for (ChannelCall *call = channel->calls; call; call = call->next) channel_call_cancel(call);
    while (channel->calls) channel_run(channel, clock_now_ns(&clock_monotonic) + NS_PER_S);
    channel->abandoning = false;
}

void channel_close(Channel *channel)
{
    if (!channel) return;
    channel_abandon(channel);
    for (size_t index = 0; index < channel->connection_count; index++) {
        grpc_channel_destroy(channel->connections[index]);
    }
    grpc_completion_queue_shutdown(channel->queue);
    gpr_timespec forever = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    while (grpc_completion_queue_next(channel->queue, forever, NULL).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(channel->queue);
    grpc_shutdown();
    free(channel);
}

/* ---- Calls ---- */

static void channel_call_free(ChannelCall *call)
{
    if (!call) return;
    if (call->previous) call->previous->next = call->next;
    if (call->next) call->next->previous = call->previous;
    if (call->channel->calls == call) call->channel->calls = call->next;
    grpc_byte_buffer_destroy(call->request);
    grpc_byte_buffer_destroy(call->received);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->message);
    if (call->call) grpc_call_unref(call->call);
    free(call);
}

static gpr_timespec channel_deadline(uint64_t deadline_ns)
{
    if (!deadline_ns) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    int64_t left_ns = deadline_ns > now_ns ? (int64_t)(deadline_ns - now_ns) : 0;
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left_ns, GPR_TIMESPAN));
}

static ChannelCall *channel_call_create(Channel *channel, const char *method, uint64_t deadline_ns,
                                        const ChannelHandlers *handlers, void *context)
{
    ChannelCall *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    *call = (ChannelCall){.channel = channel, .handlers = handlers, .context = context, .next = channel->calls};
    if (call->next) call->next->previous = call;
    channel->calls = call;
    for (ChannelEvent event = 0; event < CHANNEL_EVENT_COUNT; event++)
        call->tags[event] = (ChannelTag){call, event};
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->message = grpc_empty_slice();
    grpc_channel *connection = channel->connections[channel->next_connection];
    channel->next_connection = (channel->next_connection + 1) % channel->connection_count;
    call->call =
        grpc_channel_create_call(connection, NULL, GRPC_PROPAGATE_DEFAULTS, channel->queue,
                                 grpc_slice_from_static_string(method), NULL, channel_deadline(deadline_ns), NULL);
    return call;
}

static bool channel_call_start(ChannelCall *call, const grpc_op *operations, size_t count, ChannelEvent event)
{
    if (grpc_call_start_batch(call->call, operations, count, &call->tags[event], NULL) != GRPC_CALL_OK)
        return false;
    call->pending_count++;
    return true;
}

static grpc_byte_buffer *channel_buffer(const uint8_t *bytes, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static grpc_op channel_status_operation(ChannelCall *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {&call->trailing, &call->code, &call->message, NULL}};
}

static grpc_op channel_receive_operation(ChannelCall *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received};
}

static grpc_op channel_initial_operation(ChannelCall *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                     .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
}

Status channel_call_unary(Channel *channel, const char *method, const uint8_t *bytes, size_t size,
                          uint64_t deadline_ns, const ChannelHandlers *handlers, void *context,
                          ChannelCall **out_call, Error *out_error)
{
    ChannelCall *call = channel_call_create(channel, method, deadline_ns, handlers, context);
    if (!call) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    call->request = channel_buffer(bytes, size);
    const grpc_op operations[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        channel_initial_operation(call),
        channel_receive_operation(call),
        channel_status_operation(call),
    };
    if (!channel_call_start(call, operations, 6, CHANNEL_UNARY)) {
        channel_call_free(call);
        return error_set(out_error, STATUS_INTERNAL, "%s: the call could not be started", method);
    }
    if (out_call) *out_call = call;
    return STATUS_OK;
}

static bool channel_call_receive(ChannelCall *call)
{
    const grpc_op operation = channel_receive_operation(call);
    return channel_call_start(call, &operation, 1, CHANNEL_RECEIVED);
}

Status channel_call_stream(Channel *channel, const char *method, uint64_t deadline_ns,
                           const ChannelHandlers *handlers, void *context, ChannelCall **out_call,
                           Error *out_error)
{
    ChannelCall *call = channel_call_create(channel, method, deadline_ns, handlers, context);
    if (!call) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    const grpc_op status = channel_status_operation(call);
    const grpc_op opening[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, channel_initial_operation(call)};
    if (!channel_call_start(call, &status, 1, CHANNEL_STATUS)) {
        channel_call_free(call);
        return error_set(out_error, STATUS_INTERNAL, "%s: the stream could not be started", method);
    }
    /* From here on a failure ends in the status. */
    if (!channel_call_start(call, opening, 2, CHANNEL_OPENED) || !channel_call_receive(call))
        channel_call_cancel(call);
    *out_call = call;
    return STATUS_OK;
}

void channel_call_send(ChannelCall *call, const uint8_t *bytes, size_t size)
{
    assert(!call->request && "one message at a time");
    call->request = channel_buffer(bytes, size);
    const grpc_op operation = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request};
    if (!channel_call_start(call, &operation, 1, CHANNEL_SENT)) channel_call_cancel(call);
}

void channel_call_finish(ChannelCall *call)
{
    const grpc_op operation = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    if (!channel_call_start(call, &operation, 1, CHANNEL_FINISHED)) channel_call_cancel(call);
}

void channel_call_cancel(ChannelCall *call)
{
    grpc_call_cancel(call->call, NULL);
}

/* ---- Events ---- */

static const uint8_t *channel_find_details(const ChannelCall *call, size_t *out_size)
{
    for (size_t index = 0; index < call->trailing.count; index++) {
        const grpc_metadata *pair = &call->trailing.metadata[index];
        if (grpc_slice_str_cmp(pair->key, "grpc-status-details-bin") != 0) continue;
        *out_size = GRPC_SLICE_LENGTH(pair->value);
        return GRPC_SLICE_START_PTR(pair->value);
    }
    *out_size = 0;
    return NULL;
}

/* The whole message as one slice, which the caller unrefs; empty when there is none, or it is compressed although
 * we offered nothing. */
static bool channel_take_message(ChannelCall *call, grpc_slice *out_message)
{
    grpc_byte_buffer *buffer = call->received;
    call->received = NULL;
    *out_message = grpc_empty_slice();
    grpc_byte_buffer_reader reader;
    bool plain = buffer && buffer->type == GRPC_BB_RAW && buffer->data.raw.compression == GRPC_COMPRESS_NONE;
    if (plain && grpc_byte_buffer_reader_init(&reader, buffer)) {
        *out_message = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    } else {
        plain = false;
    }
    grpc_byte_buffer_destroy(buffer);
    return plain;
}

static void channel_call_end(ChannelCall *call)
{
    ChannelReply reply = {.code = call->code > 16 ? 2 : (int)call->code};
    grpc_slice message = grpc_empty_slice();
    bool unary = !call->handlers->received;
    bool compressed = call->received && !channel_take_message(call, &message);
    char *text = grpc_slice_to_c_string(call->message);
    reply.message = text;
    if (reply.code == 0 && compressed) {
        reply.code = 13;
        reply.message = "the server compressed its reply although the client offers no compression";
    }
    if (reply.code == 0 && unary) {
        reply.bytes = GRPC_SLICE_START_PTR(message);
        reply.size = GRPC_SLICE_LENGTH(message);
    }
    reply.details = channel_find_details(call, &reply.details_size);
    if (!call->channel->abandoning) call->handlers->done(call->context, &reply);
    gpr_free(text);
    grpc_slice_unref(message);
    channel_call_free(call);
}

static void channel_call_deliver(ChannelCall *call)
{
    if (!call->received) return; /* the stream has ended */
    grpc_slice message;
    if (!channel_take_message(call, &message)) {
        grpc_call_cancel_with_status(call->call, GRPC_STATUS_INTERNAL,
                                     "the server compressed its reply although the client offers no compression",
                                     NULL);
    } else if (!call->channel->abandoning) {
        call->handlers->received(call->context, GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message));
    }
    grpc_slice_unref(message);
    if (!call->channel->abandoning && !channel_call_receive(call)) channel_call_cancel(call);
}

static void channel_handle(const ChannelTag *tag, bool success)
{
    ChannelCall *call = tag->call;
    assert(call->pending_count > 0);
    switch (tag->event) {
    case CHANNEL_UNARY:
    case CHANNEL_STATUS:
        call->ended = true;
        break;
    case CHANNEL_SENT:
        grpc_byte_buffer_destroy(call->request);
        call->request = NULL;
        if (success && !call->channel->abandoning) call->handlers->sent(call->context);
        break;
    case CHANNEL_RECEIVED:
        channel_call_deliver(call);
        break;
    default:
        break;
    }
    call->pending_count--;
    if (call->ended && call->pending_count == 0) channel_call_end(call);
}

bool channel_run(Channel *channel, uint64_t until_ns)
{
    for (int handled = 0;;) {
        uint64_t now_ns = clock_now_ns(&clock_monotonic);
        uint64_t wait_ns = handled || until_ns <= now_ns ? 0 : until_ns - now_ns;
        if (wait_ns > CHANNEL_WAIT_MS * NS_PER_MS) wait_ns = CHANNEL_WAIT_MS * NS_PER_MS;
        gpr_timespec deadline = channel_deadline(now_ns + wait_ns);
        grpc_event event = grpc_completion_queue_next(channel->queue, deadline, NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            channel_handle(event.tag, event.success != 0);
            if (++handled == CHANNEL_EVENTS_PER_RUN) return true;
        } else if (handled || clock_now_ns(&clock_monotonic) >= until_ns || interrupt_signal()) {
            return handled != 0;
        }
    }
}
