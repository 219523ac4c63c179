/* A study asks what the model says of copies of a text that lack some of its features (tokens, or words), round by
 * round, and makes an attribution or a surrogate of the answers. It is a value of functions over memory that it was
 * given; the caller runs the copies. Occlusion, faithfulness and the surrogates are studies. */
#pragma once

#include "base/arena.h"
#include "explain/explain.h"

/* What the model says of one copy. */
typedef struct StudyAnswer {
    float score; /* f: the target's probability, or what stands for it */
    bool agrees; /* the label is the target, where the whole text's is; else the score is on the same side */
} StudyAnswer;

/* Copies that the caller is to run. */
typedef struct StudyRound {
    uint8_t *kept;        /* [copy_count][feature_count]: 1 where the copy has the feature */
    StudyAnswer *answers; /* [copy_count], for the caller to fill in */
    uint32_t copy_count;  /* 1 .. STUDY_ROUND_COPIES_MAX; 0: the study is over */
} StudyRound;

enum { STUDY_ROUND_COPIES_MAX = 64 };

/* What is studied. */
typedef struct StudyText {
    uint32_t feature_count;
    StudyAnswer whole; /* of the text itself */
} StudyText;

typedef struct Study Study;

/* A kind of study. `state` begins with a Study. */
struct Study {
    /* Fills in the next round, the answers to the last one (NULL at first) in hand. Its arrays are the study's. */
    void (*next)(Study *study, const StudyRound *last, StudyRound *out_round);
    StudyText text;
};
