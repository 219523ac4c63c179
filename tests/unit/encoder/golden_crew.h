/* A crew of threads, and a golden case that is long enough to be shared. */
#pragma once

#include "unit/encoder/golden.h"

#include "encoder/weights.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MEMBER_COUNT = 2, REPEATED_TOKENS_MAX = 1100 };

/* A crew of a leader and MEMBER_COUNT threads, started for each call. */
typedef struct TestCrew {
    Crew crew;
    EncoderHelper *helpers[MEMBER_COUNT];
    atomic_uint units_run;
    CrewUnit unit;
    void *context;
    uint32_t unit_count;
    atomic_uint next;
} TestCrew;

typedef struct TestMember {
    TestCrew *crew;
    pthread_t thread;
    uint32_t index;
} TestMember;

static inline void crew_take_units(TestCrew *crew, uint32_t member)
{
    uint32_t taken;
    while ((taken = atomic_fetch_add(&crew->next, 1)) < crew->unit_count) {
        crew->unit(crew->context, crew->unit_count - 1 - taken, member); /* the last first */
        atomic_fetch_add(&crew->units_run, 1);
    }
}

static inline void *crew_member_main(void *argument)
{
    const TestMember *member = argument;
    crew_take_units(member->crew, member->index);
    return NULL;
}

static inline void crew_run_threads(const Crew *crew, uint32_t unit_count, CrewUnit unit, void *context)
{
    TestCrew *self = (TestCrew *)((char *)(uintptr_t)crew - offsetof(TestCrew, crew));
    TestMember members[MEMBER_COUNT];
    self->unit = unit;
    self->context = context;
    self->unit_count = unit_count;
    atomic_store(&self->next, 0);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) {
        members[i] = (TestMember){.crew = self, .index = i};
        assert_int_equal(pthread_create(&members[i].thread, NULL, crew_member_main, &members[i]), 0);
    }
    crew_take_units(self, CREW_LEADER);
    for (uint32_t i = 0; i < MEMBER_COUNT; i++) pthread_join(members[i].thread, NULL);
}

static inline void crew_pause_member(const Crew *crew, uint32_t member)
{
    (void)crew;
    assert_true(member < MEMBER_COUNT);
}

/* The longest case over and over, for several units; as far as there are positions, where they have a table. */
static inline void repeat_longest(const Golden *golden, Encoder *encoder, EncoderSequence *out_sequence)
{
    static uint32_t ids[REPEATED_TOKENS_MAX];
    static uint8_t types[REPEATED_TOKENS_MAX];
    EncoderSequence longest = golden->cases[0].sequence;
    for (uint32_t i = 1; i < golden->case_count; i++)
        if (golden->cases[i].sequence.token_count > longest.token_count) longest = golden->cases[i].sequence;
    if (!encoder->position_embeddings) encoder->config.position_count = REPEATED_TOKENS_MAX;
    uint32_t limit = encoder->config.position_count;
    uint32_t count = limit < REPEATED_TOKENS_MAX ? limit : REPEATED_TOKENS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = longest.ids[i % longest.token_count];
        types[i] = longest.type_ids[i % longest.token_count];
    }
    *out_sequence = (EncoderSequence){.ids = ids, .type_ids = types, .token_count = count};
    static uint32_t globals[] = {0, 3, 0};
    globals[2] = count - 1;
    if (!encoder_takes_globals(encoder)) return;
    out_sequence->global_positions = globals;
    out_sequence->global_count = 3;
}
