#include "explain/row_format.h"

#include <math.h>
#include <string.h>

size_t row_format_size(ExplainFormat format)
{
    switch (format) {
    case EXPLAIN_FLOAT16:
        return sizeof(uint16_t);
    case EXPLAIN_UINT8:
        return sizeof(uint8_t);
    default:
        return sizeof(float);
    }
}

uint32_t row_format_count(const ExplainSpec *spec, uint32_t token_count, uint32_t key_count)
{
    if (spec->form == EXPLAIN_FORM_DENSE) return token_count;
    return spec->form == EXPLAIN_FORM_TOP_K && spec->top_k < key_count ? spec->top_k : key_count;
}

void row_format_join(const ExplainSpec *spec, uint32_t head_count, uint32_t index, const float *weights,
                     size_t count, float *joined)
{
    float share = 1.0f / (float)head_count;
    if (index == 0) memset(joined, 0, count * sizeof *joined);
    for (size_t i = 0; i < count; i++) {
        if (spec->aggregate == EXPLAIN_HEADS_MEAN)
            joined[i] += share * weights[i];
        else if (!(weights[i] <= joined[i]))
            joined[i] = weights[i];
    }
}

/* The half nearest to a weight, ties to even, in *out_seen as a float. */
static uint16_t format_half(float weight, float *out_seen)
{
    const float step = 0x1p-24f; /* of halves below 2^-14 */
    if (weight < 0x1p-14f) {
        float steps = rintf(weight / step);
        *out_seen = steps * step;
        return (uint16_t)steps;
    }
    uint32_t bits;
    memcpy(&bits, &weight, sizeof bits);
    bits = (bits + 0xFFF + (bits >> 13 & 1)) & ~(uint32_t)0x1FFF;
    memcpy(out_seen, &bits, sizeof bits);
    return isfinite(*out_seen) ? (uint16_t)((bits >> 13) - (112u << 10)) : 0x7E00; /* NaN */
}

/* Puts a weight at `index` of a list and returns what a reader sees. */
static double format_store(ExplainFormat format, void *list, size_t index, float weight)
{
    float seen = weight;
    switch (format) {
    case EXPLAIN_FLOAT16:
        ((uint16_t *)list)[index] = format_half(weight, &seen);
        return (double)seen;
    case EXPLAIN_UINT8: {
        float rounded = roundf(255.0f * weight);
        uint8_t level = rounded >= 0.0f ? (uint8_t)(rounded > 255.0f ? 255.0f : rounded) : 0;
        ((uint8_t *)list)[index] = level;
        return level / 255.0;
    }
    default:
        ((float *)list)[index] = weight;
        return (double)weight;
    }
}

static uint32_t format_column(const FormatRow *row, uint32_t place)
{
    return row->keys ? row->keys[place] : place;
}

static double format_dense(ExplainFormat format, const FormatRow *row, const FormatPlace *place)
{
    double sum = 0.0;
    size_t size = row_format_size(format);
    if (row->keys) memset((char *)place->weights + place->first * size, 0, row->token_count * size);
    for (uint32_t i = 0; i < row->key_count; i++)
        sum += format_store(format, place->weights, place->first + format_column(row, i), row->weights[i]);
    return sum;
}

/* Of equal weights, the one in front is the greater. */
static bool format_less(const float *weights, uint32_t a, uint32_t b)
{
    return weights[a] < weights[b] || (weights[a] == weights[b] && a > b);
}

/* Lets the place `at` of a heap with the least in front sink. */
static void format_sink(const float *weights, uint32_t *heap, uint32_t count, uint32_t at)
{
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && format_less(weights, heap[child + 1], heap[child])) child++;
        if (!format_less(weights, heap[child], heap[at])) return;
        uint32_t sunk = heap[at];
        heap[at] = heap[child];
        heap[child] = sunk;
    }
}

/* Makes chosen[count] the places of the greatest weights, the least of them in front. */
static void format_choose(const FormatRow *row, uint32_t count)
{
    uint32_t *heap = row->chosen;
    for (uint32_t i = 0; i < count; i++) heap[i] = i;
    for (uint32_t i = count / 2; i-- > 0;) format_sink(row->weights, heap, count, i);
    for (uint32_t i = count; i < row->key_count; i++) {
        if (!format_less(row->weights, heap[0], i)) continue;
        heap[0] = i;
        format_sink(row->weights, heap, count, 0);
    }
}

static double format_top(ExplainFormat format, const FormatRow *row, const FormatPlace *place)
{
    double sum = 0.0;
    uint32_t count = 0;
    format_choose(row, place->column_count);
    for (uint32_t i = 0; i < row->key_count; i++) {
        if (format_less(row->weights, i, row->chosen[0])) continue;
        place->columns[count] = format_column(row, i);
        sum += format_store(format, place->weights, place->first + count++, row->weights[i]);
    }
    return sum;
}

static double format_sparse(ExplainFormat format, const FormatRow *row, const FormatPlace *place)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < place->column_count; i++)
        sum += format_store(format, place->weights, place->first + i,
                            row->weights[row->keys ? i : place->columns[i]]);
    return sum;
}

void row_format_write(const ExplainSpec *spec, const FormatRow *row, const FormatPlace *place)
{
    double sum = 0.0;
    switch (spec->form) {
    case EXPLAIN_FORM_DENSE:
        sum = format_dense(spec->format, row, place);
        break;
    case EXPLAIN_FORM_TOP_K:
        sum = format_top(spec->format, row, place);
        break;
    case EXPLAIN_FORM_SPARSE:
        sum = format_sparse(spec->format, row, place);
        break;
    }
    *place->dropped = (float)(1.0 - sum);
}
