/* A linear model of the text's neighbourhood, step for step as PyPI lime makes it. */
#include "explain/surrogate_state.h"

#include <math.h>

enum { LINEAR_WEIGHTS = 10 /* lime's num_features */ };
#define SELECTION_RIDGE 0.01
#define FINAL_RIDGE 1.0

typedef struct Linear {
    Surrogate surrogate; /* first */
    double *products;    /* [features][features], the lower triangle: of centred features, weighted */
    double *factor;      /* [likewise]: of Cholesky's decomposition */
    double *means;       /* [features] */
    double *targets;     /* [features]: products with the centred scores */
    double *solution;    /* [features] */
    double weight_sum;
    double score_mean; /* their sum until all are gathered, as the means are */
    uint32_t gathered; /* of the samples */
    uint32_t chosen[LINEAR_WEIGHTS];
    float weights[LINEAR_WEIGHTS];
} Linear;

/* sqrt(exp(-(100 d)^2 / 25^2)), d the cosine distance from the whole text. */
static double weight_of(const Linear *linear, uint32_t sample)
{
    double kept = feature_set_count(&linear->surrogate.kept[sample]);
    double distance = 1 - sqrt(kept / linear->surrogate.study.text.feature_count);
    return exp(-8 * distance * distance);
}

static void linear_add(Linear *linear, uint32_t sample)
{
    const FeatureSet *kept = &linear->surrogate.kept[sample];
    uint32_t count = linear->surrogate.study.text.feature_count;
    double weight = weight_of(linear, sample), score = weight * (double)linear->surrogate.answers[sample].score;
    linear->weight_sum += weight;
    linear->score_mean += score;
    for (uint32_t i = 0; i < count; i++) {
        if (!feature_set_has(kept, i)) continue;
        double *row = linear->products + (size_t)i * count;
        linear->means[i] += weight;
        linear->targets[i] += score;
        for (uint32_t k = 0; k <= i; k++) row[k] += feature_set_has(kept, k) ? weight : 0;
    }
}

/* Adds up what has been answered, round by round, so that no round has much to do. */
static void linear_gather(Linear *linear)
{
    const Surrogate *surrogate = &linear->surrogate;
    for (; linear->gathered < surrogate->answered && linear->gathered < surrogate->sample_count;
         linear->gathered++)
        linear_add(linear, linear->gathered);
}

/* Makes sum w (x_i - m_i)(x_k - m_k) and sum w (x_i - m_i)(y - m_y) of the sums, m the weighted means. */
static void linear_centre(Linear *linear)
{
    uint32_t count = linear->surrogate.study.text.feature_count;
    double sum = linear->weight_sum;
    linear->score_mean /= sum;
    for (uint32_t i = 0; i < count; i++) linear->means[i] /= sum;
    for (uint32_t i = 0; i < count; i++) {
        linear->targets[i] -= sum * linear->means[i] * linear->score_mean;
        for (uint32_t k = 0; k <= i; k++)
            linear->products[(size_t)i * count + k] -= sum * linear->means[i] * linear->means[k];
    }
}

static double product_of(const Linear *linear, uint32_t i, uint32_t k)
{
    size_t count = linear->surrogate.study.text.feature_count;
    return i >= k ? linear->products[i * count + k] : linear->products[k * count + i];
}

/* Solves (products + ridge I) solution = targets for the first `count` features of `order`. */
static void linear_solve(Linear *linear, uint32_t count, double ridge)
{
    double *solution = linear->solution;
    for (size_t i = 0; i < count; i++) {
        double *row = linear->factor + i * count;
        solution[i] = linear->targets[linear->surrogate.order[i]];
        for (size_t k = 0; k <= i; k++) {
            const double *other = linear->factor + k * count;
            double sum =
                product_of(linear, linear->surrogate.order[i], linear->surrogate.order[k]) + (i == k ? ridge : 0);
            for (size_t j = 0; j < k; j++) sum -= row[j] * other[j];
            row[k] = i == k ? sqrt(fmax(sum, ridge / 2)) : sum / other[k];
        }
        for (size_t k = 0; k < i; k++) solution[i] -= row[k] * solution[k];
        solution[i] /= row[i];
    }
    for (size_t i = count; i-- > 0;) {
        for (size_t k = i + 1; k < count; k++) solution[i] -= linear->factor[k * count + i] * solution[k];
        solution[i] /= linear->factor[i * count + i];
    }
}

/* Brings the `count` features of the greatest |solution| to the front of `order`, the greatest first. */
static void linear_order(Linear *linear, uint32_t total, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t best = i;
        for (uint32_t k = i + 1; k < total; k++) {
            if (fabs(linear->solution[k]) > fabs(linear->solution[best])) best = k;
        }
        uint32_t feature = linear->surrogate.order[best];
        double value = linear->solution[best];
        linear->surrogate.order[best] = linear->surrogate.order[i];
        linear->solution[best] = linear->solution[i];
        linear->surrogate.order[i] = feature;
        linear->solution[i] = value;
    }
}

static double linear_predict(const Linear *linear, uint32_t sample, uint32_t count)
{
    double score = linear->score_mean;
    for (uint32_t i = 0; i < count; i++) {
        double has = feature_set_has(&linear->surrogate.kept[sample], linear->surrogate.order[i]);
        score += linear->solution[i] * (has - linear->means[linear->surrogate.order[i]]);
    }
    return score;
}

/* R2 of the fresh samples, by the same weights. */
static float linear_fidelity(const Linear *linear, uint32_t count)
{
    const Surrogate *surrogate = &linear->surrogate;
    double sum = 0, scores = 0, squares = 0, errors = 0;
    for (uint32_t i = surrogate->sample_count; i < surrogate->count; i++) {
        double weight = weight_of(linear, i), score = (double)surrogate->answers[i].score;
        double error = score - linear_predict(linear, i, count);
        sum += weight;
        scores += weight * score;
        squares += weight * score * score;
        errors += weight * error * error;
    }
    double variance = sum > 0 ? squares - scores * scores / sum : 0;
    return variance > 1e-12 * squares ? (float)(1 - errors / variance) : 0;
}

static void linear_finish(Linear *linear)
{
    uint32_t total = linear->surrogate.study.text.feature_count;
    if (total == 0) return;
    uint32_t count = total < LINEAR_WEIGHTS ? total : LINEAR_WEIGHTS;
    linear_centre(linear);
    for (uint32_t i = 0; i < total; i++) linear->surrogate.order[i] = i;
    linear_solve(linear, total, SELECTION_RIDGE);
    linear_order(linear, total, count);
    linear_solve(linear, count, FINAL_RIDGE);
    linear_order(linear, count, count);
    for (uint32_t i = 0; i < count; i++) {
        linear->chosen[i] = linear->surrogate.order[i];
        linear->weights[i] = (float)linear->solution[i];
    }
    ExplainSurrogate *result = &linear->surrogate.result;
    result->features = linear->chosen;
    result->weights = linear->weights;
    result->feature_count = count;
    result->fidelity = linear_fidelity(linear, count);
}

static void linear_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    Linear *linear = (Linear *)study;
    surrogate_record(&linear->surrogate, last);
    bool asks = surrogate_ask_neighbours(&linear->surrogate);
    if (linear->surrogate.study.text.feature_count > 0) linear_gather(linear);
    if (!asks) linear_finish(linear);
    surrogate_round(&linear->surrogate, out_round);
}

static void *linear_lay_out(const void *spec, ExplainMemory *memory)
{
    const Surrogate *sized = spec;
    uint64_t features = sized->study.text.feature_count;
    Linear *linear = explain_take(memory, 1, sizeof *linear);
    Linear made = {.surrogate = *sized};
    surrogate_lay_out(&made.surrogate, memory);
    made.products = explain_take(memory, features * features, sizeof *made.products);
    made.factor = explain_take(memory, features * features, sizeof *made.factor);
    made.means = explain_take(memory, features, sizeof *made.means);
    made.targets = explain_take(memory, features, sizeof *made.targets);
    made.solution = explain_take(memory, features, sizeof *made.solution);
    if (linear) *linear = made;
    return linear;
}

/* Sums begin at 0. */
static void linear_begin(Surrogate *surrogate)
{
    Linear *linear = (Linear *)surrogate;
    size_t features = surrogate->study.text.feature_count;
    memset(linear->products, 0, features * features * sizeof *linear->products);
    memset(linear->means, 0, features * sizeof *linear->means);
    memset(linear->targets, 0, features * sizeof *linear->targets);
}

const SurrogateKind linear_kind = {linear_lay_out, linear_begin, linear_next};
