#include "explain/occlusion.h"

#include <string.h>

typedef struct Occlusion {
    Study study; /* first */
    float *scores;
    uint8_t *kept;        /* [round's copies][feature_count] */
    StudyAnswer *answers; /* [round's copies] */
    uint32_t asked_count; /* features that were left out in rounds so far */
} Occlusion;

static uint32_t occlusion_round_max(uint32_t feature_count)
{
    return feature_count < STUDY_ROUND_COPIES_MAX ? feature_count : STUDY_ROUND_COPIES_MAX;
}

uint64_t occlusion_bytes(uint32_t feature_count)
{
    enum { ROUNDING_BYTES = 64 }; /* of four allocations */
    uint64_t round = occlusion_round_max(feature_count);
    return sizeof(Occlusion) + feature_count * (uint64_t)sizeof(float) + round * feature_count +
           round * sizeof(StudyAnswer) + ROUNDING_BYTES;
}

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

Study *occlusion_open(uint32_t feature_count, Arena *arena)
{
    uint32_t round = occlusion_round_max(feature_count);
    Occlusion *occlusion = arena_allocate_zeroed(arena, 1, sizeof *occlusion);
    if (!occlusion) return NULL;
    occlusion->study = (Study){.next = occlusion_next, .text = {.feature_count = feature_count}};
    occlusion->scores = arena_allocate_zeroed(arena, feature_count, sizeof *occlusion->scores);
    occlusion->kept = arena_allocate(arena, (size_t)round * feature_count);
    occlusion->answers = arena_allocate(arena, round * sizeof *occlusion->answers);
    return occlusion->scores && occlusion->kept && occlusion->answers ? &occlusion->study : NULL;
}

const float *occlusion_scores(const Study *study)
{
    return ((const Occlusion *)study)->scores;
}
