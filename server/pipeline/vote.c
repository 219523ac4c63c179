#include "pipeline/vote.h"

#include "base/limits.h"
#include "base/random.h"
#include "pipeline/pipeline_state.h"
#include "pipeline/token_checks.h"

#include <assert.h>

enum {
    MASKED_PERCENT = 30, /* of the tokens; what the paper takes for sentiments of one sentence */
    STABLE_QUARTERS = 3, /* of the copies that must agree */
};

/* The mask, or what stands for anything unknown. */
static uint32_t vote_mask_id(const Pipeline *pipeline)
{
    uint32_t id = tokenizer_mask_id(pipeline->tokenizer);
    if (id == TOKENIZER_NO_ID && !tokenizer_unknown_id(pipeline->tokenizer, &id)) return TOKENIZER_NO_ID;
    return id;
}

Status pipeline_check_vote(const Pipeline *pipeline, Error *out_error)
{
    const HeadConfig *head = checkpoint_head_config(pipeline->checkpoint);
    if (head->score != SCORE_SOFTMAX || head->label_count < 2) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "votes are on one label of several; the model gives each label a score of its own");
    }
    if (vote_mask_id(pipeline) != TOKENIZER_NO_ID) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED, "the model has no token to mask others with");
}

/* The places of the text's tokens, shuffled by what they are. */
static uint32_t vote_order(const Encoding *encoding, uint32_t *out_places)
{
    uint64_t state = encoding->count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < encoding->count; i++) {
        state ^= encoding->ids[i];
        (void)random_next(&state);
        if (encoding->segments[i] != ENCODING_SEGMENT_NONE) out_places[count++] = i;
    }
    random_choose(&state, out_places, count, count);
    return count;
}

uint64_t pipeline_vote_bytes(const Prepared *prepared)
{
    enum { COPY_BYTES = 128 }; /* headers, and what alignment costs */
    return 2 * (uint64_t)prepared->encoding.count * sizeof(uint32_t) + COPY_BYTES;
}

/* Copies take the shuffled places one after the other, so that each is masked about equally often. */
Status pipeline_vote_copy(const Pipeline *pipeline, const Prepared *prepared, uint32_t index, Arena *arena,
                          Prepared *out_copy, Error *out_error)
{
    const Encoding *encoding = &prepared->encoding;
    uint32_t *ids = arena_allocate(arena, encoding->count * sizeof *ids);
    uint32_t *places = arena_allocate(arena, encoding->count * sizeof *places);
    if (!ids || !places) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the text's masked copies: ask for fewer votes");
    }
    memcpy(ids, encoding->ids, encoding->count * sizeof *ids);
    uint32_t count = vote_order(encoding, places);
    uint64_t masked_count = ((uint64_t)count * MASKED_PERCENT + 99) / 100;
    for (uint64_t i = 0; i < masked_count; i++)
        ids[places[(index * masked_count + i) % count]] = vote_mask_id(pipeline);
    *out_copy = *prepared;
    out_copy->encoding.ids = ids;
    return STATUS_OK;
}

typedef struct Votes {
    const float *const *copies; /* [count][label_count] */
    uint32_t count;
    uint32_t label_count;
    uint32_t labels[VOTE_COUNT_MAX]; /* of each copy */
} Votes;

static uint32_t votes_for(const Votes *votes, uint32_t label)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < votes->count; i++) count += votes->labels[i] == label;
    return count;
}

/* The label of most copies; of equally many votes `own` wins, or else the first label. */
static uint32_t votes_winner(const Votes *votes, uint32_t own)
{
    uint32_t winner = own;
    for (uint32_t i = 0; i < votes->count; i++) {
        uint32_t count = votes_for(votes, votes->labels[i]), most = votes_for(votes, winner);
        bool first = winner != own && votes->labels[i] < winner;
        if (count > most || (count == most && first)) winner = votes->labels[i];
    }
    return winner;
}

/* The mean of the copies that are for `label`. */
static void votes_mean(const Votes *votes, uint32_t label, float *out_logits)
{
    uint32_t count = votes_for(votes, label);
    for (uint32_t i = 0; i < votes->label_count; i++) {
        double sum = 0;
        for (uint32_t copy = 0; copy < votes->count; copy++)
            sum += votes->labels[copy] == label ? (double)votes->copies[copy][i] : 0.0;
        out_logits[i] = (float)(sum / count);
    }
}

void pipeline_vote(const Pipeline *pipeline, const float *const *copies, uint32_t copy_count, uint32_t text_size,
                   bool repairs, float *logits, Sanitized *sanitized)
{
    assert(copy_count <= VOTE_COUNT_MAX);
    Votes votes = {.copies = copies, .count = copy_count, .label_count = pipeline_label_count(pipeline)};
    for (uint32_t i = 0; i < copy_count; i++) votes.labels[i] = pipeline_best_label(pipeline, copies[i]);
    uint32_t own = pipeline_best_label(pipeline, logits);
    uint32_t agreeing = votes_for(&votes, own);
    if (agreeing * 4 >= copy_count * STABLE_QUARTERS) return;
    uint32_t winner = votes_winner(&votes, own);
    bool repaired = repairs && winner != own;
    Finding finding = {
        .rule = RULE_VOTE_UNSTABLE,
        .range = {0, text_size},
        .count = copy_count - agreeing,
        .action = repaired ? ACTION_MAPPED : ACTION_NONE,
    };
    sanitizer_set_detail(&finding, pipeline_label(pipeline, winner));
    sanitizer_add_finding(sanitized, &finding);
    if (repaired) votes_mean(&votes, winner, logits);
}
