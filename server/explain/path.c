#include "explain/path.h"

#include "explain/tape.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The points of a path, in the order in which they are visited: its two ends, where values alone are asked for, then those
 * in between. Gradient x input has one, the text itself. */
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

uint64_t path_bytes(const PathSpec *spec)
{
    uint32_t token_count = spec->sequence.token_count;
    return gradient_batch_bytes(spec->encoder, token_count, path_copies(spec)) +
           (spec->baseline ? 2 : 1) * tape_floats_bytes(path_size(spec)) +
           tape_floats_bytes(token_count * sizeof(double) / sizeof(float)) + tape_floats_bytes(token_count) +
           tape_floats_bytes(sizeof(Path) / sizeof(float));
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
    Path *path = arena_allocate_zeroed(arena, 1, sizeof *path);
    if (!path) return NULL;
    path->spec = *spec;
    path->copy_count = path_copies(spec);
    path->batch = gradient_batch_open(spec->encoder, &spec->sequence, path->copy_count, arena);
    path->text = tape_floats_open(arena, path_size(spec));
    path->sums = arena_allocate_zeroed(arena, token_count, sizeof *path->sums);
    path->scores = tape_floats_open(arena, token_count);
    if (!path->batch || !path->text || !path->sums || !path->scores) return NULL;
    encoder_read_words(spec->encoder, spec->sequence.ids, token_count, path->text);
    if (!spec->baseline) return path;
    path->baseline = tape_floats_open(arena, path_size(spec));
    if (!path->baseline) return NULL;
    encoder_read_words(spec->encoder, spec->baseline, token_count, path->baseline);
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
