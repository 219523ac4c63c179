/* What the tokens of a text show of it: ones that training never met, many unknown ones, many small ones, the same ones
 * over and over. */
#include "pipeline/sanitize.h"

#include "pipeline/pipeline_state.h"
#include "pipeline/token_checks.h"

enum {
    UNKNOWN_TOKENS_MIN = 10,
    UNKNOWN_PERCENT = 20, /* more is a finding */
};

/* The tokens of one text, its prompt left out. */
typedef struct TokenCheck {
    const Pipeline *pipeline;
    const Encoding *encoding;
    TokenRange tokens;
    uint32_t prompt_bytes;
    Sanitized *sanitized;
} TokenCheck;

/* From the first of `tokens` to the last, in the original. */
static ByteRange check_range(const TokenCheck *check, TokenRange tokens)
{
    ByteRange range = {UINT32_MAX, 0};
    for (uint32_t i = tokens.begin; i < tokens.end; i++) { /* a normalizer may swap characters */
        ByteRange one = check->encoding->offsets[i];
        if (one.begin < range.begin) range.begin = one.begin;
        if (one.end > range.end) range.end = one.end;
    }
    range = byte_range_behind(range, check->prompt_bytes);
    if (range.end < range.begin) range.end = range.begin;
    return sanitizer_original_range(check->sanitized->map, range);
}

static void check_add(const TokenCheck *check, SanitizeRule rule, TokenRange tokens, uint32_t count,
                      uint32_t shown_id)
{
    Finding finding = {.rule = rule, .range = check_range(check, tokens), .count = count};
    if (shown_id != TOKENIZER_NO_ID)
        sanitizer_set_detail(&finding, tokenizer_token_text(check->pipeline->tokenizer, shown_id));
    sanitizer_add_finding(check->sanitized, &finding);
}

/* A finding for each run of them. */
static void check_glitches(const TokenCheck *check)
{
    const uint32_t *ids = check->encoding->ids;
    uint32_t end = check->tokens.end;
    for (uint32_t i = check->tokens.begin; i < end; i++) {
        if (!glitch_has(check->pipeline, ids[i])) continue;
        TokenRange run = {i, i + 1};
        while (run.end < end && glitch_has(check->pipeline, ids[run.end])) run.end++;
        check_add(check, RULE_TOK_GLITCH, run, run.end - run.begin, ids[i]);
        i = run.end;
    }
}

static void check_unknown(const TokenCheck *check)
{
    uint32_t unknown_id, count = 0;
    uint32_t total = check->tokens.end - check->tokens.begin;
    TokenRange range = {0, 0};
    if (total < UNKNOWN_TOKENS_MIN || !tokenizer_unknown_id(check->pipeline->tokenizer, &unknown_id)) return;
    for (uint32_t i = check->tokens.begin; i < check->tokens.end; i++) {
        if (check->encoding->ids[i] != unknown_id) continue;
        if (count++ == 0) range.begin = i;
        range.end = i + 1;
    }
    if ((uint64_t)count * 100 > (uint64_t)total * UNKNOWN_PERCENT)
        check_add(check, RULE_TOK_UNK, range, count, TOKENIZER_NO_ID);
}

static void check_fragments(const TokenCheck *check)
{
    TextView text = check->sanitized->text;
    TokenRange range;
    if (fragments_find(&check->pipeline->fragments, text, check->encoding, check->tokens, check->prompt_bytes,
                       &range))
        check_add(check, RULE_TOK_FRAGMENT, range, range.end - range.begin, TOKENIZER_NO_ID);
}

static void check_flood(const TokenCheck *check)
{
    Flood flood;
    const uint32_t *ids = check->encoding->ids + check->tokens.begin;
    uint32_t unknown_id = TOKENIZER_NO_ID;
    (void)tokenizer_unknown_id(check->pipeline->tokenizer, &unknown_id);
    if (!flood_find(ids, check->tokens.end - check->tokens.begin, unknown_id, &flood)) return;
    TokenRange range = {check->tokens.begin + flood.tokens.begin, check->tokens.begin + flood.tokens.end};
    check_add(check, RULE_FLOOD_REPEAT, range, flood.count, ids[flood.tokens.begin]);
}

void pipeline_check_tokens(const Pipeline *pipeline, const Prepared *whole, bool of_pair,
                           const SanitizeOptions *options, Sanitized *sanitized)
{
    if (options->policy == SANITIZE_OFF) return;
    TokenCheck check = {
        .pipeline = pipeline,
        .encoding = &whole->encoding,
        .tokens = chunks_find_segment(&whole->encoding, of_pair),
        .prompt_bytes = of_pair ? 0 : whole->prompt_bytes,
        .sanitized = sanitized,
    };
    while (check.tokens.begin < check.tokens.end && check.prompt_bytes &&
           check.encoding->offsets[check.tokens.begin].end <= check.prompt_bytes)
        check.tokens.begin++;
    check_glitches(&check);
    check_unknown(&check);
    check_fragments(&check);
    check_flood(&check);
}
