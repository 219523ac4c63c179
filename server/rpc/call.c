/* The life of a call. Arrows are functions, states are RpcPhase:
 *
 *                     call_accept            call_start_end             call_closed
 *   call_create -> ARMED ------------> OPEN ---------------> ENDING ----------------> CLOSED -> freed with the
 * last | call_discard      |                                              ^      reference v
 * +----------------------------------------------+ freed                   call_closed: cancelled, deadline,
 * connection lost
 *
 * 1. Whatever is under call->lock changes only under it, and each change is followed by call_advance, which alone
 * starts what is possible now. So it does not matter which thread changed something: completion, loop or worker.
 * 2. Each started tag, each message and each posted item holds a reference; without reference no thread can see
 * the call. `closed` is started first and completes once, always: a call is never unreferenced before gRPC is done
 * with it.
 * 3. RECV_CLOSE has a batch of its own, for a batch completes only as a whole.
 * 4. At most one RECV_MESSAGE and one SEND_MESSAGE are outstanding; gRPC refuses more.
 * 5. Once OPEN is left nothing is started any more; the list of messages is empty, and messages still pending are
 * freed by whoever settles them.
 * 6. A stream is read only while fewer than stream_window messages are unanswered, and a message is answered when
 * flow control has taken its reply: so a client that does not read bounds what we hold for it.
 * 7. Replies leave in the order of their messages; a failed message ends the call when its turn comes. */
#include "base/clock.h"
#include "base/log.h"
#include "rpc/state.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>

enum { CALL_IDLE_GRACE_MS = 1000 }; /* a draining server ends a stream that is idle for so long */

static void call_closed(RpcTag *tag, bool ok);
static void call_received(RpcTag *tag, bool ok);
static void call_sent(RpcTag *tag, bool ok);
static void call_ended(RpcTag *tag, bool ok);
static void call_progress(void *owner);

/* ---- References ---- */

RpcCall *call_create(RpcServer *server, const RpcSlot *slot)
{
    RpcCall *call = calloc(1, sizeof *call);
    if (!call) return NULL;
    if (pthread_mutex_init(&call->lock, NULL)) {
        free(call);
        return NULL;
    }
    call->server = server;
    call->slot = slot;
    rpc_tag_set(&call->closed, call_closed, call);
    rpc_tag_set(&call->received, call_received, call);
    rpc_tag_set(&call->sent, call_sent, call);
    rpc_tag_set(&call->ended, call_ended, call);
    call->progress = (RpcLoopItem){.run = call_progress, .owner = call};
    call->verdict = rpc_verdict_of(NULL);
    grpc_metadata_array_init(&call->metadata);
    grpc_call_details_init(&call->details);
    atomic_init(&call->references, 1);
    return call;
}

static void call_destroy(RpcCall *call)
{
    assert(!call->first && !call->garbage && !call->pushing && !call->receiving && !call->sending);
    RpcServer *server = call->server;
    bool live = call->core;
    if (live) accept_unlist(server, call);
    grpc_byte_buffer_destroy(call->incoming);
    grpc_byte_buffer_destroy(call->outgoing);
    rpc_verdict_release(&call->verdict);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    if (call->core) grpc_call_unref(call->core);
    pthread_mutex_destroy(&call->lock);
    free(call);
    if (live) accept_forget(server);
}

void call_retain(RpcCall *call)
{
    unsigned before = atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

bool call_retain_if_live(RpcCall *call)
{
    unsigned count = atomic_load_explicit(&call->references, memory_order_relaxed);
    while (count > 0) {
        if (atomic_compare_exchange_weak(&call->references, &count, count + 1)) return true;
    }
    return false;
}

void call_release(RpcCall *call)
{
    if (atomic_fetch_sub(&call->references, 1) == 1) call_destroy(call);
}

void call_lock(RpcCall *call)
{
    pthread_mutex_lock(&call->lock);
}

void call_unlock(RpcCall *call)
{
    RpcMessage *garbage = call->garbage;
    call->garbage = NULL;
    pthread_mutex_unlock(&call->lock);
    while (garbage) {
        RpcMessage *next = garbage->next;
        message_free(garbage);
        garbage = next;
    }
}

/* ---- Batches; all under the lock ---- */

/* Starts `operations` with a reference for `tag`. A refusal by gRPC is our bug, but no reason to abort a server:
 * the call is cancelled. */
static bool call_start(RpcCall *call, const grpc_op *operations, size_t count, RpcTag *tag)
{
    call_retain(call);
    grpc_call_error refused = grpc_call_start_batch(call->core, operations, count, tag, NULL);
    if (refused == GRPC_CALL_OK) return true;
    log_event(LOG_ERROR, "batch_refused", "gRPC refuses a batch of %zu operations: %s", count,
              grpc_call_error_to_string(refused));
    grpc_call_cancel_with_status(call->core, GRPC_STATUS_INTERNAL, "internal error", NULL);
    call_release(call); /* not the last one: the caller has one */
    return false;
}

static void call_start_receive(RpcCall *call)
{
    assert(call->phase == RPC_OPEN && !call->receiving && !call->half_closed);
    grpc_op operation = {.op = GRPC_OP_RECV_MESSAGE};
    operation.data.recv_message.recv_message = &call->incoming;
    call->receiving = call_start(call, &operation, 1, &call->received);
}

static size_t call_add_greeting(RpcCall *call, grpc_op *operations)
{
    if (call->greeted) return 0;
    call->greeted = true;
    operations[0] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    return 1;
}

/* Takes `reply` over. */
static size_t call_add_message(RpcCall *call, grpc_op *operation, grpc_slice reply)
{
    assert(!call->outgoing);
    call->outgoing = grpc_raw_byte_buffer_create(&reply, 1);
    grpc_slice_unref(reply);
    *operation = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
    operation->data.send_message.send_message = call->outgoing;
    return 1;
}

void call_push(RpcCall *call, grpc_slice reply)
{
    assert(call->phase == RPC_OPEN && !call->sending);
    grpc_op operations[2];
    size_t count = call_add_greeting(call, operations);
    count += call_add_message(call, operations + count, reply);
    call->sending = call_start(call, operations, count, &call->sent);
    if (call->slot->row->shape != RPC_SERVER_STREAM) return;
    atomic_store(&call->expires_ns, clock_now_ns(&clock_monotonic) + call->server->options.reply_timeout_ns);
}

static void call_discard_message(RpcCall *call, RpcMessage *message)
{
    message->next = call->garbage;
    call->garbage = message;
}

static RpcMessage *call_pop(RpcCall *call)
{
    RpcMessage *message = call->first;
    call->first = message->next;
    if (!call->first) call->last = NULL;
    return message;
}

/* Leaves OPEN: answers that nobody will get are garbage, and whoever still works on one is told to stop. */
static void call_leave(RpcCall *call, RpcPhase phase)
{
    call->phase = phase;
    atomic_store(&call->idle_since_ns, 0);
    while (call->first) {
        RpcMessage *message = call_pop(call);
        if (message->state != RPC_PENDING) call_discard_message(call, message);
        atomic_store(&call->cancelled, true);
    }
}

/* Sends the status, with `reply` (an empty pointer: none) in front of it; takes `verdict` and `reply` over. */
static void call_start_end(RpcCall *call, RpcVerdict verdict, const grpc_slice *reply)
{
    assert(call->phase == RPC_OPEN && !call->sending);
    grpc_op operations[3];
    size_t count = call_add_greeting(call, operations);
    if (reply) count += call_add_message(call, operations + count, *reply);
    call->verdict = verdict;
    grpc_op *end = &operations[count++];
    *end = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    end->data.send_status_from_server.status = verdict.code;
    end->data.send_status_from_server.status_details = &call->verdict.text;
    if (GRPC_SLICE_LENGTH(verdict.details)) {
        call->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
        call->trailer.value = call->verdict.details;
        end->data.send_status_from_server.trailing_metadata_count = 1;
        end->data.send_status_from_server.trailing_metadata = &call->trailer;
    }
    call_leave(call, RPC_ENDING);
    atomic_store(&call->expires_ns, clock_now_ns(&clock_monotonic) + call->server->options.reply_timeout_ns);
    (void)call_start(call, operations, count, &call->ended);
}

/* ---- The one place that decides what comes next ---- */

static void call_send_next(RpcCall *call)
{
    RpcMessage *head = call->first;
    if (call->sending) return;
    if (head && head->state == RPC_FAILED) {
        RpcVerdict verdict = head->verdict;
        head->verdict = rpc_verdict_of(NULL);
        call_start_end(call, verdict, NULL);
    } else if (head && head->state == RPC_REPLIED) {
        grpc_slice reply = head->reply;
        head->reply = grpc_empty_slice();
        call_discard_message(call, call_pop(call));
        if (call->slot->row->shape == RPC_UNARY) {
            call_start_end(call, rpc_verdict_of(NULL), &reply);
        } else {
            call_push(call, reply);
        }
    } else if (!head && call->half_closed) {
        call_start_end(call, rpc_verdict_of(NULL), NULL);
    }
}

static bool call_wants_message(const RpcCall *call)
{
    if (call->phase != RPC_OPEN || call->receiving || call->half_closed) return false;
    if (call->slot->row->shape != RPC_BIDI) return call->message_count == 0;
    if (call->last && call->last->state == RPC_FAILED) return false; /* the call ends there */
    return call->unanswered < call->server->options.stream_window;
}

void call_advance(RpcCall *call)
{
    if (call->phase != RPC_OPEN) return;
    call_send_next(call);
    if (call_wants_message(call)) call_start_receive(call);
    bool idle = call->phase == RPC_OPEN && call->slot->row->shape == RPC_BIDI && call->unanswered == 0;
    if (!idle) {
        atomic_store_explicit(&call->idle_since_ns, 0, memory_order_relaxed);
    } else if (atomic_load_explicit(&call->idle_since_ns, memory_order_relaxed) == 0) {
        atomic_store_explicit(&call->idle_since_ns, clock_now_ns(&clock_monotonic), memory_order_relaxed);
    }
}

/* ---- Accepting ---- */

/* FNV-1a over "ipv4:10.0.0.1:53210": a connection's name. Unix sockets have none, so their clients share one flow.
 */
static uint64_t call_hash_peer(grpc_call *core)
{
    uint64_t hash = 14695981039346656037ull;
    char *peer = grpc_call_get_peer(core);
    for (const char *byte = peer; *byte; byte++) hash = (hash ^ (unsigned char)*byte) * 1099511628211ull;
    gpr_free(peer);
    return hash;
}

static uint64_t call_deadline(gpr_timespec deadline, uint64_t now_ns)
{
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return 0;
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    if (left.tv_sec < 0) return now_ns;
    if (left.tv_sec > INT32_MAX) return 0; /* 68 years */
    return now_ns + (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_nsec;
}

static void call_start_close(RpcCall *call)
{
    grpc_op operation = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    operation.data.recv_close_on_server.cancelled = &call->was_cancelled;
    (void)call_start(call, &operation, 1, &call->closed);
}

void call_accept(RpcCall *call, const Error *refusal)
{
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    call->deadline_ns = call_deadline(call->slot->row ? call->deadline : call->details.deadline, now_ns);
    call->flow = call_hash_peer(call->core);
    call_lock(call);
    call->phase = RPC_OPEN;
    call_start_close(call);
    if (refusal) {
        call_start_end(call, rpc_verdict_of(refusal), NULL);
    } else {
        if (call->slot->row->shape != RPC_BIDI) {
            atomic_store(&call->expires_ns, now_ns + call->server->options.body_timeout_ns);
        }
        call_advance(call);
    }
    call_unlock(call);
}

/* ---- Tags; on the completion thread ---- */

static void call_append(RpcCall *call, RpcMessage *message)
{
    if (call->last) {
        call->last->next = message;
    } else {
        call->first = message;
    }
    call->last = message;
    call->unanswered++;
}

/* The client ended its side: well for a stream, too early for the others when no message came. */
static void call_half_close(RpcCall *call)
{
    call->half_closed = true;
    if (call->slot->row->shape == RPC_BIDI || call->message_count > 0) return;
    Error error;
    (void)error_set(&error, STATUS_INVALID_ARGUMENT, "the call has no request message");
    call_start_end(call, rpc_verdict_of(&error), NULL);
}

static void call_received(RpcTag *tag, bool ok)
{
    RpcCall *call = tag->owner;
    grpc_byte_buffer *buffer =
        call->incoming; /* gRPC is done with it, and nobody else touches it while receiving */
    call->incoming = NULL;
    bool whole = ok && buffer;
    RpcMessage *message = whole ? message_create(call, buffer) : NULL;
    if (!whole) grpc_byte_buffer_destroy(buffer);

    call_lock(call);
    call->receiving = false;
    bool deliver = false;
    if (call->phase == RPC_OPEN && message) {
        if (call->message_count < UINT32_MAX) call->message_count++;
        atomic_store(&call->expires_ns, 0);
        call_append(call, message);
        deliver = message->state == RPC_PENDING;
    } else if (message) {
        call_discard_message(call, message);
    } else if (call->phase == RPC_OPEN && whole) {
        grpc_call_cancel_with_status(call->core, GRPC_STATUS_RESOURCE_EXHAUSTED, "no memory for the request",
                                     NULL);
    } else if (call->phase == RPC_OPEN && ok) {
        call_half_close(call);
    }
    call_advance(call);
    call_unlock(call);
    if (deliver) rpc_server_post(call->server, &message->arrival);
    call_release(call);
}

/* Whether the handler of a server stream is to be told something, on the loop; `progress` is the caller's to post
 * then. Under the lock. */
static bool call_take_progress(RpcCall *call)
{
    if (call->slot->row == NULL || call->slot->row->shape != RPC_SERVER_STREAM || call->progress_posted)
        return false;
    call->progress_posted = true;
    call_retain(call);
    return true;
}

static void call_progress(void *owner)
{
    RpcCall *call = owner;
    call_lock(call);
    call->progress_posted = false;
    call_unlock(call);
    if (call->pushing) call->slot->row->progress(call->slot->row->context, call->pushing);
    call_release(call);
}

void call_wake(RpcCall *call)
{
    call_lock(call);
    bool progress = call_take_progress(call);
    call_unlock(call);
    if (progress) rpc_server_post(call->server, &call->progress);
}

static void call_sent(RpcTag *tag, bool ok)
{
    (void)ok; /* a failed send means a lost client: `closed` says it */
    RpcCall *call = tag->owner;
    call_lock(call);
    grpc_byte_buffer_destroy(call->outgoing);
    call->outgoing = NULL;
    call->sending = false;
    if (call->slot->row->shape == RPC_BIDI) call->unanswered--;
    if (call->slot->row->shape == RPC_SERVER_STREAM && call->phase == RPC_OPEN) atomic_store(&call->expires_ns, 0);
    bool progress = call_take_progress(call);
    call_advance(call);
    call_unlock(call);
    if (progress) rpc_server_post(call->server, &call->progress);
    call_release(call);
}

static void call_ended(RpcTag *tag, bool ok)
{
    (void)ok;
    RpcCall *call = tag->owner;
    call_lock(call);
    grpc_byte_buffer_destroy(call->outgoing);
    call->outgoing = NULL;
    call_unlock(call);
    call_release(call);
}

static void call_closed(RpcTag *tag, bool ok)
{
    (void)ok; /* always true */
    RpcCall *call = tag->owner;
    call_lock(call);
    if (call->phase == RPC_OPEN) atomic_fetch_add(&call->server->calls_cancelled, 1);
    call_leave(call, RPC_CLOSED);
    atomic_store(&call->cancelled, true);
    atomic_store(&call->expires_ns, 0);
    bool progress = call_take_progress(call);
    call_unlock(call);
    if (progress) rpc_server_post(call->server, &call->progress);
    call_release(call);
}

/* ---- From outside ---- */

void call_end(RpcCall *call, const Error *error)
{
    call_lock(call);
    if (call->phase == RPC_OPEN && !call->sending) call_start_end(call, rpc_verdict_of(error), NULL);
    call_unlock(call);
}

void call_expire(RpcCall *call, uint64_t now_ns, bool draining)
{
    Error error;
    uint64_t expires_ns = atomic_load(&call->expires_ns);
    uint64_t idle_since_ns = atomic_load(&call->idle_since_ns);
    if (expires_ns && expires_ns <= now_ns) {
        call_lock(call);
        bool leaving = call->phase == RPC_ENDING || call->sending;
        call_unlock(call);
        if (leaving) {
            grpc_call_cancel(call->core, NULL); /* the client does not take its answer */
            return;
        }
        (void)error_set(&error, STATUS_DEADLINE_EXCEEDED, "the request message did not arrive within %llu ms",
                        (unsigned long long)(call->server->options.body_timeout_ns / NS_PER_MS));
        call_end(call, &error);
    } else if (draining && idle_since_ns && idle_since_ns + CALL_IDLE_GRACE_MS * NS_PER_MS <= now_ns) {
        (void)error_set(&error, STATUS_UNAVAILABLE, "the server is shutting down; the stream was idle");
        call_end(call, &error);
    }
}
