/* Attention's weights and the norms of weighted values against what transformers computes (attentions.bin, by
 * tests/golden/make_attentions.py), and every form, format and choice of heads against the weights as they are. */
#include "explain/attention.h"

#include "explain/value_norm.h"
#include "unit/encoder/golden.h"
#include "unit/explain/pooled.h"

#include <math.h>
#include <time.h>

static const Kernels *kernels; /* under test */
static unsigned seed;

static uint32_t random_below(uint32_t bound)
{
    return (uint32_t)rand_r(&seed) % bound;
}

typedef struct Expected {
    uint32_t index;
    uint32_t row_count;
    const uint32_t *rows;
    const float *weights; /* [runs][heads][rows][tokens] */
    const float *means;   /* [runs][heads][tokens] */
    const float *norms;   /* [2][tokens] */
} Expected;

typedef struct Model {
    const char *name;
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    uint32_t head_count;
    uint32_t run_count;
    char *bytes;
    uint32_t case_count;
    Expected cases[GOLDEN_CASES_MAX];
} Model;

static bool model_read(Model *model)
{
    Error error;
    char path[1024];
    size_t size;
    snprintf(path, sizeof path, "%s/golden/encoder/%s/attentions.bin", TESTS_DATA, model->name);
    if (!file_exists(path)) return false;
    golden_check(file_read(path, 1 << 20, &model->bytes, &size, &error), &error);
    const char *next = model->bytes;
    const char *end = next + size;
    model->case_count = *(const uint32_t *)golden_take(&next, end, 4);
    assert_in_range(model->case_count, 1, GOLDEN_CASES_MAX);
    size_t heads = (size_t)model->run_count * model->head_count;
    for (uint32_t i = 0; i < model->case_count; i++) {
        Expected *item = &model->cases[i];
        item->index = *(const uint32_t *)golden_take(&next, end, 4);
        item->row_count = *(const uint32_t *)golden_take(&next, end, 4);
        assert_true(item->index < model->golden.case_count);
        size_t tokens = model->golden.cases[item->index].sequence.token_count;
        item->rows = golden_take(&next, end, item->row_count * sizeof(uint32_t));
        item->weights = golden_take(&next, end, heads * item->row_count * tokens * sizeof(float));
        item->means = golden_take(&next, end, heads * tokens * sizeof(float));
        item->norms = golden_take(&next, end, 2 * tokens * sizeof(float));
    }
    assert_ptr_equal(next, end);
    return true;
}

static bool model_open(const char *name, Model *model)
{
    *model = (Model){.name = name};
    golden_open(name, &model->golden);
    golden_encoder_open(&model->golden, kernels, &model->encoder, &model->workspace);
    model->run_count = encoder_run_count(model->encoder);
    model->head_count = encoder_run_plan(model->encoder, 0)->head_count;
    return model_read(model);
}

static void model_close(Model *model)
{
    free(model->bytes);
    encoder_workspace_close(model->workspace);
    encoder_close(model->encoder);
    golden_close(&model->golden);
}

static bool first_row(const void *context, uint32_t row)
{
    (void)context;
    return row == 0;
}

static bool every_row(const void *context, uint32_t row)
{
    (void)context, (void)row;
    return true;
}

static bool every_third_row(const void *context, uint32_t row)
{
    (void)context;
    return row % 3 == 0;
}

static ExplainSequence sequence_of(const Model *model, const EncoderSequence *sequence,
                                   bool (*is_pooled)(const void *context, uint32_t row))
{
    return (ExplainSequence){.encoder = model->encoder,
                             .token_count = sequence->token_count,
                             .global_positions = sequence->global_positions,
                             .global_count = sequence->global_count,
                             .is_pooled = is_pooled};
}

/* Runs the case with somebody looking on. */
static void run_probed(Model *model, const EncoderSequence *sequence, EncoderProbe *probe)
{
    EncoderSequence probed = *sequence;
    probed.probe = probe;
    encoder_forward(model->encoder, model->workspace, NULL, &probed, 1);
}

/* What an arena of exactly the cost holds. */
static const ExplainWeights *explain(Model *model, const ExplainSpec *spec, const EncoderSequence *sequence,
                                     bool (*is_pooled)(const void *context, uint32_t row), Arena *arena,
                                     uint32_t *out_count)
{
    Error error;
    ExplainAttention *attention;
    const ExplainSequence explained = sequence_of(model, sequence, is_pooled);
    const ExplainAsked asked = {spec, &explained};
    ExplainAttentionCost cost = explain_attention_cost(&asked);
    PooledFan fan;
    pooled_fan_arena(&asked, cost.memory_bytes, arena);
    pooled_fan_open(&asked, arena, &fan);
    golden_check(explain_attention_open(&asked, fan.pooled, arena, &attention, &error), &error);
    run_probed(model, sequence, pooled_fan_probe(&fan, explain_attention_probe(attention)));
    const ExplainWeights *weights = explain_attention_weights(attention, out_count);
    uint64_t rows = 0;
    uint64_t entries = 0;
    for (uint32_t i = 0; i < *out_count; i++) {
        rows += weights[i].row_count;
        entries += weights[i].row_offsets ? weights[i].row_offsets[weights[i].row_count]
                                          : (uint64_t)weights[i].row_count * sequence->token_count;
    }
    assert_int_equal(*out_count, cost.weights_count);
    assert_int_equal(rows, cost.row_count);
    assert_true(entries <= cost.entry_count);
    if (weights->rows) assert_int_equal(entries, cost.entry_count);
    return weights;
}

typedef struct Greatest {
    double weight, norm;
    uint32_t models;
} Greatest;

static void compare(const Model *model, const char *what, const float *actual, const float *expected, size_t count,
                    double *greatest)
{
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)actual[i] - (double)expected[i]);
        difference /= fmax(1.0, fabs((double)expected[i]));
        if (!(difference <= 1e-5)) {
            fail_msg("%s, %s, %s %zu of %zu: %g instead of %g", model->name, kernels->name, what, i, count,
                     (double)actual[i], (double)expected[i]);
        }
        if (difference > *greatest) *greatest = difference;
    }
}

static void compare_case(Model *model, const Expected *expected, Greatest *greatest)
{
    const EncoderSequence *sequence = &model->golden.cases[expected->index].sequence;
    size_t tokens = sequence->token_count;
    Arena arena;
    uint32_t count;
    ExplainSpec spec = {
        .rows = EXPLAIN_ROWS_LISTED, .row_indices = expected->rows, .row_count = expected->row_count};
    const ExplainWeights *weights = explain(model, &spec, sequence, first_row, &arena, &count);
    assert_int_equal(count, model->run_count * model->head_count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(weights[i].layer, i / model->head_count);
        assert_int_equal(weights[i].head, i % model->head_count);
        compare(model, "weight", weights[i].weights, expected->weights + i * expected->row_count * tokens,
                expected->row_count * tokens, &greatest->weight);
    }
    arena_free(&arena);
    spec.rows = EXPLAIN_ROWS_POOLED;
    weights = explain(model, &spec, sequence, every_row, &arena, &count);
    for (uint32_t i = 0; i < count; i++)
        compare(model, "mean", weights[i].weights, expected->means + i * tokens, tokens, &greatest->weight);
    arena_free(&arena);
}

static void compare_norms(Model *model, const Expected *expected, uint32_t index,
                          bool (*is_pooled)(const void *context, uint32_t row), Greatest *greatest)
{
    Error error;
    Arena arena;
    ExplainValueNorm *norm;
    const ExplainSpec spec = {0};
    const EncoderSequence *sequence = &model->golden.cases[expected->index].sequence;
    const ExplainSequence explained = sequence_of(model, sequence, is_pooled);
    const ExplainAsked asked = {&spec, &explained};
    PooledFan fan;
    pooled_fan_arena(&asked, explain_value_norm_bytes(&asked), &arena);
    pooled_fan_open(&asked, &arena, &fan);
    golden_check(explain_value_norm_open(&asked, fan.pooled, &arena, &norm, &error), &error);
    run_probed(model, sequence, pooled_fan_probe(&fan, explain_value_norm_probe(norm)));
    compare(model, index ? "norm by the mean row" : "norm by the first row", explain_value_norm_scores(norm),
            expected->norms + (size_t)index * sequence->token_count, sequence->token_count, &greatest->norm);
    arena_free(&arena);
}

static void compare_model(const char *name, void *state)
{
    Greatest *greatest = state;
    Model model;
    greatest->models += model_open(name, &model);
    for (uint32_t i = 0; i < model.case_count; i++) {
        compare_case(&model, &model.cases[i], greatest);
        compare_norms(&model, &model.cases[i], 0, first_row, greatest);
        compare_norms(&model, &model.cases[i], 1, every_row, greatest);
    }
    model_close(&model);
}

static void weights_and_norms_are_those_of_transformers(void **state)
{
    (void)state;
    Greatest greatest = {0};
    golden_each(compare_model, &greatest);
    print_message("%u models: weights off by %.1e, norms by %.1e\n", greatest.models, greatest.weight,
                  greatest.norm);
    assert_true(greatest.models > 50);
}

/* ---- Forms ---- */

static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = (half & 1023) / 1024.0;
    return exponent ? ldexp(1.0 + fraction, exponent - 15) : ldexp(fraction, -14);
}

static double decoded(ExplainFormat format, const void *weights, size_t index)
{
    if (format == EXPLAIN_FLOAT16) return half_value(((const uint16_t *)weights)[index]);
    if (format == EXPLAIN_UINT8) return ((const uint8_t *)weights)[index] / 255.0;
    return (double)((const float *)weights)[index];
}

static double format_error(ExplainFormat format, double weight)
{
    if (format == EXPLAIN_FLOAT16) return 1e-6 + weight * 0x1p-11 + 0x1p-25;
    return format == EXPLAIN_UINT8 ? 1e-6 + 0.5 / 255.0 : 1e-6;
}

/* Rows of weights as they are, of all layers and heads: [run][head][row][tokens]. */
typedef struct Whole {
    const ExplainWeights *weights;
    uint32_t head_count;
    uint32_t token_count;
} Whole;

static double whole_weight(const Whole *whole, const ExplainSpec *spec, uint32_t run, uint32_t head, uint32_t row,
                           uint32_t key)
{
    double sum = 0.0;
    double greatest = 0.0;
    uint32_t count = spec->head_count ? spec->head_count : whole->head_count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t joined = spec->head_count ? spec->heads[i] : i;
        if (spec->aggregate == EXPLAIN_HEADS_EACH && joined != head) continue;
        const float *weights = whole->weights[run * whole->head_count + joined].weights;
        double weight = (double)weights[(size_t)row * whole->token_count + key];
        sum += weight;
        if (weight > greatest) greatest = weight;
    }
    if (spec->aggregate == EXPLAIN_HEADS_MAX) return greatest;
    return spec->aggregate == EXPLAIN_HEADS_MEAN ? sum / count : sum;
}

/* Each entry, and that none is missing that should be there. */
static void check_row(const Whole *whole, const ExplainSpec *spec, const ExplainWeights *weights, uint32_t row)
{
    uint32_t tokens = whole->token_count;
    size_t first = weights->row_offsets ? weights->row_offsets[row] : (size_t)row * tokens;
    size_t count = weights->row_offsets ? weights->row_offsets[row + 1] - first : tokens;
    double sum = 0.0;
    double least = 2.0;
    double greatest_left_out = 0.0;
    size_t next = 0;
    if (spec->form == EXPLAIN_FORM_TOP_K) assert_true(count <= spec->top_k);
    for (uint32_t key = 0; key < tokens; key++) {
        double expected = whole_weight(whole, spec, weights->layer, weights->head, row, key);
        if (next < count && (weights->columns ? weights->columns[first + next] : next) == key) {
            double actual = decoded(spec->format, weights->weights, first + next++);
            if (!(fabs(actual - expected) <= format_error(spec->format, expected)))
                fail_msg("form %d, format %d, heads %d, row %u, key %u: %g instead of %g", spec->form,
                         spec->format, spec->aggregate, row, key, actual, expected);
            sum += actual;
            if (expected < least) least = expected;
        } else if (expected > greatest_left_out)
            greatest_left_out = expected;
    }
    assert_int_equal(next, count);
    assert_true(fabs(1.0 - sum - (double)weights->dropped[row]) <= 1e-6);
    if (spec->form != EXPLAIN_FORM_TOP_K) assert_true(greatest_left_out == 0.0);
    if (spec->form == EXPLAIN_FORM_TOP_K && count == spec->top_k) assert_true(greatest_left_out <= least + 1e-6);
    if (spec->form == EXPLAIN_FORM_TOP_K && count < spec->top_k) assert_true(greatest_left_out == 0.0);
}

/* Some of `count` numbers, ascending; none: all. */
static uint32_t draw_list(uint32_t count, uint32_t *out_list)
{
    uint32_t drawn = 0;
    uint32_t sparsity = 1 + random_below(4);
    for (uint32_t i = 0; i < count; i++)
        if (random_below(sparsity) == 0) out_list[drawn++] = i;
    return random_below(3) ? drawn : 0;
}

static void check_spec(Model *model, const EncoderSequence *sequence, const ExplainSpec *spec,
                       bool (*is_pooled)(const void *context, uint32_t row))
{
    Arena whole_arena;
    Arena arena;
    uint32_t count;
    const ExplainSpec whole_spec = {
        .rows = spec->rows, .row_indices = spec->row_indices, .row_count = spec->row_count};
    const Whole whole = {.weights = explain(model, &whole_spec, sequence, is_pooled, &whole_arena, &count),
                         .head_count = model->head_count,
                         .token_count = sequence->token_count};
    const ExplainWeights *weights = explain(model, spec, sequence, is_pooled, &arena, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t layer = spec->aggregate == EXPLAIN_HEADS_EACH
                             ? i / (spec->head_count ? spec->head_count : model->head_count)
                             : i;
        assert_int_equal(weights[i].layer, spec->layer_count ? spec->layers[layer] : layer);
        for (uint32_t row = 0; row < weights[i].row_count; row++) check_row(&whole, spec, &weights[i], row);
    }
    arena_free(&arena);
    arena_free(&whole_arena);
}

static void check_forms(const char *name, void *state)
{
    static bool (*const poolings[])(const void *context, uint32_t row) = {first_row, every_row, every_third_row};
    Model model;
    (void)state;
    model_open(name, &model);
    for (int i = 0; i < 3; i++) {
        const EncoderSequence *sequence = &model.golden.cases[random_below(model.golden.case_count)].sequence;
        if (sequence->token_count > 330) continue;
        uint32_t layers[64], heads[64], rows[1100];
        ExplainSpec spec = {.layers = layers,
                            .layer_count = draw_list(model.run_count, layers),
                            .heads = heads,
                            .head_count = draw_list(model.head_count, heads),
                            .rows = (ExplainRows)random_below(3),
                            .row_indices = rows,
                            .row_count = draw_list(sequence->token_count, rows),
                            .form = (ExplainForm)random_below(3),
                            .top_k = 1 + random_below(random_below(2) ? 9 : 400),
                            .aggregate = (ExplainAggregate)random_below(3),
                            .format = (ExplainFormat)random_below(3)};
        if (spec.rows == EXPLAIN_ROWS_LISTED && spec.row_count == 0) rows[spec.row_count++] = 0;
        check_spec(&model, sequence, &spec, poolings[random_below(3)]);
    }
    model_close(&model);
}

static void forms_formats_and_heads_agree_with_the_weights_as_they_are(void **state)
{
    (void)state;
    golden_each(check_forms, NULL);
}

int main(void)
{
    seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_and_norms_are_those_of_transformers),
        cmocka_unit_test(forms_formats_and_heads_agree_with_the_weights_as_they_are),
    };
    int failed = 0;
    for (uint32_t variant = KERNELS_REFERENCE; variant <= KERNELS_AVX512; variant <<= 1) {
        if (!(kernels_available() & variant)) continue;
        kernels = kernels_select(variant);
        print_message("%s\n", kernels->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
