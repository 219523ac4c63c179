/* The forward pass against transformers' hidden states, and against itself in other company. */
#include "unit/encoder/golden.h"

#include "base/file.h"
#include "unit/kernels/openblas.h"

#include <math.h>
#include <time.h>

enum { PACKINGS = 6, SEQUENCES_MAX = 2 * GOLDEN_CASES_MAX };

static const float HIDDEN_TOLERANCE = 2e-5f;

static const uint32_t variants[] = {KERNELS_REFERENCE, KERNELS_AVX2, KERNELS_AVX512};

enum { VARIANT_COUNT = sizeof variants / sizeof *variants };

/* Of the values of some rows, and of one value of every row where the trace was kept. */
static float greatest_difference(const GoldenCase *item, const float *hidden, size_t size)
{
    float greatest = 0.0f;
    for (uint32_t row = 0; row < item->row_count; row++)
        for (size_t i = 0; i < size; i++) {
            float difference = fabsf(hidden[item->rows[row] * size + i] - item->hidden[row * size + i]);
            if (!(difference <= greatest)) greatest = difference;
        }
    for (uint32_t row = 0; item->trace && row < item->sequence.token_count; row++) {
        float difference = fabsf(hidden[row * size + row % size] - item->trace[row]);
        if (!(difference <= greatest)) greatest = difference;
    }
    return greatest;
}

static void compare_with_transformers(const Golden *golden, const char *name, const Kernels *kernels)
{
    Encoder *encoder;
    EncoderWorkspace *workspace;
    golden_encoder_open(golden, kernels, &encoder, &workspace);
    size_t size = checkpoint_config(golden->checkpoint)->hidden_size;
    float greatest = 0.0f;
    for (uint32_t i = 0; i < golden->case_count; i++) {
        const float *hidden = encoder_forward(encoder, workspace, NULL, &golden->cases[i].sequence, 1);
        float difference = greatest_difference(&golden->cases[i], hidden, size);
        if (!(difference <= HIDDEN_TOLERANCE))
            fail_msg("%s, %s, case %u: differs by %g", name, kernels_describe(kernels), i, (double)difference);
        if (difference > greatest) greatest = difference;
    }
    print_message("%-32s %-20s max abs %.2e\n", name, kernels_describe(kernels), (double)greatest);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
}

static void compare_model(const char *name, void *state)
{
    (void)state;
    Golden golden;
    golden_open(name, &golden);
    for (int v = 0; v < VARIANT_COUNT; v++)
        if (variants[v] & kernels_available())
            compare_with_transformers(&golden, name, kernels_select(variants[v]));
    golden_close(&golden);
}

static void hidden_states_equal_transformers(void **state)
{
    (void)state;
    golden_each(compare_model, NULL);
}

static void compare_model_with(const char *name, void *kernels)
{
    Golden golden;
    golden_open(name, &golden);
    compare_with_transformers(&golden, name, kernels);
    golden_close(&golden);
}

static void hidden_states_with_openblas_equal_transformers(void **state)
{
    (void)state;
    golden_each(compare_model_with, (void *)openblas_kernels());
}

static void compare_packing(const Golden *golden, const Encoder *encoder, EncoderWorkspace *workspace,
                            const uint32_t *order, uint32_t count, float *const *alone)
{
    EncoderSequence sequences[GOLDEN_CASES_MAX];
    for (uint32_t i = 0; i < count; i++) sequences[i] = golden->cases[order[i]].sequence;
    const float *hidden = encoder_forward(encoder, workspace, NULL, sequences, count);
    size_t size = checkpoint_config(golden->checkpoint)->hidden_size;
    for (uint32_t i = 0; i < count; i++) {
        size_t floats = sequences[i].token_count * size;
        assert_memory_equal(hidden, alone[order[i]], floats * sizeof *hidden);
        hidden += floats;
    }
}

static void compare_random_packings(const Golden *golden, const Kernels *kernels, unsigned *seed)
{
    Encoder *encoder;
    EncoderWorkspace *workspace;
    golden_encoder_open(golden, kernels, &encoder, &workspace);
    size_t size = checkpoint_config(golden->checkpoint)->hidden_size;
    float *alone[GOLDEN_CASES_MAX];
    uint32_t order[GOLDEN_CASES_MAX];
    for (uint32_t i = 0; i < golden->case_count; i++) {
        size_t bytes = golden->cases[i].sequence.token_count * size * sizeof(float);
        alone[i] = malloc(bytes);
        assert_non_null(alone[i]);
        memcpy(alone[i], encoder_forward(encoder, workspace, NULL, &golden->cases[i].sequence, 1), bytes);
        order[i] = i;
    }
    for (int packing = 0; packing < PACKINGS; packing++) {
        for (uint32_t i = golden->case_count; i > 1; i--) {
            uint32_t other = (uint32_t)rand_r(seed) % i;
            uint32_t swapped = order[i - 1];
            order[i - 1] = order[other];
            order[other] = swapped;
        }
        uint32_t count = packing == 0 ? golden->case_count : 1 + (uint32_t)rand_r(seed) % golden->case_count;
        compare_packing(golden, encoder, workspace, order, count, alone);
    }
    for (uint32_t i = 0; i < golden->case_count; i++) free(alone[i]);
    encoder_workspace_close(workspace);
    encoder_close(encoder);
}

static void pack_model(const char *name, void *seed)
{
    Golden golden;
    golden_open(name, &golden);
    for (int v = 0; v < VARIANT_COUNT; v++)
        if (variants[v] & kernels_available()) compare_random_packings(&golden, kernels_select(variants[v]), seed);
    golden_close(&golden);
}

static void a_sequence_has_the_same_bits_in_any_batch(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    golden_each(pack_model, &seed);
}

static void work_grows_with_products_and_with_attention(void **state)
{
    (void)state;
    Golden golden;
    Encoder *encoder;
    EncoderWorkspace *workspace;
    golden_open("bert/one_head", &golden);
    golden_encoder_open(&golden, kernels_select(KERNELS_REFERENCE), &encoder, &workspace);
    const ModelConfig *config = checkpoint_config(golden.checkpoint);
    uint64_t hidden = config->hidden_size;
    uint64_t row = 2 * (4 * hidden * hidden + 2 * hidden * config->intermediate_size);
    assert_int_equal(encoder_work(encoder, 1, 0), config->layer_count * (row + 4 * hidden));
    assert_int_equal(encoder_work(encoder, 10, 0), config->layer_count * (10 * row + 400 * hidden));
    encoder_workspace_close(workspace);
    encoder_close(encoder);
    golden_close(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_states_equal_transformers),
        cmocka_unit_test(hidden_states_with_openblas_equal_transformers),
        cmocka_unit_test(a_sequence_has_the_same_bits_in_any_batch),
        cmocka_unit_test(work_grows_with_products_and_with_attention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
