/* A regression tree of the text's neighbourhood (Breiman et al. 1984): each split is the one that leaves the least
 * variance. */
#include "explain/surrogate_state.h"

enum {
    TREE_DEPTH = 3,
    TREE_NODES = (2 << TREE_DEPTH) - 1,
    LEAF_PART = 100, /* a leaf has at least a hundredth of the samples, */
    LEAF_SAMPLES_MIN = 2,
};
/* A split explains at least this part of all variance: less is what samples do by chance, or rounding. */
#define GAIN_MIN 1e-3

typedef struct Tree {
    Surrogate surrogate;   /* first */
    uint32_t *samples;     /* [sample_count]: those of a node stand together */
    double *sums;          /* [features]: of the scores of a node's samples that have the feature */
    uint32_t *counts;      /* [features]: those samples */
    double gain_least;     /* GAIN_MIN of the variance, times the samples */
    uint32_t leaf_samples; /* at least */
    ExplainNode nodes[TREE_NODES];
    bool agrees[TREE_NODES]; /* most of the node's samples do */
    uint32_t node_count;
} Tree;

/* A node's samples: tree->samples[begin .. end). */
typedef struct NodeSamples {
    uint32_t begin;
    uint32_t end;
    double sum;
} NodeSamples;

static double score_of(const Tree *tree, uint32_t at)
{
    return (double)tree->surrogate.answers[tree->samples[at]].score;
}

static const FeatureSet *kept_of(const Tree *tree, uint32_t at)
{
    return &tree->surrogate.kept[tree->samples[at]];
}

static void tree_count(Tree *tree, const NodeSamples *node)
{
    uint32_t feature_count = tree->surrogate.study.text.feature_count;
    for (uint32_t i = 0; i < feature_count; i++) {
        tree->sums[i] = 0;
        tree->counts[i] = 0;
    }
    for (uint32_t at = node->begin; at < node->end; at++) {
        for (uint32_t i = 0; i < feature_count; i++) {
            bool has = feature_set_has(kept_of(tree, at), i);
            tree->sums[i] += has ? score_of(tree, at) : 0;
            tree->counts[i] += has;
        }
    }
}

/* The feature that splits best; -1: none is worth it. Variance falls by s1^2/n1 + s0^2/n0 - s^2/n, over n. */
static int32_t tree_split(Tree *tree, const NodeSamples *node)
{
    uint32_t count = node->end - node->begin;
    double best_gain = tree->gain_least;
    int32_t best = -1;
    tree_count(tree, node);
    for (uint32_t i = 0; i < tree->surrogate.study.text.feature_count; i++) {
        uint32_t with = tree->counts[i], without = count - with;
        if (with < tree->leaf_samples || without < tree->leaf_samples) continue;
        double rest = node->sum - tree->sums[i];
        double gain = tree->sums[i] * tree->sums[i] / with + rest * rest / without - node->sum * node->sum / count;
        if (gain > best_gain) {
            best_gain = gain;
            best = (int32_t)i;
        }
    }
    return best;
}

/* Moves the samples with `feature` to the front; returns where the others begin. */
static uint32_t tree_partition(Tree *tree, const NodeSamples *node, uint32_t feature)
{
    uint32_t middle = node->begin;
    for (uint32_t at = node->begin; at < node->end; at++) {
        if (!feature_set_has(kept_of(tree, at), feature)) continue;
        uint32_t sample = tree->samples[at];
        tree->samples[at] = tree->samples[middle];
        tree->samples[middle++] = sample;
    }
    return middle;
}

/* Returns the node's place; recursion is TREE_DEPTH deep. */
static int32_t tree_grow(Tree *tree, uint32_t begin, uint32_t end, unsigned depth)
{
    NodeSamples samples = {begin, end, 0};
    uint32_t agreeing = 0;
    for (uint32_t at = begin; at < end; at++) {
        samples.sum += score_of(tree, at);
        agreeing += tree->surrogate.answers[tree->samples[at]].agrees;
    }
    int32_t place = (int32_t)tree->node_count++;
    ExplainNode node = {-1, -1, -1, (float)(samples.sum / (end - begin)), end - begin};
    tree->agrees[place] = 2 * agreeing >= end - begin;
    if (depth < TREE_DEPTH) node.feature = tree_split(tree, &samples);
    if (node.feature >= 0) {
        uint32_t middle = tree_partition(tree, &samples, (uint32_t)node.feature);
        node.if_true = tree_grow(tree, begin, middle, depth + 1);
        node.if_false = tree_grow(tree, middle, end, depth + 1);
    }
    tree->nodes[place] = node;
    return place;
}

static bool tree_says(const Tree *tree, const FeatureSet *kept)
{
    int32_t at = 0;
    while (tree->nodes[at].feature >= 0) {
        const ExplainNode *node = &tree->nodes[at];
        at = feature_set_has(kept, (uint32_t)node->feature) ? node->if_true : node->if_false;
    }
    return tree->agrees[at];
}

/* The part of the fresh samples whose label it foretells; of none, 1: there was nothing to foretell. */
static float tree_fidelity(const Tree *tree)
{
    const Surrogate *surrogate = &tree->surrogate;
    uint32_t right = 0, count = surrogate->count - surrogate->sample_count;
    if (surrogate->count <= surrogate->sample_count) return 1;
    for (uint32_t i = surrogate->sample_count; i < surrogate->count; i++)
        right += tree_says(tree, &surrogate->kept[i]) == surrogate->answers[i].agrees;
    return (float)right / (float)count;
}

static void tree_finish(Tree *tree)
{
    uint32_t count = tree->surrogate.count, made_of = tree->surrogate.sample_count;
    if (count > made_of) count = made_of; /* the rest is to measure with */
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) {
        tree->samples[i] = i;
        sum += score_of(tree, i);
        squares += score_of(tree, i) * score_of(tree, i);
    }
    tree->gain_least = GAIN_MIN * (squares - sum * sum / count) + 1e-12 * squares;
    tree->leaf_samples = count / LEAF_PART > LEAF_SAMPLES_MIN ? count / LEAF_PART : LEAF_SAMPLES_MIN;
    (void)tree_grow(tree, 0, count, 0);
    ExplainSurrogate *result = &tree->surrogate.result;
    result->nodes = tree->nodes;
    result->node_count = tree->node_count;
    result->fidelity = tree_fidelity(tree);
}

static void tree_next(Study *study, const StudyRound *last, StudyRound *out_round)
{
    Tree *tree = (Tree *)study;
    surrogate_record(&tree->surrogate, last);
    if (!surrogate_ask_neighbours(&tree->surrogate)) tree_finish(tree);
    surrogate_round(&tree->surrogate, out_round);
}

static void *tree_lay_out(const void *spec, ExplainMemory *memory)
{
    const Surrogate *sized = spec;
    uint32_t features = sized->study.text.feature_count;
    Tree *tree = explain_take(memory, 1, sizeof *tree);
    Tree made = {.surrogate = *sized};
    surrogate_lay_out(&made.surrogate, memory);
    made.samples = explain_take(memory, sized->sample_count, sizeof *made.samples);
    made.sums = explain_take(memory, features, sizeof *made.sums);
    made.counts = explain_take(memory, features, sizeof *made.counts);
    if (tree) *tree = made;
    return tree;
}

const SurrogateKind tree_kind = {tree_lay_out, NULL, tree_next};
