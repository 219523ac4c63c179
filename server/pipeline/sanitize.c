/* The sanitizer's run over one text, and the texts of special tokens in it. */
#include "pipeline/sanitize.h"

#include "base/limits.h"
#include "pipeline/pipeline_state.h"
#include "pipeline/repair.h"
#include "pipeline/token_checks.h"

static void special_add(const Pipeline *pipeline, uint32_t id, ByteRange range, Sanitized *sanitized)
{
    Finding finding = {.rule = RULE_TOK_SPECIAL, .range = range, .count = 1, .action = ACTION_ENCODED_AS_TEXT};
    sanitizer_set_detail(&finding, tokenizer_token_text(pipeline->tokenizer, id));
    sanitizer_add_finding(sanitized, &finding);
}

/* The texts of special tokens in `cleaned`. Those that the original spells out as well are there without cleaning. */
static void special_find(const Pipeline *pipeline, Task task, TextView original, TextView cleaned,
                         const OffsetMap *map, bool only_new, Sanitized *sanitized)
{
    uint32_t mask_id = task == TASK_FILL ? tokenizer_mask_id(pipeline->tokenizer) : TOKENIZER_NO_ID;
    uint32_t id;
    ByteRange found;
    for (uint32_t at = 0; tokenizer_find_special(pipeline->tokenizer, cleaned, at, &id, &found); at = found.end) {
        if (id == mask_id) continue;
        ByteRange range = sanitizer_original_range(map, found);
        TextView shown = {original.bytes + range.begin, range.end - range.begin};
        TextView token = {cleaned.bytes + found.begin, found.end - found.begin};
        if (only_new && text_equal(shown, token)) continue;
        special_add(pipeline, id, range, sanitized);
    }
}

/* What cleaning would create of special tokens, where the text is left as it is. */
static CHECKED Status special_find_hidden(const Pipeline *pipeline, Task task, TextView text,
                                          const SanitizeOptions *options, Arena *arena, Sanitized *sanitized,
                                          Error *out_error)
{
    SanitizeOptions clean = *options;
    clean.policy = SANITIZE_CLEAN;
    Sanitized cleaned;
    Status status = sanitizer_run(text, &clean, arena, &cleaned, out_error);
    if (!status && cleaned.changed) special_find(pipeline, task, text, cleaned.text, cleaned.map, true, sanitized);
    return status;
}

static CHECKED Status special_check(const Pipeline *pipeline, Task task, TextView text,
                                    const SanitizeOptions *options, Arena *arena, Sanitized *sanitized,
                                    Error *out_error)
{
    bool suspicious = sanitized->finding_count > 0;
    special_find(pipeline, task, text, text, NULL, false, sanitized);
    if (!suspicious) return STATUS_OK;
    if (options->policy != SANITIZE_CLEAN)
        return special_find_hidden(pipeline, task, text, options, arena, sanitized, out_error);
    special_find(pipeline, task, text, sanitized->text, sanitized->map, true, sanitized);
    return STATUS_OK;
}

Status pipeline_sanitize(const Pipeline *pipeline, Task task, TextView text, const SanitizeOptions *options,
                         Arena *arena, Sanitized *out_sanitized, Error *out_error)
{
    Status status = sanitizer_run(text, options, arena, out_sanitized, out_error);
    if (status || !pipeline || options->policy == SANITIZE_OFF) return status;
    status = special_check(pipeline, task, text, options, arena, out_sanitized, out_error);
    if (!status) status = repair_by_tokens(pipeline, text, options, arena, out_sanitized, out_error);
    return status;
}

void pipeline_set_origin(Prepared *prepared, const Sanitized *text, const Sanitized *pair)
{
    prepared->origin = text->map;
    prepared->pair_origin = pair ? pair->map : NULL;
}
