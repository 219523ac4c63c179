/* What all surrogates are made of: copies as sets of the features that they keep, and what the model said of them.
 * For the files of explain/ only. */
#pragma once

#include "base/limits.h"
#include "base/random.h"
#include "explain/memory.h"
#include "explain/surrogate.h"

enum { FEATURE_SET_WORDS = (EXPLAIN_FEATURE_COUNT_MAX + 63) / 64 };

typedef struct FeatureSet {
    uint64_t bits[FEATURE_SET_WORDS];
} FeatureSet;

static inline bool feature_set_has(const FeatureSet *set, uint32_t feature)
{
    return (set->bits[feature / 64] >> (feature % 64) & 1) != 0;
}

static inline void feature_set_add(FeatureSet *set, uint32_t feature)
{
    set->bits[feature / 64] |= 1ull << (feature % 64);
}

static inline void feature_set_remove(FeatureSet *set, uint32_t feature)
{
    set->bits[feature / 64] &= ~(1ull << (feature % 64));
}

static inline bool feature_set_covers(const FeatureSet *set, const FeatureSet *part)
{
    uint64_t missing = 0;
    for (unsigned i = 0; i < FEATURE_SET_WORDS; i++) missing |= part->bits[i] & ~set->bits[i];
    return missing == 0;
}

static inline uint32_t feature_set_count(const FeatureSet *set)
{
    int count = 0;
    for (unsigned i = 0; i < FEATURE_SET_WORDS; i++) count += __builtin_popcountll(set->bits[i]);
    return (uint32_t)count;
}

typedef struct Surrogate {
    Study study; /* first */
    ExplainSurrogate result;
    uint64_t random;
    uint32_t sample_count; /* to be made of */
    uint32_t fresh_count;  /* to be measured with */
    FeatureSet *kept;      /* [sample_count + fresh_count], in the order that they are asked in */
    StudyAnswer *answers;  /* [likewise] */
    uint32_t count;        /* of kept, drawn */
    uint32_t answered;     /* of them, the first ones */
    StudyRound room;       /* the arrays of rounds */
    uint32_t *order;       /* [feature_count]: each feature once, in whatever order */
} Surrogate;

/* Cuts its arrays out of `memory`. */
void surrogate_lay_out(Surrogate *surrogate, ExplainMemory *memory);

/* The set of all features. */
FeatureSet surrogate_all(const Surrogate *surrogate);
/* Takes the last round's answers. */
void surrogate_record(Surrogate *surrogate, const StudyRound *last);
/* Has the model asked about `kept`, in the round that surrogate_round makes. */
void surrogate_ask(Surrogate *surrogate, const FeatureSet *kept);
/* What waits to be asked, as a round; none: the study is over. */
void surrogate_round(Surrogate *surrogate, StudyRound *out_round);

/* The text's neighbourhood, as PyPI lime draws it: the whole text first, then copies without n of its features, n and
 * which they are drawn at random. Asks about the next ones; false: all have been answered. */
bool surrogate_ask_neighbours(Surrogate *surrogate);

/* The kinds. */
typedef struct SurrogateKind {
    ExplainLayOut *lay_out; /* of a Surrogate without arrays; takes what one of this kind needs */
    /* Before the study begins. NULL: there is nothing to do. */
    void (*begin)(Surrogate *surrogate);
    void (*next)(Study *study, const StudyRound *last, StudyRound *out_round);
} SurrogateKind;

extern const SurrogateKind linear_kind;
extern const SurrogateKind tree_kind;
extern const SurrogateKind anchor_kind;
