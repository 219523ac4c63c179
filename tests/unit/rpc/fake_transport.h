/* rpc/call.h without gRPC: a message is a value of the test, its answer is kept. Linked instead of the real transport,
 * whose objects stay in the library. */
#pragma once

#include "base/clock.h"
#include "base/limits.h"
#include "rpc/call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct RpcMessage {
    Arena arena;
    atomic_bool cancelled;
    uint64_t deadline_ns;
    uint64_t arrived_ns;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *note;
    /* A stream: what was pushed last, for the test to take before it calls `progress`. The test's thread. */
    uint8_t *pushed;
    size_t pushed_size;
    /* The answer; guarded by lock: */
    bool woken;
    unsigned answer_count;
    uint8_t *reply; /* NULL: failed */
    size_t reply_size;
    Error error;
    char field[64];
    uint8_t detail[RPC_DETAIL_BYTES_MAX];
    size_t detail_size; /* 0: there was none */
};

static inline void fake_open(RpcMessage *message, size_t wire_size)
{
    *message = (RpcMessage){.arrived_ns = clock_now_ns(&clock_monotonic)};
    arena_init(&message->arena, REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * wire_size);
    pthread_mutex_init(&message->lock, NULL);
    pthread_cond_init(&message->changed, NULL);
}

static inline void fake_close(RpcMessage *message)
{
    assert_int_equal(message->answer_count, 1);
    free(message->reply);
    free(message->pushed);
    pthread_mutex_destroy(&message->lock);
    pthread_cond_destroy(&message->changed);
}

/* Until the message is answered. */
static inline void fake_wait(RpcMessage *message)
{
    pthread_mutex_lock(&message->lock);
    while (message->answer_count == 0) pthread_cond_wait(&message->changed, &message->lock);
    pthread_mutex_unlock(&message->lock);
}

/* The arena goes with the answer, as it does with the real transport: who touches it afterwards is found by ASan. */
static inline void fake_answered(RpcMessage *message)
{
    arena_free(&message->arena);
    pthread_mutex_lock(&message->lock);
    message->answer_count++;
    pthread_cond_signal(&message->changed);
    pthread_mutex_unlock(&message->lock);
}

Arena *rpc_message_arena(RpcMessage *message)
{
    return &message->arena;
}

const atomic_bool *rpc_message_cancelled(const RpcMessage *message)
{
    return &message->cancelled;
}

uint64_t rpc_message_deadline_ns(const RpcMessage *message)
{
    return message->deadline_ns;
}

uint64_t rpc_message_flow(const RpcMessage *message)
{
    (void)message;
    return 1;
}

uint64_t rpc_message_arrived_ns(const RpcMessage *message)
{
    return message->arrived_ns;
}

void rpc_message_reply(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                       void *context)
{
    message->reply = malloc(size + 1);
    assert_non_null(message->reply);
    message->reply_size = size;
    pack(context, message->reply);
    fake_answered(message);
}

void rpc_message_refuse(RpcMessage *message, const Error *error, const char *field, const RpcDetail *detail)
{
    message->error = *error;
    if (field) snprintf(message->field, sizeof message->field, "%s", field);
    if (detail) {
        assert_true(detail->size <= sizeof message->detail);
        memcpy(message->detail, detail->bytes, detail->size);
        message->detail_size = detail->size;
    }
    fake_answered(message);
}

void rpc_message_set_note(RpcMessage *message, void *note)
{
    message->note = note;
}

void *rpc_message_note(const RpcMessage *message)
{
    return message->note;
}

void rpc_message_push(RpcMessage *message, size_t size, void (*pack)(void *context, uint8_t *buffer),
                      void *context)
{
    assert_null(message->pushed);
    message->pushed = malloc(size + 1);
    assert_non_null(message->pushed);
    message->pushed_size = size;
    pack(context, message->pushed);
}

void rpc_message_wake(RpcMessage *message, atomic_bool *ready)
{
    pthread_mutex_lock(&message->lock);
    atomic_store(ready, true);
    message->woken = true;
    pthread_cond_signal(&message->changed);
    pthread_mutex_unlock(&message->lock);
}

/* Until the handler of a stream is to be told. */
static inline void fake_wait_woken(RpcMessage *message)
{
    pthread_mutex_lock(&message->lock);
    while (!message->woken) pthread_cond_wait(&message->changed, &message->lock);
    pthread_mutex_unlock(&message->lock);
}

void rpc_message_fail(RpcMessage *message, const Error *error, const char *field)
{
    rpc_message_refuse(message, error, field, NULL);
}
