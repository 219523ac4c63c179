#include "explain/path.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The points of a path, in the order in which they are visited: its two ends, where values alone are asked for, then
 * those in between. Gradient x input has one, the text itself. */
enum { PATH_ENDS = 2 };

struct Path {
    PathSpec spec;
    GradientBatch *batch;
    uint32_t copy_count; /* of a batch */
    uint32_t next;       /* point */
    uint32_t count;      /* of those on their way back; 0: none are */
    float *text;         /* [tokens][E] */
    float *baseline;     /* likewise; NULL: zero */
    double *places;      /* [points] between the baseline, 0, and the text, 1 */
    double *weights;     /* [points], together 1 */
    double *sums;        /* [tokens] of the products so far */
    float *scores;       /* [tokens] */
    float ends[PATH_ENDS];
};

static uint32_t path_end_count(const PathSpec *spec)
{
    return spec->baseline ? PATH_ENDS : 0;
}

static uint32_t path_point_count(const PathSpec *spec)
{
    return spec->baseline ? spec->point_count : 1;
}

static uint32_t path_copies(const PathSpec *spec)
{
    return gradient_batch_copies(spec->sequence.token_count, path_point_count(spec));
}

static size_t path_size(const PathSpec *spec)
{
    return (size_t)spec->sequence.token_count * encoder_word_size(spec->encoder);
}

/* `asked`: a PathSpec. */
static void *path_lay_out(const void *asked, ExplainMemory *memory)
{
    const PathSpec *spec = asked;
    uint32_t token_count = spec->sequence.token_count;
    Path *path = explain_take(memory, 1, sizeof *path);
    Path made = {.spec = *spec, .copy_count = path_copies(spec)};
    made.text = explain_take(memory, path_size(spec), sizeof(float));
    if (spec->baseline) made.baseline = explain_take(memory, path_size(spec), sizeof(float));
    made.places = explain_take(memory, path_point_count(spec), sizeof(double));
    made.weights = explain_take(memory, path_point_count(spec), sizeof(double));
    made.sums = explain_take(memory, token_count, sizeof(double));
    made.scores = explain_take(memory, token_count, sizeof(float));
    made.batch = gradient_batch_take(spec->encoder, &spec->sequence, made.copy_count, memory);
    if (path) *path = made;
    return path;
}

uint64_t path_bytes(const PathSpec *spec)
{
    return explain_made_bytes(path_lay_out, spec);
}

uint64_t path_work(const PathSpec *spec)
{
    uint32_t token_count = spec->sequence.token_count;
    uint64_t forward = encoder_work(spec->encoder, token_count, 0);
    return path_end_count(spec) * forward +
           path_point_count(spec) * (forward + encoder_backward_work(spec->encoder, token_count));
}

/* Gauss's nodes on [0, 1] and their weights: the roots of Legendre's polynomial of degree `count`, by Newton's method
 * from Tricomi's estimate. Each pair of roots that lie across is found once. */
static void path_set_nodes(uint32_t count, double *places, double *weights)
{
    enum { NEWTON_STEPS = 6 }; /* twice what any degree takes */
    const double pi = 3.14159265358979323846;
    for (uint32_t i = 0; i < (count + 1) / 2; i++) {
        double root = cos(pi * (i + 0.75) / (count + 0.5));
        double slope = 1.0;
        for (int step = 0; step < NEWTON_STEPS; step++) {
            double before = 0.0;
            double value = 1.0;
            for (uint32_t degree = 1; degree <= count; degree++) {
                double next = ((2.0 * degree - 1.0) * root * value - (degree - 1.0) * before) / degree;
                before = value;
                value = next;
            }
            slope = count * (root * value - before) / (root * root - 1.0);
            root -= value / slope;
        }
        places[i] = 0.5 * (1.0 - root);
        places[count - 1 - i] = 0.5 * (1.0 + root);
        weights[i] = weights[count - 1 - i] = 1.0 / ((1.0 - root * root) * slope * slope);
    }
}

Status path_open(const PathSpec *spec, Arena *arena, Path **out_path, Error *out_error)
{
    uint32_t token_count = spec->sequence.token_count;
    Path *path = explain_make(path_lay_out, spec, arena, out_error);
    if (!path) return STATUS_RESOURCE_EXHAUSTED;
    memset(path->sums, 0, token_count * sizeof *path->sums);
    encoder_read_words(spec->encoder, spec->sequence.ids, token_count, path->text);
    if (spec->baseline) encoder_read_words(spec->encoder, spec->baseline, token_count, path->baseline);
    if (spec->baseline)
        path_set_nodes(spec->point_count, path->places, path->weights);
    else
        *path->places = *path->weights = 1.0;
    *out_path = path;
    return STATUS_OK;
}

/* Where `point` is between the baseline, 0, and the text, 1. */
static float path_place(const Path *path, uint32_t point)
{
    uint32_t ends = path_end_count(&path->spec);
    return point < ends ? (float)point : (float)path->places[point - ends];
}

/* Sets the words of `count` copies to those of the next points. */
static void path_fill(const Path *path, uint32_t count)
{
    size_t size = path_size(&path->spec);
    float *words = gradient_batch_words(path->batch);
    for (uint32_t i = 0; i < count; i++, words += size) {
        float place = path_place(path, path->next + i);
        if (!path->baseline) memcpy(words, path->text, size * sizeof *words);
        for (size_t j = 0; path->baseline && j < size; j++)
            words[j] = place * path->text[j] + (1.0f - place) * path->baseline[j];
    }
}

static void path_add(Path *path)
{
    size_t size = encoder_word_size(path->spec.encoder);
    const float *gradients = gradient_batch_words(path->batch);
    uint32_t first = path->next - path->count - path_end_count(&path->spec);
    for (uint32_t i = 0; i < path->count; i++)
        for (uint32_t token = 0; token < path->spec.sequence.token_count; token++, gradients += size) {
            const float *text = path->text + token * size;
            const float *baseline = path->baseline ? path->baseline + token * size : NULL;
            double sum = 0.0;
            for (size_t j = 0; j < size; j++)
                sum += (double)gradients[j] * ((double)text[j] - (baseline ? (double)baseline[j] : 0.0));
            path->sums[token] += path->weights[first + i] * sum;
        }
}

/* Whether all points were visited. */
static bool path_finish(Path *path)
{
    uint32_t count = path_point_count(&path->spec);
    if (path->next < count + path_end_count(&path->spec)) return false;
    for (uint32_t token = 0; token < path->spec.sequence.token_count; token++)
        path->scores[token] = (float)path->sums[token];
    return true;
}

/* The points of the next batch: ends do not share one with others, since they have no way back. */
static uint32_t path_batch_count(const Path *path, const EncoderWorkspace *workspace)
{
    uint32_t ends = path_end_count(&path->spec);
    uint32_t last = path->next < ends ? ends : ends + path_point_count(&path->spec);
    uint32_t room = encoder_workspace_tokens(workspace) / path->spec.sequence.token_count;
    uint32_t count = last - path->next;
    if (count > path->copy_count) count = path->copy_count;
    return count < room ? count : room;
}

bool path_step(Path *path, EncoderWorkspace *workspace, const Crew *crew, const EncoderTarget *target)
{
    float values[GRADIENT_COPIES_MAX];
    if (path->count > 0) {
        if (!gradient_batch_back(path->batch)) return false;
        path_add(path);
        path->count = 0;
        return path_finish(path);
    }
    uint32_t count = path_batch_count(path, workspace);
    bool ends = path->next < path_end_count(&path->spec);
    path_fill(path, count);
    gradient_batch_forward(path->batch, count, workspace, crew, target, values);
    for (uint32_t i = 0; ends && i < count; i++) path->ends[path->next + i] = values[i];
    path->next += count;
    path->count = ends ? 0 : count;
    return false;
}

const float *path_scores(const Path *path)
{
    return path->scores;
}

float path_completeness_error(const Path *path)
{
    double sum = 0.0;
    for (uint32_t token = 0; token < path->spec.sequence.token_count; token++) sum += (double)path->scores[token];
    double way = (double)path->ends[1] - (double)path->ends[0];
    double error = fabs(sum - way) / fabs(way);
    if (sum == way) return 0.0f; /* also where there is no way at all */
    return error < (double)FLT_MAX ? (float)error : FLT_MAX;
}
