#include "explain/faithfulness.h"

#include "explain/memory.h"

#include <stdlib.h>
#include <string.h>

/* Of the features, as the paper has it for tokens. */
static const uint32_t faithfulness_percents[] = {1, 5, 10, 20, 50};
enum {
    PERCENT_COUNT = sizeof faithfulness_percents / sizeof faithfulness_percents[0],
    COPIES = 2 * PERCENT_COUNT
};

typedef struct RankedFeature {
    float score;
    uint32_t feature;
} RankedFeature;

typedef struct Faithfulness {
    Study study;           /* first */
    RankedFeature *ranked; /* [feature_count], by falling scores */
    uint8_t *kept;         /* [COPIES][feature_count]: without the first of them, then with them alone */
    StudyAnswer answers[COPIES];
    ExplainFaithfulness result;
} Faithfulness;

uint32_t faithfulness_copies(uint32_t feature_count)
{
    return feature_count ? COPIES : 0;
}

static void faithfulness_read(Faithfulness *faithfulness, const StudyRound *last)
{
    double whole = (double)faithfulness->study.text.whole.score;
    double without = 0;
    double alone = 0;
    for (uint32_t i = 0; i < PERCENT_COUNT; i++) {
        without += whole - (double)last->answers[i].score;
        alone += whole - (double)last->answers[PERCENT_COUNT + i].score;
    }
    faithfulness->result.comprehensiveness = (float)(without / PERCENT_COUNT);
    faithfulness->result.sufficiency = (float)(alone / PERCENT_COUNT);
}

static void faithfulness_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    Faithfulness *faithfulness = (Faithfulness *)study;
    uint32_t feature_count = study->text.feature_count;
    *out_round = (StudyRound){.kept = faithfulness->kept, .answers = faithfulness->answers};
    if (last) faithfulness_read(faithfulness, last);
    if (last || feature_count == 0) return;
    out_round->copy_count = COPIES;
    memset(faithfulness->kept, 1, (size_t)PERCENT_COUNT * feature_count);
    memset(faithfulness->kept + (size_t)PERCENT_COUNT * feature_count, 0, (size_t)PERCENT_COUNT * feature_count);
    for (uint32_t i = 0; i < PERCENT_COUNT; i++) {
        uint8_t *without = faithfulness->kept + (size_t)i * feature_count;
        uint8_t *alone = faithfulness->kept + (size_t)(PERCENT_COUNT + i) * feature_count;
        uint64_t count = ((uint64_t)feature_count * faithfulness_percents[i] + 99) / 100; /* at least one */
        for (uint64_t k = 0; k < count; k++) {
            without[faithfulness->ranked[k].feature] = 0;
            alone[faithfulness->ranked[k].feature] = 1;
        }
    }
}

/* `spec`: the feature count. */
static void *faithfulness_lay_out(const void *spec, ExplainMemory *memory)
{
    const uint32_t feature_count = *(const uint32_t *)spec;
    Faithfulness *faithfulness = explain_take(memory, 1, sizeof *faithfulness);
    Faithfulness made = {.study = {.next = faithfulness_next, .text = {.feature_count = feature_count}}};
    made.ranked = explain_take(memory, feature_count, sizeof *made.ranked);
    made.kept = explain_take(memory, COPIES * (uint64_t)feature_count, sizeof *made.kept);
    if (faithfulness) *faithfulness = made;
    return faithfulness;
}

uint64_t faithfulness_bytes(uint32_t feature_count)
{
    return explain_made_bytes(faithfulness_lay_out, &feature_count);
}

Study *faithfulness_open(uint32_t feature_count, Arena *arena)
{
    return explain_make(faithfulness_lay_out, &feature_count, arena, NULL);
}

/* Of equal scores the first feature comes first. */
static int ranked_compare(const void *a, const void *b)
{
    const RankedFeature *left = a;
    const RankedFeature *right = b;
    if (left->score != right->score) return left->score < right->score ? 1 : -1;
    return (left->feature > right->feature) - (left->feature < right->feature);
}

void faithfulness_set_scores(Study *study, const float *scores)
{
    Faithfulness *faithfulness = (Faithfulness *)study;
    uint32_t count = study->text.feature_count;
    for (uint32_t i = 0; i < count; i++) faithfulness->ranked[i] = (RankedFeature){scores[i], i};
    qsort(faithfulness->ranked, count, sizeof *faithfulness->ranked, ranked_compare);
    faithfulness->result = (ExplainFaithfulness){0};
}

ExplainFaithfulness faithfulness_result(const Study *study)
{
    return ((const Faithfulness *)study)->result;
}
