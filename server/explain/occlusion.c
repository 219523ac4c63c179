#include "explain/occlusion.h"

#include "explain/memory.h"

#include <string.h>

typedef struct Occlusion {
    Study study; /* first */
    float *scores;
    uint8_t *kept;        /* [round's copies][feature_count] */
    StudyAnswer *answers; /* [round's copies] */
    uint32_t asked_count; /* features that were left out in rounds so far */
} Occlusion;

static void occlusion_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    Occlusion *occlusion = (Occlusion *)study;
    uint32_t feature_count = study->text.feature_count;
    for (uint32_t i = 0; last && i < last->copy_count; i++) {
        uint32_t feature = occlusion->asked_count - last->copy_count + i;
        occlusion->scores[feature] = study->text.whole.score - last->answers[i].score;
    }
    uint32_t count = feature_count - occlusion->asked_count;
    if (count > STUDY_ROUND_COPIES_MAX) count = STUDY_ROUND_COPIES_MAX;
    memset(occlusion->kept, 1, (size_t)count * feature_count);
    for (uint32_t i = 0; i < count; i++)
        occlusion->kept[(size_t)i * feature_count + occlusion->asked_count + i] = 0;
    occlusion->asked_count += count;
    *out_round = (StudyRound){.kept = occlusion->kept, .answers = occlusion->answers, .copy_count = count};
}

/* `spec`: the feature count. */
static void *occlusion_lay_out(const void *spec, ExplainMemory *memory)
{
    const uint32_t feature_count = *(const uint32_t *)spec;
    uint64_t round = feature_count < STUDY_ROUND_COPIES_MAX ? feature_count : STUDY_ROUND_COPIES_MAX;
    Occlusion *occlusion = explain_take(memory, 1, sizeof *occlusion);
    Occlusion made = {.study = {.next = occlusion_next, .text = {.feature_count = feature_count}}};
    made.scores = explain_take(memory, feature_count, sizeof *made.scores);
    made.kept = explain_take(memory, round * feature_count, sizeof *made.kept);
    made.answers = explain_take(memory, round, sizeof *made.answers);
    if (occlusion) *occlusion = made;
    return occlusion;
}

uint64_t occlusion_bytes(uint32_t feature_count)
{
    return explain_made_bytes(occlusion_lay_out, &feature_count);
}

Study *occlusion_open(uint32_t feature_count, Arena *arena)
{
    return explain_make(occlusion_lay_out, &feature_count, arena, NULL);
}

const float *occlusion_scores(const Study *study)
{
    return ((const Occlusion *)study)->scores;
}
