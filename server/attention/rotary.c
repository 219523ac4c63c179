/* Rotary position embeddings: frequencies by the rules of transformers' modeling_rope_utils, and a table of cosines and
 * sines of the first positions. Numbers of the configuration are double, as Python's; everything that is a tensor there
 * is float here, operation by operation. */
#include "attention/rotary.h"

#include "base/limits.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static const double PI = 3.14159265358979323846;

struct Rotary {
    RotaryPlan plan;
    uint32_t half;   /* pairs of dimensions */
    float magnitude; /* what cosines and sines are multiplied by */
    uint32_t table_count;
    float *table;        /* [table_count][cosines, sines][half] */
    float frequencies[]; /* [half] */
};

/* theta^(2 i / size), rounded as torch.pow rounds it. */
static float rotary_power(const RotaryPlan *plan, double theta, uint32_t i)
{
    float exponent = (float)(2 * i) / (float)plan->size;
    return (float)pow((double)(float)theta, (double)exponent);
}

static double rotary_mscale(double factor, double mscale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* YaRN's factor, which may be left to the lengths. */
static double rotary_yarn_factor(const RotaryPlan *plan)
{
    return plan->factor != 0.0 ? plan->factor : (double)plan->position_count / plan->original_position_count;
}

static double rotary_magnitude(const RotaryPlan *plan)
{
    if (plan->scaling != ROTARY_YARN) return 1.0;
    double factor = rotary_yarn_factor(plan);
    if (plan->attention_factor != 0.0) return plan->attention_factor;
    if (plan->mscale != 0.0 && plan->mscale_all_dim != 0.0)
        return rotary_mscale(factor, plan->mscale) / rotary_mscale(factor, plan->mscale_all_dim);
    return rotary_mscale(factor, 1.0);
}

/* YaRN: the dimension that turns `rotations` times within the original length. */
static double rotary_yarn_dimension(const RotaryPlan *plan, double rotations)
{
    return plan->size * log(plan->original_position_count / (rotations * 2.0 * PI)) / (2.0 * log(plan->theta));
}

static float rotary_yarn(const RotaryPlan *plan, uint32_t i)
{
    double low = rotary_yarn_dimension(plan, plan->beta_fast != 0.0 ? plan->beta_fast : 32.0);
    double high = rotary_yarn_dimension(plan, plan->beta_slow != 0.0 ? plan->beta_slow : 1.0);
    if (!isfinite(low) || !isfinite(high)) return NAN;
    if (!plan->no_truncation) {
        low = floor(low);
        high = ceil(high);
    }
    if (low < 0.0) low = 0.0;
    if (high > plan->size - 1.0) high = plan->size - 1.0;
    if (low == high) high += 0.001;
    float ramp = ((float)i - (float)low) / (float)(high - low);
    float kept = 1.0f - (ramp < 0.0f ? 0.0f : ramp > 1.0f ? 1.0f : ramp);
    float power = rotary_power(plan, plan->theta, i);
    float stretched = 1.0f / ((float)rotary_yarn_factor(plan) * power);
    return stretched * (1.0f - kept) + 1.0f / power * kept;
}

static float rotary_llama3(const RotaryPlan *plan, uint32_t i)
{
    double length = plan->original_position_count;
    float frequency = 1.0f / rotary_power(plan, plan->theta, i);
    float wave = 1.0f / frequency * (float)(2.0 * PI);
    if (wave > (float)(length / plan->low_frequency_factor)) return frequency / (float)plan->factor;
    if (wave < (float)(length / plan->high_frequency_factor)) return frequency;
    float smooth = (1.0f / wave * (float)length - (float)plan->low_frequency_factor) /
                   (float)(plan->high_frequency_factor - plan->low_frequency_factor);
    return (1.0f - smooth) * frequency / (float)plan->factor + smooth * frequency;
}

/* Dynamic NTK's theta for texts up to the trained length, in double, and for longer ones, in float. */
static double rotary_dynamic_theta(const RotaryPlan *plan, uint32_t length)
{
    double exponent = plan->size / (plan->size - 2.0);
    double trained = plan->position_count;
    if (length <= plan->position_count)
        return plan->theta * pow(plan->factor * trained / trained - (plan->factor - 1.0), exponent);
    float stretch = (float)plan->factor * (float)length / (float)trained - (float)(plan->factor - 1.0);
    return (double)((float)plan->theta * (float)pow((double)stretch, exponent));
}

/* Writes the frequencies of texts of `length` tokens. */
static void rotary_fill_frequencies(const RotaryPlan *plan, uint32_t length, float *out)
{
    for (uint32_t i = 0; i < plan->size / 2; i++) switch (plan->scaling) {
        case ROTARY_DEFAULT:
            out[i] = 1.0f / rotary_power(plan, plan->theta, i);
            break;
        case ROTARY_LINEAR:
            out[i] = 1.0f / rotary_power(plan, plan->theta, i) / (float)plan->factor;
            break;
        case ROTARY_NTK:
            out[i] = 1.0f / rotary_power(plan, plan->theta * plan->factor, i) /
                     (float)pow(plan->factor, 2.0 / plan->size);
            break;
        case ROTARY_DYNAMIC:
            out[i] = 1.0f / rotary_power(plan, rotary_dynamic_theta(plan, length), i);
            break;
        case ROTARY_YARN:
            out[i] = rotary_yarn(plan, i);
            break;
        case ROTARY_LLAMA3:
            out[i] = rotary_llama3(plan, i);
            break;
        }
}

/* Writes the cosines and sines of one position. */
static void rotary_fill_row(const Rotary *rotary, const float *frequencies, uint32_t position, float *out)
{
    for (uint32_t i = 0; i < rotary->half; i++) {
        float angle = (float)position * frequencies[i];
        out[i] = cosf(angle) * rotary->magnitude;
        out[rotary->half + i] = sinf(angle) * rotary->magnitude;
    }
}

static bool rotary_finite(const Rotary *rotary)
{
    for (uint32_t i = 0; i < rotary->half; i++)
        if (!isfinite(rotary->frequencies[i])) return false;
    return isfinite(rotary->magnitude);
}

CHECKED Status rotary_open(const RotaryPlan *plan, Rotary **out_rotary, Error *out_error)
{
    assert(plan->size >= 2 && plan->size % 2 == 0);
    Status status = STATUS_NO_MEMORY;
    if (plan->size > ROTARY_SIZE_MAX || (plan->scaling == ROTARY_DYNAMIC && plan->size == 2))
        return error_set(out_error, STATUS_UNSUPPORTED, "Rotary embeddings of %u dimensions are not supported",
                         plan->size);
    size_t half = plan->size / 2;
    size_t row_bytes = plan->size * sizeof(float);
    Rotary *rotary = calloc(1, sizeof *rotary + half * sizeof *rotary->frequencies);
    if (!rotary) goto fail;
    rotary->plan = *plan;
    rotary->half = (uint32_t)half;
    rotary->magnitude = (float)rotary_magnitude(plan);
    rotary_fill_frequencies(plan, 1, rotary->frequencies);
    status = STATUS_UNSUPPORTED;
    if (!rotary_finite(rotary)) goto fail;
    status = STATUS_NO_MEMORY;
    rotary->table_count = plan->position_count;
    if (rotary->table_count > ROTARY_TABLE_BYTES_MAX / row_bytes)
        rotary->table_count = (uint32_t)(ROTARY_TABLE_BYTES_MAX / row_bytes);
    rotary->table = malloc((rotary->table_count + 1) * row_bytes);
    if (!rotary->table) goto fail;
    for (uint32_t i = 0; i < rotary->table_count; i++)
        rotary_fill_row(rotary, rotary->frequencies, i, rotary->table + (size_t)i * plan->size);
    *out_rotary = rotary;
    return STATUS_OK;
fail:
    rotary_close(rotary);
    if (status == STATUS_NO_MEMORY) return error_set(out_error, status, "No memory for rotary embeddings");
    return error_set(out_error, status, "The configuration's rotary frequencies are not finite");
}

void rotary_close(Rotary *rotary)
{
    if (!rotary) return;
    free(rotary->table);
    free(rotary);
}

uint64_t rotary_bytes(const Rotary *rotary)
{
    if (!rotary) return 0;
    uint64_t table = (rotary->table_count + (uint64_t)1) * rotary->plan.size * sizeof *rotary->table;
    return table + sizeof *rotary + rotary->half * sizeof *rotary->frequencies;
}

/* The frequencies for a text of `length` tokens: the table's, or others, which may be written to `buffer`. */
static const float *rotary_frequencies(const Rotary *rotary, uint32_t length, float *buffer)
{
    const RotaryPlan *plan = &rotary->plan;
    if (plan->scaling != ROTARY_DYNAMIC || length <= plan->position_count) return rotary->frequencies;
    rotary_fill_frequencies(plan, length, buffer);
    return buffer;
}

void rotary_apply(const Rotary *rotary, const Kernels *kernels, const RotaryRows *rows)
{
    float buffer[ROTARY_SIZE_MAX / 2];
    float turn[ROTARY_SIZE_MAX];
    const float *frequencies = rotary_frequencies(rotary, rows->token_count, buffer);
    uint32_t table_count = frequencies == rotary->frequencies ? rotary->table_count : 0;
    for (uint32_t i = 0; i < rows->row_count; i++) {
        uint32_t position = rows->first + i;
        const float *row = rotary->table + (size_t)position * rotary->plan.size;
        if (position >= table_count) {
            rotary_fill_row(rotary, frequencies, position, turn);
            row = turn;
        }
        kernels->rotate_heads(rows->rows + i * rows->stride, rows->head_count, rows->head_size, row,
                              row + rotary->half, rotary->half);
    }
}
