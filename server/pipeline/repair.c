/* Repairs that read the tokens of a text and write a text again. */
#include "pipeline/repair.h"

#include "base/limits.h"
#include "pipeline/pipeline_state.h"
#include "pipeline/text_edits.h"
#include "pipeline/token_checks.h"

enum {
    TYPO_WORDS_MAX = 1024, /* of a text that are looked for: each takes 20 microseconds */
    FLOOD_ROUNDS_MAX = 8,  /* cycles of cycles of cycles */
};

/* The tokens of a text, and what is made of it. */
typedef struct Repair {
    const Pipeline *pipeline;
    bool cleans;
    uint32_t unknown_id;
    uint32_t original_size;
    Arena *arena;
    Arena scratch;
    Encoding encoding;
    TextEdit *edits; /* [encoding.count] */
    uint32_t edit_count;
    Sanitized *sanitized;
} Repair;

static CHECKED Status repair_read(Repair *repair, bool words, Error *out_error)
{
    const EncodeOptions options = {.without_special_tokens = true, .return_words = words};
    Status status = pipeline_encode(repair->pipeline, repair->sanitized->text, NULL, &options, &repair->scratch,
                                    &repair->encoding, out_error);
    if (status) return status;
    repair->edit_count = 0;
    repair->edits = arena_allocate(&repair->scratch, repair->encoding.count * sizeof *repair->edits);
    if (repair->edits) return STATUS_OK;
    return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold the text's tokens");
}

/* A normalizer may swap characters: what is not behind the edit before is left alone. */
static bool repair_edit(Repair *repair, ByteRange range, TextView replacement)
{
    uint32_t last = repair->edit_count ? repair->edits[repair->edit_count - 1].range.end : 0;
    if (range.begin < last || range.begin >= range.end) return false;
    repair->edits[repair->edit_count++] = (TextEdit){range, replacement};
    return true;
}

static CHECKED Status repair_apply(Repair *repair, Error *out_error)
{
    if (repair->edit_count == 0) return STATUS_OK;
    return text_edits_apply(repair->edits, repair->edit_count, repair->original_size, repair->arena,
                            repair->sanitized, out_error);
}

/* ---- FLOOD_REPEAT ---- */

/* All cycles of a run but the first. */
static void flood_edit(Repair *repair, const Flood *flood)
{
    const Encoding *encoding = &repair->encoding;
    uint32_t period = flood->period;
    TokenRange run = {0, flood->tokens.begin};
    while (flood_next_run(encoding->ids, flood->tokens.end, repair->unknown_id, period, run.end, &run)) {
        ByteRange range = {encoding->offsets[run.begin + period - 1].end, encoding->offsets[run.end - 1].end};
        (void)repair_edit(repair, range, (TextView){0});
    }
}

/* Each round leaves out three eighths of the tokens. */
static CHECKED Status flood_repair(Repair *repair, Error *out_error)
{
    for (int round = 0; round < FLOOD_ROUNDS_MAX; round++) {
        Flood flood;
        Status status = repair_read(repair, false, out_error);
        if (status) return status;
        const Encoding *encoding = &repair->encoding;
        if (!flood_find(encoding->ids, encoding->count, repair->unknown_id, &flood) || flood.period == 0)
            return STATUS_OK;
        flood_edit(repair, &flood);
        if (repair->edit_count == 0) return STATUS_OK;
        ByteRange range = {encoding->offsets[flood.tokens.begin].begin,
                           encoding->offsets[flood.tokens.end - 1].end};
        Finding finding = {
            .rule = RULE_FLOOD_REPEAT,
            .range = sanitizer_original_range(repair->sanitized->map, range),
            .count = flood.count,
            .action = ACTION_TRUNCATED,
        };
        uint32_t id = encoding->ids[flood.tokens.begin];
        sanitizer_set_detail(&finding, tokenizer_token_text(repair->pipeline->tokenizer, id));
        sanitizer_add_finding(repair->sanitized, &finding);
        status = repair_apply(repair, out_error);
        if (status) return status;
    }
    return STATUS_OK;
}

/* ---- TYPO_WORD ---- */

static bool byte_is_one_of(char byte, const char *list)
{
    return byte != '\0' && strchr(list, byte);
}

/* Whether a word of prose stands there, not a part of an address, a path or a name in code. */
static bool typo_stands_alone(TextView text, ByteRange range)
{
    char before = range.begin > 0 ? text.bytes[range.begin - 1] : ' ';
    char after = range.end < text.size ? text.bytes[range.end] : ' ';
    char beyond = range.end + 1 < text.size ? text.bytes[range.end + 1] : ' ';
    if (!byte_is_one_of(before, " \t\n\r\"'(-")) return false;
    if (byte_is_one_of(after, " \t\n\r\"')-!?;")) return true;
    return byte_is_one_of(after, ".,:") && byte_is_one_of(beyond, " \t\n\r\"')");
}

static CHECKED Status typo_edit(Repair *repair, ByteRange range, const TypoWord *typo, Error *out_error)
{
    char *bytes = arena_allocate(&repair->scratch, typo->size);
    if (!bytes)
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory does not hold a word");
    memcpy(bytes, typo->bytes, typo->size);
    Finding finding = {
        .rule = RULE_TYPO_WORD,
        .range = sanitizer_original_range(repair->sanitized->map, range),
        .count = 1,
        .action = repair->cleans ? ACTION_MAPPED : ACTION_NONE,
    };
    sanitizer_set_detail(&finding, (TextView){bytes, typo->size});
    if (!repair->cleans || repair_edit(repair, range, (TextView){bytes, typo->size}))
        sanitizer_add_finding(repair->sanitized, &finding);
    return STATUS_OK;
}

/* The bytes of tokens[begin, end), without the blanks that some tokenizers count to a word. */
static ByteRange typo_range(const Repair *repair, uint32_t begin, uint32_t end)
{
    TextView text = repair->sanitized->text;
    ByteRange range = {repair->encoding.offsets[begin].begin, repair->encoding.offsets[end - 1].end};
    while (range.begin < range.end && text.bytes[range.begin] == ' ') range.begin++;
    return range;
}

static CHECKED Status typo_repair(Repair *repair, Error *out_error)
{
    Status status = repair_read(repair, true, out_error);
    const Encoding *encoding = &repair->encoding;
    TextView text = repair->sanitized->text;
    uint32_t looked_for = 0;
    for (uint32_t begin = 0, end; !status && begin < encoding->count && looked_for < TYPO_WORDS_MAX; begin = end) {
        for (end = begin + 1; end < encoding->count && encoding->words[end] == encoding->words[begin];) end++;
        ByteRange range = typo_range(repair, begin, end);
        if (end - begin == 1 || range.begin >= range.end || !typo_stands_alone(text, range)) continue;
        TypoWord typo = {.word = {text.bytes + range.begin, range.end - range.begin}};
        looked_for++;
        if (typo_find(repair->pipeline->tokenizer, &typo)) status = typo_edit(repair, range, &typo, out_error);
    }
    return status ? status : repair_apply(repair, out_error);
}

Status repair_by_tokens(const Pipeline *pipeline, TextView original, const SanitizeOptions *options, Arena *arena,
                        Sanitized *sanitized, Error *out_error)
{
    bool cleans = options->policy == SANITIZE_CLEAN;
    bool typos = sanitizer_looks_for(options, RULE_TYPO_WORD);
    bool floods = cleans && sanitizer_repairs(options, RULE_FLOOD_REPEAT);
    if (!typos && !floods) return STATUS_OK;
    Repair repair = {
        .pipeline = pipeline,
        .cleans = cleans,
        .unknown_id = TOKENIZER_NO_ID,
        .original_size = (uint32_t)original.size,
        .arena = arena,
        .sanitized = sanitized,
    };
    (void)tokenizer_unknown_id(pipeline->tokenizer, &repair.unknown_id);
    arena_init(&repair.scratch, MIB + 128 * sanitized->text.size);
    Status status = floods ? flood_repair(&repair, out_error) : STATUS_OK;
    if (!status && typos) status = typo_repair(&repair, out_error);
    arena_free(&repair.scratch);
    return status;
}
