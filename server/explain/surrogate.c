#include "explain/surrogate_state.h"

#include <assert.h>

enum { FRESH_PART = 4 };

static const SurrogateKind *const kinds[EXPLAIN_METHOD_COUNT] = {
    [EXPLAIN_SURROGATE_LINEAR] = &linear_kind,
    [EXPLAIN_SURROGATE_TREE] = &tree_kind,
    [EXPLAIN_ANCHOR_RULE] = &anchor_kind,
};

uint32_t surrogate_copies_max(uint32_t feature_count, uint32_t sample_count)
{
    return feature_count == 0 ? 0 : sample_count + (sample_count + FRESH_PART - 1) / FRESH_PART;
}

/* A Surrogate without arrays. */
static Surrogate surrogate_sized(const StudyText *text, uint32_t sample_count, uint64_t seed)
{
    uint32_t fresh_count = (sample_count + FRESH_PART - 1) / FRESH_PART;
    return (Surrogate){
        .study.text = *text, .random = seed, .sample_count = sample_count, .fresh_count = fresh_count};
}

uint64_t surrogate_bytes(ExplainMethod method, uint32_t feature_count, uint32_t sample_count)
{
    const Surrogate sized = surrogate_sized(&(StudyText){.feature_count = feature_count}, sample_count, 0);
    return explain_made_bytes(kinds[method]->lay_out, &sized);
}

Study *surrogate_open(ExplainMethod method, const StudyText *text, uint32_t sample_count, uint64_t seed,
                      Arena *arena)
{
    assert(text->feature_count <= EXPLAIN_FEATURE_COUNT_MAX);
    assert(sample_count >= 1 && sample_count <= EXPLAIN_SAMPLE_COUNT_MAX);
    const Surrogate sized = surrogate_sized(text, sample_count, seed);
    Surrogate *surrogate = explain_make(kinds[method]->lay_out, &sized, arena, NULL);
    if (!surrogate) return NULL;
    surrogate->study.next = kinds[method]->next;
    surrogate->result.method = method;
    for (uint32_t i = 0; i < text->feature_count; i++) surrogate->order[i] = i;
    if (kinds[method]->begin) kinds[method]->begin(surrogate);
    return &surrogate->study;
}

const ExplainSurrogate *surrogate_result(const Study *study)
{
    return &((const Surrogate *)study)->result;
}

void surrogate_lay_out(Surrogate *surrogate, ExplainMemory *memory)
{
    uint32_t copies = surrogate->sample_count + surrogate->fresh_count;
    uint64_t round_bytes = (uint64_t)STUDY_ROUND_COPIES_MAX * surrogate->study.text.feature_count;
    surrogate->kept = explain_take(memory, copies, sizeof *surrogate->kept);
    surrogate->answers = explain_take(memory, copies, sizeof *surrogate->answers);
    surrogate->room.kept = explain_take(memory, round_bytes, 1);
    surrogate->room.answers = explain_take(memory, STUDY_ROUND_COPIES_MAX, sizeof *surrogate->room.answers);
    surrogate->order = explain_take(memory, surrogate->study.text.feature_count, sizeof *surrogate->order);
}

FeatureSet surrogate_all(const Surrogate *surrogate)
{
    FeatureSet all = {{0}};
    for (uint32_t i = 0; i < surrogate->study.text.feature_count; i++) feature_set_add(&all, i);
    return all;
}

void surrogate_record(Surrogate *surrogate, const StudyRound *last)
{
    if (!last) return;
    assert(surrogate->answered + last->copy_count == surrogate->count);
    memcpy(surrogate->answers + surrogate->answered, last->answers, last->copy_count * sizeof *last->answers);
    surrogate->answered = surrogate->count;
    surrogate->result.sample_count += last->copy_count;
}

void surrogate_ask(Surrogate *surrogate, const FeatureSet *kept)
{
    assert(surrogate->count < surrogate->sample_count + surrogate->fresh_count);
    surrogate->kept[surrogate->count++] = *kept;
}

void surrogate_round(Surrogate *surrogate, StudyRound *out_round)
{
    uint32_t feature_count = surrogate->study.text.feature_count;
    uint8_t *room = surrogate->room.kept;
    surrogate->room.copy_count = surrogate->count - surrogate->answered;
    assert(surrogate->room.copy_count <= STUDY_ROUND_COPIES_MAX);
    for (uint32_t i = surrogate->answered; i < surrogate->count; i++) {
        for (uint32_t feature = 0; feature < feature_count; feature++)
            *room++ = feature_set_has(&surrogate->kept[i], feature);
    }
    *out_round = surrogate->room;
}

bool surrogate_ask_neighbours(Surrogate *surrogate)
{
    uint32_t feature_count = surrogate->study.text.feature_count;
    uint32_t end = surrogate->sample_count + surrogate->fresh_count;
    if (surrogate->count == 0) {
        surrogate->kept[0] = surrogate_all(surrogate);
        surrogate->answers[0] = surrogate->study.text.whole;
        surrogate->count = surrogate->answered = 1;
    }
    if (feature_count == 0 || surrogate->count == end) return false;
    for (uint32_t i = 0; i < STUDY_ROUND_COPIES_MAX && surrogate->count < end; i++) {
        FeatureSet kept = surrogate->kept[0];
        uint32_t left_out = 1 + random_below(&surrogate->random, feature_count);
        random_choose(&surrogate->random, surrogate->order, feature_count, left_out);
        for (uint32_t k = feature_count - left_out; k < feature_count; k++)
            feature_set_remove(&kept, surrogate->order[k]);
        surrogate_ask(surrogate, &kept);
    }
    return true;
}
