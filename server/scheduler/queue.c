#include "scheduler/queue.h"

#include <assert.h>
#include <stdlib.h>

enum { QUEUE_RETIRE_STEPS = 2 }; /* idle flows looked at per job taken: faster than they can come */

/* ---- lists of flows ---- */

static void queue_list_append(QueueFlowList *list, QueueFlow *flow)
{
    flow->list_previous = list->last;
    flow->list_next = NULL;
    if (list->last) {
        list->last->list_next = flow;
    } else {
        list->first = flow;
    }
    list->last = flow;
}

static void queue_list_remove(QueueFlowList *list, QueueFlow *flow)
{
    if (flow->list_previous) {
        flow->list_previous->list_next = flow->list_next;
    } else {
        list->first = flow->list_next;
    }
    if (flow->list_next) {
        flow->list_next->list_previous = flow->list_previous;
    } else {
        list->last = flow->list_previous;
    }
    flow->list_previous = NULL;
    flow->list_next = NULL;
}

/* ---- groups: a pairing heap (Fredman et al. 1986) for each batch_key ---- */

static bool queue_flow_before(const QueueFlow *a, const QueueFlow *b)
{
    if (a->virtual_time != b->virtual_time) return a->virtual_time < b->virtual_time;
    return a->turn < b->turn;
}

static QueueFlow *queue_heap_meld(QueueFlow *a, QueueFlow *b)
{
    if (!a) return b;
    if (!b) return a;
    if (queue_flow_before(b, a)) {
        QueueFlow *swapped = a;
        a = b;
        b = swapped;
    }
    b->heap_sibling = a->heap_child;
    a->heap_child = b;
    return a;
}

/* What is left of the heap without its root: melds the children in pairs from left to right, then the pairs from
 * right to left. Without recursion: the children may be as many as the flows. */
static QueueFlow *queue_heap_pop(QueueFlow *root)
{
    QueueFlow *pairs = NULL;
    for (QueueFlow *child = root->heap_child; child;) {
        QueueFlow *second = child->heap_sibling;
        QueueFlow *rest = second ? second->heap_sibling : NULL;
        child->heap_sibling = NULL;
        if (second) second->heap_sibling = NULL;
        QueueFlow *pair = queue_heap_meld(child, second);
        pair->heap_sibling = pairs;
        pairs = pair;
        child = rest;
    }
    root->heap_child = NULL;
    QueueFlow *heap = NULL;
    while (pairs) {
        QueueFlow *rest = pairs->heap_sibling;
        pairs->heap_sibling = NULL;
        heap = queue_heap_meld(heap, pairs);
        pairs = rest;
    }
    return heap;
}

static QueueGroup *queue_group_find(const Queue *queue, const void *batch_key)
{
    QueueGroup *group = queue->used_groups;
    while (group && group->batch_key != batch_key) group = group->next;
    return group;
}

static void queue_group_enter(Queue *queue, QueueFlow *flow)
{
    const void *key = queue->keyless ? NULL : flow->first->batch_key;
    QueueGroup *group = queue_group_find(queue, key);
    if (!group) {
        group = queue->free_groups;
        assert(group); /* as many as jobs */
        queue->free_groups = group->next;
        *group = (QueueGroup){.batch_key = key, .next = queue->used_groups};
        queue->used_groups = group;
    }
    flow->turn = queue->turn_next++;
    flow->heap_child = NULL;
    flow->heap_sibling = NULL;
    group->heap = queue_heap_meld(group->heap, flow);
}

static void queue_group_leave(Queue *queue, const QueueFlow *flow)
{
    QueueGroup **link = &queue->used_groups;
    while ((*link)->heap != flow) link = &(*link)->next;
    QueueGroup *group = *link;
    group->heap = queue_heap_pop(group->heap);
    if (group->heap) return;
    *link = group->next;
    group->next = queue->free_groups;
    queue->free_groups = group;
}

/* ---- flows ---- */

/* splitmix64's finalizer: neighbouring ids spread over the buckets. */
static QueueFlow **queue_bucket(const Queue *queue, uint64_t id)
{
    id = (id ^ (id >> 30)) * 0xBF58476D1CE4E5B9u;
    id = (id ^ (id >> 27)) * 0x94D049BB133111EBu;
    return &queue->buckets[(id ^ (id >> 31)) & queue->bucket_mask];
}

static QueueFlow *queue_flow_find(const Queue *queue, uint64_t id)
{
    QueueFlow *flow = *queue_bucket(queue, id);
    while (flow && flow->id != id) flow = flow->bucket_next;
    return flow;
}

static void queue_flow_forget(Queue *queue, QueueFlow *flow)
{
    assert(!flow->first);
    queue_list_remove(&queue->idle, flow);
    QueueFlow **link = queue_bucket(queue, flow->id);
    while (*link != flow) link = &(*link)->bucket_next;
    *link = flow->bucket_next;
    flow->list_next = queue->free_flows;
    queue->free_flows = flow;
    queue->flow_count--;
}

/* Forgets idle flows that owe nothing any more; a few at a time, so that taking a job stays cheap. */
static void queue_flow_retire(Queue *queue)
{
    for (int step = 0; step < QUEUE_RETIRE_STEPS && queue->idle.first; step++) {
        QueueFlow *flow = queue->idle.first;
        if (flow->virtual_time <= queue->virtual_time) {
            queue_flow_forget(queue, flow);
        } else {
            queue_list_remove(&queue->idle, flow);
            queue_list_append(&queue->idle, flow);
        }
    }
}

static QueueFlow *queue_flow_add(Queue *queue, uint64_t id)
{
    if (!queue->free_flows) {
        QueueFlow *oldest = queue->idle.first;
        assert(oldest); /* active flows are at most jobs_max */
        if (oldest->virtual_time > queue->virtual_time) queue->forgiven++;
        queue_flow_forget(queue, oldest);
    }
    QueueFlow *flow = queue->free_flows;
    queue->free_flows = flow->list_next;
    QueueFlow **bucket = queue_bucket(queue, id);
    *flow = (QueueFlow){.id = id, .bucket_next = *bucket};
    *bucket = flow;
    queue->flow_count++;
    queue_list_append(&queue->idle, flow);
    return flow;
}

static void queue_flow_activate(Queue *queue, QueueFlow *flow)
{
    if (flow->virtual_time < queue->virtual_time) flow->virtual_time = queue->virtual_time;
    queue_list_remove(&queue->idle, flow);
    queue_list_append(&queue->active, flow);
}

/* ---- the queue ---- */

static void queue_link_free(Queue *queue, uint32_t flow_count_max)
{
    for (uint32_t i = flow_count_max; i-- > 0;) {
        queue->flows[i].list_next = queue->free_flows;
        queue->free_flows = &queue->flows[i];
    }
    for (uint32_t i = queue->jobs_max; i-- > 0;) {
        queue->groups[i].next = queue->free_groups;
        queue->free_groups = &queue->groups[i];
    }
}

Status queue_open(Queue *queue, uint32_t jobs_max, uint64_t slack_work, Error *out_error)
{
    assert(jobs_max >= 1 && jobs_max <= SCHEDULER_QUEUE_JOBS_LIMIT);
    uint32_t flow_count_max = jobs_max + QUEUE_IDLE_FLOWS_MAX;
    uint64_t bucket_count = 1;
    while (bucket_count < flow_count_max) bucket_count *= 2;
    *queue = (Queue){
        .flows = calloc(flow_count_max, sizeof *queue->flows),
        .groups = calloc(jobs_max, sizeof *queue->groups),
        .buckets = calloc(bucket_count, sizeof(QueueFlow *)),
        .bucket_mask = bucket_count - 1,
        .jobs_max = jobs_max,
        .slack = slack_work / QUEUE_CHARGE_UNIT,
        .deadline_least_ns = UINT64_MAX,
    };
    if (!queue->flows || !queue->groups || !queue->buckets) {
        queue_close(queue);
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for a queue of %u jobs", jobs_max);
    }
    queue_link_free(queue, flow_count_max);
    return STATUS_OK;
}

void queue_raise_slack(Queue *queue, uint64_t slack_work)
{
    assert(slack_work / QUEUE_CHARGE_UNIT >= queue->slack);
    queue->slack = slack_work / QUEUE_CHARGE_UNIT;
}

void queue_close(Queue *queue)
{
    free(queue->flows);
    free(queue->groups);
    free(queue->buckets);
    *queue = (Queue){0};
}

static void queue_count(Queue *queue, const SchedulerJob *job)
{
    queue->job_count++;
    queue->token_count += job->token_count;
    queue->charge += queue_charge(job);
    if (job->deadline_ns && job->deadline_ns < queue->deadline_least_ns)
        queue->deadline_least_ns = job->deadline_ns;
}

void queue_push(Queue *queue, SchedulerJob *job)
{
    assert(queue->job_count < queue->jobs_max);
    QueueFlow *flow = queue_flow_find(queue, job->flow);
    if (!flow) flow = queue_flow_add(queue, job->flow);
    job->next = NULL;
    if (flow->first) {
        flow->last->next = job;
        flow->last = job;
    } else {
        flow->first = flow->last = job;
        queue_flow_activate(queue, flow);
        queue_group_enter(queue, flow);
    }
    queue_count(queue, job);
}

/* The flow keeps its turn whichever of its jobs is the first, as there are no keys. */
void queue_push_placed(Queue *queue, SchedulerJob *job)
{
    assert(queue->keyless && queue->job_count < queue->jobs_max);
    QueueFlow *flow = queue_flow_find(queue, job->flow);
    if (!flow || !flow->first || flow->last->place < job->place) {
        queue_push(queue, job);
        return;
    }
    SchedulerJob **link = &flow->first;
    while ((*link)->place < job->place) link = &(*link)->next;
    job->next = *link;
    *link = job;
    queue_count(queue, job);
}

QueueFlow *queue_turn(const Queue *queue)
{
    QueueFlow *least = NULL;
    for (const QueueGroup *group = queue->used_groups; group; group = group->next) {
        if (!least || queue_flow_before(group->heap, least)) least = group->heap;
    }
    return least;
}

QueueFlow *queue_turn_of_key(const Queue *queue, const void *batch_key)
{
    const QueueGroup *group = queue_group_find(queue, batch_key);
    if (!group) return NULL;
    uint64_t least = queue_turn(queue)->virtual_time;
    return group->heap->virtual_time - least <= queue->slack ? group->heap : NULL;
}

static void queue_uncount(Queue *queue, const SchedulerJob *job)
{
    queue->job_count--;
    queue->token_count -= job->token_count;
    queue->charge -= queue_charge(job);
}

/* Removes the first job of `flow` and moves the flow on by `charge`. */
static SchedulerJob *queue_pop(Queue *queue, QueueFlow *flow, uint64_t charge)
{
    SchedulerJob *job = flow->first;
    queue_group_leave(queue, flow);
    flow->virtual_time += charge;
    flow->first = job->next;
    job->next = NULL;
    if (flow->first) {
        queue_group_enter(queue, flow);
    } else {
        flow->last = NULL;
        queue_list_remove(&queue->active, flow);
        queue_list_append(&queue->idle, flow);
    }
    queue_uncount(queue, job);
    return job;
}

SchedulerJob *queue_take(Queue *queue, QueueFlow *flow)
{
    uint64_t charge = queue_charge(flow->first);
    uint64_t least = queue_turn(queue)->virtual_time;
    if (queue->virtual_time < least) queue->virtual_time = least;
    SchedulerJob *job = queue_pop(queue, flow, charge);
    queue->undistributed += charge;
    queue->virtual_time += queue->undistributed / queue->flow_count;
    queue->undistributed %= queue->flow_count;
    queue_flow_retire(queue);
    return job;
}

SchedulerJob *queue_discard(Queue *queue, QueueFlow *flow)
{
    return queue_pop(queue, flow, 0);
}

/* Unlinks the dead jobs of one flow; true when its first job changed. */
static bool queue_purge_flow(Queue *queue, QueueFlow *flow, bool (*is_dead)(SchedulerJob *job, uint64_t now_ns),
                             uint64_t now_ns, SchedulerJob **out_dead)
{
    const SchedulerJob *first = flow->first;
    flow->last = NULL;
    for (SchedulerJob **link = &flow->first; *link;) {
        SchedulerJob *job = *link;
        if (is_dead(job, now_ns)) {
            *link = job->next;
            queue_uncount(queue, job);
            job->next = *out_dead;
            *out_dead = job;
            continue;
        }
        if (job->deadline_ns && job->deadline_ns < queue->deadline_least_ns) {
            queue->deadline_least_ns = job->deadline_ns;
        }
        flow->last = job;
        link = &job->next;
    }
    return flow->first != first;
}

/* A flow that lost its first job may belong to another group now, and is not at its heap's root: all heaps are
 * built anew, in the order of `active`. */
static void queue_groups_rebuild(Queue *queue)
{
    while (queue->used_groups) {
        QueueGroup *group = queue->used_groups;
        queue->used_groups = group->next;
        group->next = queue->free_groups;
        queue->free_groups = group;
    }
    for (QueueFlow *flow = queue->active.first; flow;) {
        QueueFlow *next = flow->list_next;
        if (flow->first) {
            queue_group_enter(queue, flow);
        } else {
            queue_list_remove(&queue->active, flow);
            queue_list_append(&queue->idle, flow);
        }
        flow = next;
    }
}

void queue_purge(Queue *queue, bool (*is_dead)(SchedulerJob *job, uint64_t now_ns), uint64_t now_ns,
                 SchedulerJob **out_dead)
{
    bool changed = false;
    queue->deadline_least_ns = UINT64_MAX;
    for (QueueFlow *flow = queue->active.first; flow; flow = flow->list_next) {
        changed |= queue_purge_flow(queue, flow, is_dead, now_ns, out_dead);
    }
    if (changed) queue_groups_rebuild(queue);
}

uint64_t queue_oldest_ns(const Queue *queue)
{
    uint64_t oldest = 0;
    for (const QueueFlow *flow = queue->active.first; flow; flow = flow->list_next) {
        if (oldest == 0 || flow->first->submitted_ns < oldest) oldest = flow->first->submitted_ns;
    }
    return oldest;
}
