/* Integrated gradients (Sundararajan, Taly and Yan 2017), and gradient x input: attributions to tokens by gradients
 * along the straight way from a baseline to the text's word embeddings x. Of token t, with E dimensions and m points,
 *
 *     score_t = sum_i (x_ti - baseline_ti) * sum_k w_k df/dx_ti at baseline + a_k (x - baseline)
 *
 * with the places a_k and weights w_k of Gauss and Legendre on [0, 1], as captum has them: of smooth functions they
 * miss less than midpoints by orders of magnitude. Gradient x input is the gradient at x alone, times x. */
#pragma once

#include "explain/gradient.h"

enum { PATH_POINTS_DEFAULT = 50 };

typedef struct PathSpec {
    const Encoder *encoder;
    EncoderSequence sequence; /* outlives the path, as what follows */
    const uint32_t *baseline; /* [tokens]: ids; NULL: gradient x input */
    uint32_t point_count;
} PathSpec;

/* Of one thread at a time; lives in its arena. */
typedef struct Path Path;

/* What path_open takes of the arena, at most; and floating-point operations of all its steps. Of the sequence, the
 * token count is read. */
uint64_t path_bytes(const PathSpec *spec);
uint64_t path_work(const PathSpec *spec);
/* All that it will ever need, of the arena. Fails with RESOURCE_EXHAUSTED. */
CHECKED Status path_open(const PathSpec *spec, Arena *arena, Path **out_path, Error *out_error);
/* One step, as long as a batch's forward pass; true: the path is done. */
bool path_step(Path *path, EncoderWorkspace *workspace, const Crew *crew, const EncoderTarget *target);

/* Once it is done. [tokens]; the path's. */
const float *path_scores(const Path *path);
/* |sum of the scores - (f(x) - f(baseline))| / |f(x) - f(baseline)|: what the points miss of the way. */
float path_completeness_error(const Path *path);
