#include "bench_load.h"

#include "base/clock.h"
#include "call.h"
#include "interrupt.h"

#include <headlight/v1/headlight.pb-c.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

/* So many failures without an answer between them are an outage, not a result. */
enum { BENCH_FAILURES_IN_A_ROW_MAX = 2000 };
/* The transport's own timers tick in milliseconds; nearer arrivals are waited for in naps. */
#define BENCH_NAP_FROM_NS (3 * NS_PER_MS)
#define BENCH_WAKE_EARLY_NS (2 * NS_PER_MS)
#define BENCH_NAP_NS (50 * NS_PER_US)

static const char bench_method[] = "/headlight.v1.Inference/Embed";

typedef struct BenchLoad BenchLoad;

/* A place for one call under way. */
typedef struct BenchSlot {
    BenchLoad *load;
    struct BenchSlot *next_free;
    uint64_t due_ns; /* when it should have been sent */
    bool measured;
} BenchSlot;

struct BenchLoad {
    Channel *channel;
    const BenchPlan *plan;
    BenchResult *result;
    BenchSlot *slots;
    BenchSlot *free_slots;
    size_t in_flight_count;
    uint64_t measure_from_ns;
    uint64_t end_ns;        /* no request is due after it; UINT64_MAX: no limit */
    uint64_t next_due_ns;   /* open loop */
    uint64_t started_count; /* measured ones */
    size_t next_request;
    uint64_t random;
    uint64_t failures_in_a_row;
    uint64_t next_progress_ns;
    Status status;
    Error *error;
};

static void bench_load_done(void *context, const ChannelReply *reply);
static const ChannelHandlers bench_handlers = {.done = bench_load_done};

/* Whether a request that is due at `due_ns` is still part of the plan. */
static bool bench_load_wants(const BenchLoad *load, uint64_t due_ns)
{
    if (load->status != STATUS_OK || due_ns >= load->end_ns) return false;
    return load->plan->request_count == 0 || load->started_count < load->plan->request_count;
}

/* Sends one request, due at `due_ns`; there is a free slot. */
static void bench_load_start(BenchLoad *load, uint64_t due_ns)
{
    BenchSlot *slot = load->free_slots;
    load->free_slots = slot->next_free;
    slot->due_ns = due_ns;
    slot->measured = due_ns >= load->measure_from_ns;
    const BenchRequest *request = &load->plan->texts->requests[load->next_request];
    load->next_request = (load->next_request + 1) % load->plan->texts->count;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    if (slot->measured) {
        load->started_count++;
        if (load->plan->rate > 0) histogram_record(&load->result->lateness, now_ns > due_ns ? now_ns - due_ns : 0);
    }
    Status status = channel_call_unary(load->channel, bench_method, request->bytes, request->size,
                                       now_ns + load->plan->deadline_ns, &bench_handlers, slot, NULL, load->error);
    if (status != STATUS_OK) {
        load->status = status;
        return;
    }
    load->in_flight_count++;
}

static void bench_load_count(BenchLoad *load, const ChannelReply *reply)
{
    load->result->window_request_count++;
    Arena arena;
    ProtobufCMessage *message;
    Error error;
    if (codec_unpack(&arena, &headlight__v1__embed_response__descriptor, reply->bytes, reply->size, &message,
                     &error) == STATUS_OK) {
        const Headlight__V1__EmbedResponse *response = (const Headlight__V1__EmbedResponse *)message;
        load->result->window_text_count += response->n_embeddings;
        for (size_t index = 0; index < response->n_embeddings; index++) {
            const Headlight__V1__Usage *usage = response->embeddings[index]->usage;
            if (usage) load->result->window_token_count += usage->token_count;
        }
    }
    arena_free(&arena);
}

static void bench_load_fail(BenchLoad *load, const ChannelReply *reply)
{
    Failure failure;
    failure_read(reply, &failure);
    Status status = failure_explain(&failure, channel_address(load->channel), NULL, &load->result->last_error);
    if (++load->failures_in_a_row < BENCH_FAILURES_IN_A_ROW_MAX || load->status != STATUS_OK) return;
    *load->error = load->result->last_error;
    load->status = status;
}

static void bench_load_record(BenchLoad *load, const BenchSlot *slot, const ChannelReply *reply, uint64_t now_ns)
{
    BenchResult *result = load->result;
    result->code_counts[reply->code]++;
    result->elapsed_ns = now_ns - load->measure_from_ns;
    if (reply->code != 0) {
        result->failed_count++;
        return;
    }
    result->answered_count++;
    histogram_record(&result->latency, now_ns - slot->due_ns);
}

static void bench_load_done(void *context, const ChannelReply *reply)
{
    BenchSlot *slot = context;
    BenchLoad *load = slot->load;
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    load->in_flight_count--;
    slot->next_free = load->free_slots;
    load->free_slots = slot;
    if (slot->measured) bench_load_record(load, slot, reply, now_ns);
    if (reply->code == 0 && now_ns >= load->measure_from_ns && now_ns < load->end_ns)
        bench_load_count(load, reply);
    if (reply->code != 0) {
        bench_load_fail(load, reply);
    } else {
        load->failures_in_a_row = 0;
    }
    if (load->plan->rate == 0 && !interrupt_signal()) {
        now_ns = clock_now_ns(&clock_monotonic);
        if (bench_load_wants(load, now_ns)) bench_load_start(load, now_ns);
    }
}

/* Sends what is due in the open loop; the time between two is exponentially distributed. */
static void bench_load_arrive(BenchLoad *load, uint64_t now_ns)
{
    while (load->next_due_ns <= now_ns && load->free_slots && bench_load_wants(load, load->next_due_ns)) {
        bench_load_start(load, load->next_due_ns);
        double unit = ((double)(call_random(&load->random) >> 11) + 1) * 0x1p-53; /* (0, 1] */
        load->next_due_ns += (uint64_t)(-log(unit) / load->plan->rate * (double)NS_PER_S);
    }
}

static void bench_load_wait(BenchLoad *load, uint64_t now_ns)
{
    uint64_t until_ns = now_ns + 100 * NS_PER_MS;
    bool arriving = load->plan->rate > 0 && load->free_slots && bench_load_wants(load, load->next_due_ns);
    if (arriving && load->next_due_ns < until_ns) until_ns = load->next_due_ns;
    if (!arriving || until_ns > now_ns + BENCH_NAP_FROM_NS) {
        channel_run(load->channel, arriving ? until_ns - BENCH_WAKE_EARLY_NS : until_ns);
    } else if (!channel_run(load->channel, 0) && until_ns > now_ns) {
        uint64_t nap_ns = until_ns - now_ns < BENCH_NAP_NS ? until_ns - now_ns : BENCH_NAP_NS;
        nanosleep(&(struct timespec){.tv_nsec = (long)nap_ns}, NULL);
    }
}

static void bench_load_report(BenchLoad *load, uint64_t now_ns)
{
    if (!load->plan->progress || now_ns < load->next_progress_ns) return;
    load->next_progress_ns = now_ns + NS_PER_S;
    uint64_t elapsed_ns = now_ns > load->measure_from_ns ? now_ns - load->measure_from_ns : 0;
    load->plan->progress(load->plan->context, load->result, elapsed_ns);
}

static void bench_load_loop(BenchLoad *load)
{
    if (load->plan->rate == 0) {
        for (uint64_t caller = 0; caller < load->plan->concurrency; caller++) {
            uint64_t now_ns = clock_now_ns(&clock_monotonic);
            if (bench_load_wants(load, now_ns)) bench_load_start(load, now_ns);
        }
    }
    for (;;) {
        uint64_t now_ns = clock_now_ns(&clock_monotonic);
        if (load->plan->rate > 0) bench_load_arrive(load, now_ns);
        bool more = bench_load_wants(load, load->plan->rate > 0 ? load->next_due_ns : now_ns);
        if (interrupt_signal() || load->status != STATUS_OK || (!more && load->in_flight_count == 0)) return;
        bench_load_report(load, now_ns);
        bench_load_wait(load, now_ns);
    }
}

Status bench_load_run(Channel *channel, const BenchPlan *plan, BenchResult *out_result, Error *out_error)
{
    uint64_t now_ns = clock_now_ns(&clock_monotonic);
    BenchLoad load = {
        .channel = channel, .plan = plan, .result = out_result, .random = plan->seed, .error = out_error};
    load.measure_from_ns = now_ns + plan->warmup_ns;
    load.end_ns = plan->duration_ns ? load.measure_from_ns + plan->duration_ns : UINT64_MAX;
    load.next_due_ns = now_ns;
    load.next_progress_ns = now_ns + NS_PER_S;
    size_t slot_count = plan->rate > 0 ? BENCH_IN_FLIGHT_MAX : plan->concurrency;
    load.slots = calloc(slot_count, sizeof *load.slots);
    if (!load.slots) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    for (size_t index = slot_count; index-- > 0;) {
        load.slots[index] = (BenchSlot){.load = &load, .next_free = load.free_slots};
        load.free_slots = &load.slots[index];
    }
    bench_load_loop(&load);
    uint64_t window_end_ns = clock_now_ns(&clock_monotonic);
    if (window_end_ns > load.end_ns) window_end_ns = load.end_ns;
    if (window_end_ns > load.measure_from_ns) out_result->window_ns = window_end_ns - load.measure_from_ns;
    channel_abandon(channel);
    free(load.slots);
    return load.status;
}
