/* Anchors by beam search: from rules of one word upwards, the best few of each size are told from the others by KL-
 * LUCB (Kaufmann and Kalyanakrishnan 2013) and grow by a word, until one's precision is proved. A copy that keeps
 * more words than it was made to keep is as good a sample of the rules of those words, so all copies serve all
 * rules. */
#include "explain/surrogate_state.h"

#include <math.h>

enum {
    BEAM = 4,
    RULE_WORDS_MAX = 10,
    DRAWS = 16, /* of a rule at a time */
    PROOF_DRAWS = 32,
    FIRST_PART = 8,  /* of the samples, with no word held: what a search begins with */
    BEAM_PART = 20,  /* to choose the best of a size with, at most */
    PROOF_PART = 4,  /* to prove them with, at most */
    BISECTIONS = 24, /* of bounds, to 1e-7 */
};
#define PRECISION 0.95
#define FAILURE 0.05   /* of a bound to hold */
#define TOLERANCE 0.15 /* rules nearer to each other than this need not be told apart */

/* A rule, and what is known of it. */
typedef struct Arm {
    FeatureSet words;
    uint32_t count; /* of the copies that are samples of it */
    uint32_t agreeing;
} Arm;

typedef enum AnchorStage { ANCHOR_FIRST, ANCHOR_BEAM, ANCHOR_PROOF, ANCHOR_FRESH, ANCHOR_OVER } AnchorStage;

typedef struct Anchor {
    Surrogate surrogate; /* first */
    FeatureSet *held;    /* [copies]: words that a copy was made to keep */
    Arm *arms; /* [1 + BEAM * features]: rules of this size; the beam stands in front once it is chosen */
    uint32_t arm_count;
    uint32_t size; /* of rules */
    uint32_t seen; /* copies that the arms' counts have */
    AnchorStage stage;
    uint32_t stage_end;  /* the count of copies at which the stage is to end */
    uint32_t step_count; /* of the stage */
    Arm best;            /* of all sizes, by the lower bound */
    Arm rule;            /* that is measured */
    uint32_t fresh_from; /* copies from here on are fresh */
    uint32_t chosen[RULE_WORDS_MAX];
} Anchor;

static double arm_mean(const Arm *arm)
{
    return arm->count > 0 ? (double)arm->agreeing / arm->count : 0;
}

/* The Kullback-Leibler divergence of two coins. */
static double divergence(double p, double q)
{
    double heads = p > 0 ? p * log(p / q) : 0;
    return heads + (p < 1 ? (1 - p) * log((1 - p) / (1 - q)) : 0);
}

/* The end of the probabilities q with count * divergence(mean, q) <= level, below the mean or above it. */
static double arm_bound(const Arm *arm, double level, bool upper)
{
    double mean = arm_mean(arm), inside = mean, outside = upper ? 1 : 0;
    if (arm->count == 0) return outside;
    for (unsigned i = 0; i < BISECTIONS; i++) {
        double middle = (inside + outside) / 2;
        if (arm->count * divergence(mean, middle) <= level)
            inside = middle;
        else
            outside = middle;
    }
    return inside;
}

static double arm_lower(const Arm *arm)
{
    return arm_bound(arm, log(1 / FAILURE), false);
}

/* The exploration rate of step t (Kaufmann and Kalyanakrishnan 2013, theorem 1, as anchor's authors use it). */
static double anchor_level(const Anchor *anchor)
{
    double t = anchor->step_count + 1;
    double level = log(405.5 * anchor->arm_count * pow(t, 1.1) / FAILURE);
    return level + log(level);
}

static void arm_see(Arm *arm, const FeatureSet *kept, const FeatureSet *held, bool agrees)
{
    if (!feature_set_covers(kept, &arm->words) || !feature_set_covers(&arm->words, held)) return;
    arm->count++;
    arm->agreeing += agrees;
}

static void anchor_see(Anchor *anchor)
{
    const Surrogate *surrogate = &anchor->surrogate;
    for (; anchor->seen < surrogate->answered; anchor->seen++) {
        for (uint32_t i = 0; i < anchor->arm_count; i++)
            arm_see(&anchor->arms[i], &surrogate->kept[anchor->seen], &anchor->held[anchor->seen],
                    surrogate->answers[anchor->seen].agrees);
    }
}

/* Copies with the words of `rule`, and each other one with a probability of 1/2; fewer where `end` is nearer. */
static void anchor_draw(Anchor *anchor, const FeatureSet *rule, uint32_t count, uint32_t end)
{
    Surrogate *surrogate = &anchor->surrogate;
    const FeatureSet all = surrogate_all(surrogate);
    for (uint32_t i = 0; i < count && surrogate->count < end; i++) {
        FeatureSet kept;
        for (unsigned word = 0; word < FEATURE_SET_WORDS; word++) {
            uint64_t bits = random_next(&surrogate->random) | rule->bits[word];
            kept.bits[word] = bits & all.bits[word];
        }
        anchor->held[surrogate->count] = *rule;
        surrogate_ask(surrogate, &kept);
    }
}

static void anchor_enter(Anchor *anchor, AnchorStage stage, uint32_t copies)
{
    uint32_t end = anchor->surrogate.count + copies;
    anchor->stage = stage;
    anchor->step_count = 0;
    anchor->stage_end = end < anchor->surrogate.sample_count ? end : anchor->surrogate.sample_count;
}

/* Brings the arms of the highest means to the front, as many as a beam has. */
static void anchor_sort(Anchor *anchor)
{
    for (uint32_t i = 0; i < BEAM && i < anchor->arm_count; i++) {
        uint32_t best = i;
        for (uint32_t k = i + 1; k < anchor->arm_count; k++) {
            if (arm_mean(&anchor->arms[k]) > arm_mean(&anchor->arms[best])) best = k;
        }
        Arm arm = anchor->arms[best];
        anchor->arms[best] = anchor->arms[i];
        anchor->arms[i] = arm;
    }
}

static bool anchor_has_arm(const Anchor *anchor, const FeatureSet *words)
{
    for (uint32_t i = 0; i < anchor->arm_count; i++) {
        if (memcmp(&anchor->arms[i].words, words, sizeof *words) == 0) return true;
    }
    return false;
}

/* The rules of one word more than the beam's. */
static void anchor_grow(Anchor *anchor)
{
    Arm beam[BEAM];
    uint32_t beam_count = anchor->arm_count < BEAM ? anchor->arm_count : BEAM;
    memcpy(beam, anchor->arms, beam_count * sizeof *beam);
    anchor->arm_count = 0;
    for (uint32_t i = 0; i < beam_count; i++) {
        for (uint32_t feature = 0; feature < anchor->surrogate.study.text.feature_count; feature++) {
            Arm arm = {.words = beam[i].words};
            if (feature_set_has(&arm.words, feature)) continue;
            feature_set_add(&arm.words, feature);
            if (i == 0 || !anchor_has_arm(anchor, &arm.words)) anchor->arms[anchor->arm_count++] = arm;
        }
    }
    anchor->size++;
    anchor->seen = 0;
    anchor_see(anchor);
    anchor_enter(anchor, ANCHOR_BEAM, anchor->surrogate.sample_count / BEAM_PART);
}

/* The weakest of the beam and the strongest of the others, as far as they may still be; false: they are told apart. */
static bool anchor_find_rivals(Anchor *anchor, uint32_t *out_weakest, uint32_t *out_strongest)
{
    double level = anchor_level(anchor), lowest = 2, highest = -1;
    anchor_sort(anchor);
    for (uint32_t i = 0; i < anchor->arm_count; i++) {
        double bound = arm_bound(&anchor->arms[i], level, i >= BEAM);
        if (i < BEAM && bound < lowest) {
            lowest = bound;
            *out_weakest = i;
        }
        if (i >= BEAM && bound > highest) {
            highest = bound;
            *out_strongest = i;
        }
    }
    return highest - lowest > TOLERANCE;
}

static bool anchor_ask_first(Anchor *anchor)
{
    if (anchor->surrogate.count < anchor->stage_end) {
        anchor_draw(anchor, &anchor->arms[0].words, STUDY_ROUND_COPIES_MAX, anchor->stage_end);
        return true;
    }
    anchor_enter(anchor, ANCHOR_PROOF, anchor->surrogate.sample_count / PROOF_PART);
    return false;
}

static bool anchor_ask_rivals(Anchor *anchor)
{
    uint32_t weakest = 0, strongest = 0;
    if (anchor->surrogate.count < anchor->stage_end && anchor_find_rivals(anchor, &weakest, &strongest)) {
        anchor->step_count++;
        anchor_draw(anchor, &anchor->arms[weakest].words, DRAWS, anchor->stage_end);
        anchor_draw(anchor, &anchor->arms[strongest].words, DRAWS, anchor->stage_end);
        return true;
    }
    anchor_enter(anchor, ANCHOR_PROOF, anchor->surrogate.sample_count / PROOF_PART);
    return false;
}

static void anchor_measure(Anchor *anchor, const Arm *rule)
{
    anchor->rule = *rule;
    anchor->stage = ANCHOR_FRESH;
    anchor->fresh_from = anchor->surrogate.count;
}

/* Whether the search must end: larger rules, or any more copies, are not to be had. */
static bool anchor_is_spent(const Anchor *anchor)
{
    return anchor->surrogate.count >= anchor->surrogate.sample_count || anchor->size == RULE_WORDS_MAX ||
           anchor->size == anchor->surrogate.study.text.feature_count;
}

/* Rules of the beam are proved one after the other, as long as they may be precise enough. */
static bool anchor_ask_proof(Anchor *anchor)
{
    anchor_sort(anchor);
    for (uint32_t i = 0; i < BEAM && i < anchor->arm_count; i++) {
        const Arm *arm = &anchor->arms[i];
        double lower = arm_lower(arm);
        if (anchor->size == 0 || lower > arm_lower(&anchor->best)) anchor->best = *arm;
        if (lower >= PRECISION) {
            anchor_measure(anchor, arm);
            return false;
        }
        if (arm_mean(arm) < PRECISION || anchor->surrogate.count >= anchor->stage_end) continue;
        anchor_draw(anchor, &arm->words, PROOF_DRAWS, anchor->stage_end);
        return true;
    }
    if (anchor_is_spent(anchor))
        anchor_measure(anchor, &anchor->best);
    else
        anchor_grow(anchor);
    return false;
}

static void anchor_finish(Anchor *anchor, const Arm *fresh)
{
    ExplainSurrogate *result = &anchor->surrogate.result;
    for (uint32_t i = 0; i < anchor->surrogate.study.text.feature_count; i++) {
        if (feature_set_has(&fresh->words, i)) anchor->chosen[result->feature_count++] = i;
    }
    result->features = anchor->chosen;
    result->fidelity = (float)arm_mean(fresh);
    result->coverage = (float)ldexp(1, -(int)result->feature_count);
    anchor->stage = ANCHOR_OVER;
}

/* A rule that fresh copies speak against is sought further, with those copies, as long as there are others to
 * measure the next one with. */
static bool anchor_ask_fresh(Anchor *anchor)
{
    Surrogate *surrogate = &anchor->surrogate;
    uint32_t end = anchor->fresh_from + surrogate->fresh_count;
    if (surrogate->count < end) {
        anchor_draw(anchor, &anchor->rule.words, STUDY_ROUND_COPIES_MAX, end);
        return true;
    }
    Arm fresh = {.words = anchor->rule.words};
    for (uint32_t i = anchor->fresh_from; i < surrogate->count; i++)
        arm_see(&fresh, &surrogate->kept[i], &anchor->held[i], surrogate->answers[i].agrees);
    if (arm_mean(&fresh) >= PRECISION || surrogate->count >= surrogate->sample_count)
        anchor_finish(anchor, &fresh);
    else
        anchor_enter(anchor, ANCHOR_PROOF, surrogate->sample_count / PROOF_PART);
    return false;
}

static void anchor_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    static bool (*const asks[])(Anchor *) = {
        [ANCHOR_FIRST] = anchor_ask_first,
        [ANCHOR_BEAM] = anchor_ask_rivals,
        [ANCHOR_PROOF] = anchor_ask_proof,
        [ANCHOR_FRESH] = anchor_ask_fresh,
    };
    Anchor *anchor = (Anchor *)study;
    surrogate_record(&anchor->surrogate, last);
    anchor_see(anchor);
    while (anchor->stage != ANCHOR_OVER && !asks[anchor->stage](anchor)) continue;
    surrogate_round(&anchor->surrogate, out_round);
}

static void *anchor_lay_out(const void *spec, ExplainMemory *memory)
{
    const Surrogate *sized = spec;
    Anchor *anchor = explain_take(memory, 1, sizeof *anchor);
    Anchor made = {.surrogate = *sized};
    surrogate_lay_out(&made.surrogate, memory);
    made.held = explain_take(memory, sized->sample_count + sized->fresh_count, sizeof *made.held);
    made.arms = explain_take(memory, 1 + BEAM * (uint64_t)sized->study.text.feature_count, sizeof *made.arms);
    if (anchor) *anchor = made;
    return anchor;
}

/* The rule of no words is the first: it holds where nothing that is left out changes the label. */
static void anchor_begin(Surrogate *surrogate)
{
    Anchor *anchor = (Anchor *)surrogate;
    anchor->arms[anchor->arm_count++] = (Arm){0};
    anchor_enter(anchor, ANCHOR_FIRST, (surrogate->sample_count + FIRST_PART - 1) / FIRST_PART);
    if (surrogate->study.text.feature_count == 0) anchor_finish(anchor, &(Arm){.count = 1, .agreeing = 1});
}

const SurrogateKind anchor_kind = {anchor_lay_out, anchor_begin, anchor_next};
