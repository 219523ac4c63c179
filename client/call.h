/* One request, one reply, with retries: what the simple commands need. */
#pragma once

#include "channel.h"
#include "codec.h"
#include "command.h"
#include "failure.h"

/* Random bits for jitter and arrivals (splitmix64). */
uint64_t call_random(uint64_t *state);

/* A request and its answer in bytes. */
typedef struct CallRequest {
    const char *method;
    const uint8_t *bytes;
    size_t size;
} CallRequest;

/* Calls until there is an answer, an error that repeating won't cure, or the settings' retries or deadline are
 * used up. On success initializes `arena` and unpacks the reply into it; the caller frees it with arena_free,
 * which is harmless after a failure too. On failure *out_failure says how the last attempt ended (code 0: not by
 * the server) and out_error what to tell the user. Fails with CANCELLED after a signal, and with what
 * failure_explain says. */
CHECKED Status call_bytes(Channel *channel, const Settings *settings, const CallRequest *request,
                          const ProtobufCMessageDescriptor *reply_type, Arena *arena, ProtobufCMessage **out_reply,
                          Failure *out_failure, Error *out_error);
/* What becomes of a reply that comes as a stream of messages. */
typedef struct CallParts {
    void (*begin)(void *context); /* before each attempt: what came of the last one is void */
    Status (*part)(void *context, const uint8_t *bytes, size_t size, Error *out_error);
    void *context;
} CallParts;

/* The same for a method that answers in parts; fails with what `parts` fails with, too. */
CHECKED Status call_parts(Channel *channel, const Settings *settings, const CallRequest *request,
                          const CallParts *parts, Failure *out_failure, Error *out_error);
/* The same for a message, without the failure. */
CHECKED Status call_message(Channel *channel, const Settings *settings, const char *method,
                            const ProtobufCMessage *message, const ProtobufCMessageDescriptor *reply_type,
                            Arena *arena, ProtobufCMessage **out_reply, Error *out_error);
/* Opens the settings' address with one connection. */
CHECKED Status call_open(const Settings *settings, Channel **out_channel, Error *out_error);
/* Sleeps in channel_run until `until_ns`. Fails with CANCELLED after a signal. */
CHECKED Status call_sleep(Channel *channel, uint64_t until_ns, Error *out_error);
