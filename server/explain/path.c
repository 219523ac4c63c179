#include "explain/path.h"

#include "explain/tape.h"

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

/* Floats of the path's parts, each in whole cache lines. */
typedef struct PathSizes {
    size_t path, words, sums, scores, sum;
} PathSizes;

static PathSizes path_sizes(const PathSpec *spec)
{
    uint32_t token_count = spec->sequence.token_count;
    PathSizes sizes = {
        .path = tape_round_up((sizeof(Path) + sizeof(float) - 1) / sizeof(float)),
        .words = tape_round_up(path_size(spec)),
        .sums = tape_round_up(token_count * sizeof(double) / sizeof(float)),
        .scores = tape_round_up(token_count),
    };
    sizes.sum = sizes.path + 2 * sizes.words + sizes.sums + sizes.scores +
                gradient_batch_size(spec->encoder, token_count, path_copies(spec));
    return sizes;
}

uint64_t path_bytes(const PathSpec *spec)
{
    return tape_floats_bytes(path_sizes(spec).sum);
}

uint64_t path_work(const PathSpec *spec)
{
    uint32_t token_count = spec->sequence.token_count;
    uint64_t forward = encoder_work(spec->encoder, token_count, 0);
    return path_end_count(spec) * forward +
           path_point_count(spec) * (forward + encoder_backward_work(spec->encoder, token_count));
}

Path *path_open(const PathSpec *spec, Arena *arena)
{
    uint32_t token_count = spec->sequence.token_count;
    PathSizes sizes = path_sizes(spec);
    float *floats = tape_floats_open(arena, sizes.sum);
    if (!floats) return NULL;
    Path *path = (Path *)(void *)floats;
    *path = (Path){.spec = *spec, .copy_count = path_copies(spec)};
    path->text = floats + sizes.path;
    if (spec->baseline) path->baseline = path->text + sizes.words;
    path->sums = (double *)(void *)(path->text + 2 * sizes.words);
    path->scores = path->text + 2 * sizes.words + sizes.sums;
    path->batch =
        gradient_batch_open(spec->encoder, &spec->sequence, path->copy_count, path->scores + sizes.scores);
    memset(path->sums, 0, token_count * sizeof *path->sums);
    encoder_read_words(spec->encoder, spec->sequence.ids, token_count, path->text);
    if (spec->baseline) encoder_read_words(spec->encoder, spec->baseline, token_count, path->baseline);
    return path;
}

/* Where `point` is between the baseline, 0, and the text, 1. */
static float path_place(const Path *path, uint32_t point)
{
    if (!path->baseline) return 1.0f;
    if (point < PATH_ENDS) return (float)point;
    return ((float)(point - PATH_ENDS) + 0.5f) / (float)path->spec.point_count;
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
    for (uint32_t i = 0; i < path->count; i++)
        for (uint32_t token = 0; token < path->spec.sequence.token_count; token++, gradients += size) {
            const float *text = path->text + token * size;
            const float *baseline = path->baseline ? path->baseline + token * size : NULL;
            double sum = 0.0;
            for (size_t j = 0; j < size; j++)
                sum += (double)gradients[j] * ((double)text[j] - (baseline ? (double)baseline[j] : 0.0));
            path->sums[token] += sum;
        }
}

/* Whether all points were visited. */
static bool path_finish(Path *path)
{
    uint32_t count = path_point_count(&path->spec);
    if (path->next < count + path_end_count(&path->spec)) return false;
    for (uint32_t token = 0; token < path->spec.sequence.token_count; token++)
        path->scores[token] = (float)(path->sums[token] / count);
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
