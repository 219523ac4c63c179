#include "pipeline/token_study.h"

uint64_t token_study_bytes(const ExplainSubject *subject, uint64_t study_bytes)
{
    uint64_t count = subject->prepared->encoding.count;
    return arena_bytes(count * sizeof(uint32_t)) + arena_bytes(count * sizeof(float)) + study_bytes +
           copies_bytes(subject);
}

bool token_study_open(TokenStudy *tokens, const ExplainSubject *subject,
                      Study *(*open)(uint32_t feature_count, Arena *arena), Arena *arena)
{
    uint32_t count = subject->prepared->encoding.count;
    *tokens = (TokenStudy){
        .subject = subject,
        .removal = copies_removal(subject->pipeline, subject->spec, EXPLAIN_MASK),
        .token_features = arena_allocate(arena, count * sizeof *tokens->token_features),
        .scores = arena_allocate_zeroed(arena, count, sizeof *tokens->scores),
    };
    if (!tokens->token_features || !tokens->scores) return false;
    uint32_t feature_count = copies_number_tokens(subject->prepared, tokens->token_features);
    tokens->run.study = open(feature_count, arena);
    tokens->run.copies = copies_open(subject, tokens->token_features, feature_count, tokens->removal, arena);
    return tokens->run.study && tokens->run.copies;
}
