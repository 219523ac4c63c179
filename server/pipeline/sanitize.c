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

/* The texts of special tokens in the text as it was sent, or in what cleaning makes of it: there, those that the
 * original spells out as well are none of its making. */
static void special_find(const Pipeline *pipeline, Task task, TextView original, bool in_cleaned,
                         Sanitized *sanitized)
{
    const OffsetMap *map = in_cleaned ? sanitized->cleaned_map : NULL;
    TextView text = in_cleaned ? sanitized->cleaned : original;
    uint32_t mask_id = task == TASK_FILL ? tokenizer_mask_id(pipeline->tokenizer) : TOKENIZER_NO_ID;
    uint32_t id;
    ByteRange found;
    for (uint32_t at = 0; tokenizer_find_special(pipeline->tokenizer, text, at, &id, &found); at = found.end) {
        if (id == mask_id) continue;
        ByteRange range = sanitizer_original_range(map, found);
        TextView shown = {original.bytes + range.begin, range.end - range.begin};
        TextView token = {text.bytes + found.begin, found.end - found.begin};
        if (in_cleaned && text_equal(shown, token)) continue;
        special_add(pipeline, id, range, sanitized);
    }
}

Status pipeline_sanitize(const Pipeline *pipeline, Task task, TextView text, const SanitizeOptions *options,
                         Arena *arena, Sanitized *out_sanitized, Error *out_error)
{
    SanitizeOptions looks = *options;
    looks.wants_cleaned = pipeline != NULL; /* a token may be in that text only */
    Status status = sanitizer_run(text, &looks, arena, out_sanitized, out_error);
    if (status || !pipeline || options->policy == SANITIZE_OFF) return status;
    special_find(pipeline, task, text, false, out_sanitized);
    if (out_sanitized->cleaned_map) special_find(pipeline, task, text, true, out_sanitized);
    return repair_by_tokens(pipeline, text, options, arena, out_sanitized, out_error);
}

void pipeline_set_origin(Prepared *prepared, const Sanitized *text, const Sanitized *pair)
{
    prepared->origin = text->map;
    prepared->pair_origin = pair ? pair->map : NULL;
}
