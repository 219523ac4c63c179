#include "call.h"

#include "base/clock.h"
#include "interrupt.h"

#include <stdlib.h>

typedef struct CallState {
    const ProtobufCMessageDescriptor *reply_type;
    Arena *arena;
    ProtobufCMessage *reply;
    const CallParts *parts; /* NULL: one reply */
    ChannelCall *call;
    Failure failure;
    Status status; /* of taking what came */
    Error *error;
    bool done;
} CallState;

uint64_t call_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void call_done(void *context, const ChannelReply *reply)
{
    CallState *state = context;
    state->done = true;
    failure_read(reply, &state->failure);
    if (reply->code != 0 || state->parts) return;
    state->status =
        codec_unpack(state->arena, state->reply_type, reply->bytes, reply->size, &state->reply, state->error);
}

static void call_sent(void *context)
{
    const CallState *state = context;
    channel_call_finish(state->call);
}

static void call_received(void *context, const uint8_t *bytes, size_t size)
{
    CallState *state = context;
    if (state->status != STATUS_OK) return;
    state->status = state->parts->part(state->parts->context, bytes, size, state->error);
    if (state->status != STATUS_OK) channel_call_cancel(state->call);
}

static const ChannelHandlers call_handlers = {.done = call_done};
static const ChannelHandlers call_parts_handlers = {call_sent, call_received, call_done};

static Status call_interrupted(Error *out_error)
{
    return error_set(out_error, STATUS_CANCELLED, "interrupted");
}

static Status call_start(Channel *channel, const CallRequest *request, uint64_t deadline_ns, CallState *state,
                         Error *out_error)
{
    if (!state->parts)
        return channel_call_unary(channel, request->method, request->bytes, request->size, deadline_ns,
                                  &call_handlers, state, &state->call, out_error);
    state->parts->begin(state->parts->context);
    Status status = channel_call_stream(channel, request->method, deadline_ns, &call_parts_handlers, state,
                                        &state->call, out_error);
    if (status == STATUS_OK) channel_call_send(state->call, request->bytes, request->size);
    return status;
}

static Status call_once(Channel *channel, const CallRequest *request, uint64_t deadline_ns, CallState *state,
                        Error *out_error)
{
    state->done = false;
    Status status = call_start(channel, request, deadline_ns, state, out_error);
    if (status != STATUS_OK) return status;
    bool cancelled = false;
    while (!state->done) {
        channel_run(channel, clock_now_ns(&clock_monotonic) + NS_PER_S);
        if (interrupt_signal() && !state->done && !cancelled) {
            channel_call_cancel(state->call);
            cancelled = true;
        }
    }
    if (interrupt_signal()) return call_interrupted(out_error);
    return state->status;
}

Status call_sleep(Channel *channel, uint64_t until_ns, Error *out_error)
{
    while (clock_now_ns(&clock_monotonic) < until_ns && !interrupt_signal()) channel_run(channel, until_ns);
    return interrupt_signal() ? call_interrupted(out_error) : STATUS_OK;
}

static Status call_repeat(Channel *channel, const Settings *settings, const CallRequest *request, CallState *state,
                          Failure *out_failure, Error *out_error)
{
    uint64_t start_ns = clock_now_ns(&clock_monotonic);
    uint64_t deadline_ns = start_ns + settings->deadline_ns;
    uint64_t random = start_ns;
    for (uint64_t attempt = 1;; attempt++) {
        Status status = call_once(channel, request, deadline_ns, state, out_error);
        *out_failure = status == STATUS_OK ? state->failure : (Failure){0};
        if (status != STATUS_OK) return status;
        if (state->failure.code == 0) return STATUS_OK;
        uint64_t again_ns =
            clock_now_ns(&clock_monotonic) + failure_backoff_ns(&state->failure, attempt, call_random(&random));
        if (!failure_retryable(&state->failure) || attempt > settings->retry_count || again_ns >= deadline_ns) {
            return failure_explain(&state->failure, channel_address(channel), NULL, out_error);
        }
        status = call_sleep(channel, again_ns, out_error);
        if (status != STATUS_OK) return status;
    }
}

Status call_bytes(Channel *channel, const Settings *settings, const CallRequest *request,
                  const ProtobufCMessageDescriptor *reply_type, Arena *arena, ProtobufCMessage **out_reply,
                  Failure *out_failure, Error *out_error)
{
    arena_init(arena, 0);
    CallState state = {.reply_type = reply_type, .arena = arena, .error = out_error};
    Status status = call_repeat(channel, settings, request, &state, out_failure, out_error);
    *out_reply = state.reply;
    return status;
}

Status call_parts(Channel *channel, const Settings *settings, const CallRequest *request, const CallParts *parts,
                  Failure *out_failure, Error *out_error)
{
    CallState state = {.parts = parts, .error = out_error};
    return call_repeat(channel, settings, request, &state, out_failure, out_error);
}

Status call_message(Channel *channel, const Settings *settings, const char *method,
                    const ProtobufCMessage *message, const ProtobufCMessageDescriptor *reply_type, Arena *arena,
                    ProtobufCMessage **out_reply, Error *out_error)
{
    arena_init(arena, 0);
    uint8_t *bytes;
    CallRequest request = {.method = method};
    Status status = codec_pack(message, &bytes, &request.size, out_error);
    if (status != STATUS_OK) return status;
    request.bytes = bytes;
    Failure failure;
    status = call_bytes(channel, settings, &request, reply_type, arena, out_reply, &failure, out_error);
    free(bytes);
    return status;
}

Status call_open(const Settings *settings, Channel **out_channel, Error *out_error)
{
    return channel_open(settings->address, 1, out_channel, out_error);
}
