/* Biases by distance, and windows: a line of values, one for each diagonal of a tile. */
#include "attention/bias.h"

static uint32_t bias_size(int64_t distance)
{
    return (uint32_t)(distance < 0 ? -distance : distance);
}

static void bias_none(const AttentionPlan *plan, uint32_t head, int64_t first, uint32_t count, float *line)
{
    (void)plan, (void)head, (void)first;
    for (uint32_t i = 0; i < count; i++) line[i] = 0.0f;
}

static void bias_alibi(const AttentionPlan *plan, uint32_t head, int64_t first, uint32_t count, float *line)
{
    float slope = -plan->bias.slopes[head];
    for (uint32_t i = 0; i < count; i++) line[i] = slope * (float)bias_size(first + i);
}

static void bias_relative(const AttentionPlan *plan, uint32_t head, int64_t first, uint32_t count, float *line)
{
    int64_t reach = plan->bias.reach;
    const float *table = plan->bias.table + (size_t)head * (2 * plan->bias.reach + 1) + reach;
    for (uint32_t i = 0; i < count; i++) {
        int64_t distance = first + i;
        line[i] = table[distance < -reach ? -reach : distance > reach ? reach : distance];
    }
}

/* Writes the biases of the distances key - query from `first` on. */
typedef void (*BiasLine)(const AttentionPlan *plan, uint32_t head, int64_t first, uint32_t count, float *line);

static const BiasLine bias_lines[] = {
    [ATTENTION_BIAS_NONE] = bias_none,
    [ATTENTION_BIAS_ALIBI] = bias_alibi,
    [ATTENTION_BIAS_RELATIVE] = bias_relative,
    [ATTENTION_BIAS_DISENTANGLED] = bias_none, /* its terms are no function of the distance alone */
};

/* As bias_add, of keys that follow each other. */
static float bias_add_run(const Kernels *kernels, const AttentionPlan *plan, uint32_t head, const ScoreBlock *tile,
                          uint32_t reach, float *scores)
{
    BiasLine fill = bias_lines[plan->bias.kind];
    int64_t first = (int64_t)tile->key - tile->query - (tile->queries - 1);
    int64_t last = (int64_t)tile->key - tile->query + (tile->keys - 1);
    bool hides = bias_size(first) > reach || bias_size(last) > reach;
    if (fill == bias_none && !hides) return plan->scale;
    float line[TILE_DISTANCES];
    uint32_t count = tile->queries + tile->keys - 1;
    fill(plan, head, first, count, line);
    for (uint32_t i = 0; hides && i < count; i++)
        if (bias_size(first + i) > reach) line[i] = SCORE_HIDDEN;
    kernels->diagonals_add(scores, TILE_KEYS, tile->queries, tile->keys, plan->scale, line);
    return 1.0f;
}

float bias_add(const Kernels *kernels, const AttentionPlan *plan, uint32_t head, const ScoreBlock *tile,
               float *scores)
{
    if (!tile->positions) return bias_add_run(kernels, plan, head, tile, plan->window_reach, scores);
    float scale = plan->scale;
    for (uint32_t key = 0, end; key < tile->keys; key = end) {
        ScoreBlock run = {.query = tile->query, .queries = tile->queries, .key = tile->positions[key]};
        for (end = key + 1; end < tile->keys && tile->positions[end] == run.key + (end - key); end++) continue;
        run.keys = end - key;
        scale = bias_add_run(kernels, plan, head, &run, ATTENTION_UNLIMITED, scores + key);
    }
    return scale;
}
