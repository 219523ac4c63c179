/* What families share: scratch, and findings as they meet them, before they are listed. */
#include "sanitizer/run.h"

#include <assert.h>
#include <stdlib.h>

/* The original bytes of items[begin, end), which a reordering may have moved. */
static ByteRange run_origin(const SanitizeRun *run, uint32_t begin, uint32_t end)
{
    ByteRange range = run->items[begin].origin;
    for (uint32_t i = begin + 1; i < end; i++) {
        if (run->items[i].origin.begin < range.begin) range.begin = run->items[i].origin.begin;
        if (run->items[i].origin.end > range.end) range.end = run->items[i].origin.end;
    }
    return range;
}

static void run_flush_rule(SanitizeRun *run, SanitizeRule rule)
{
    if (run->pending[rule].count == 0) return;
    sanitizer_add_finding(run->out, &run->pending[rule]);
    run->pending[rule].count = 0;
}

void run_flush(SanitizeRun *run)
{
    if (!run->any_pending) return;
    run->any_pending = false;
    for (int i = 0; i < RULE_COUNT; i++) run_flush_rule(run, (SanitizeRule)i);
}

void run_find_bytes(SanitizeRun *run, SanitizeRule rule, ByteRange range, uint32_t count, TextView detail)
{
    bool repairs = run_repairs(run, rule);
    if (!run_looks_for(run, rule) || (run->round > 0 && !repairs)) return;
    Finding *pending = &run->pending[rule];
    if (pending->count && pending->range.end == range.begin && !pending->detail_size && !detail.size) {
        pending->range.end = range.end;
        pending->count += count;
        return;
    }
    run_flush_rule(run, rule);
    if (detail.size && !sanitizer_lists(run->out, rule, range.begin)) {
        run->out->totals[rule]++;
        return;
    }
    run->any_pending = true;
    pending->rule = rule;
    pending->range = range;
    pending->count = count;
    pending->action = repairs && run->options->policy == SANITIZE_CLEAN ? rules_info(rule)->action : ACTION_NONE;
    sanitizer_set_detail(pending, detail);
}

void run_find_detail(SanitizeRun *run, SanitizeRule rule, uint32_t begin, uint32_t end, uint32_t count,
                     TextView detail)
{
    assert(begin < end && end <= run->count && count > 0);
    run_find_bytes(run, rule, run_origin(run, begin, end), count, detail);
}

void run_find(SanitizeRun *run, SanitizeRule rule, uint32_t begin, uint32_t end, uint32_t count)
{
    run_find_detail(run, rule, begin, end, count, (TextView){NULL, 0});
}

void *run_scratch(SanitizeRun *run, size_t size)
{
    if (size > run->scratch_size) {
        /* With room for lines that are a bit longer: fresh memory costs more than what is done in it. */
        size_t wanted = size + size / 2;
        free(run->scratch);
        run->scratch = malloc(wanted);
        run->scratch_size = run->scratch ? wanted : 0;
        if (!run->scratch) run->failed = true;
    }
    return run->scratch;
}

void run_close(SanitizeRun *run)
{
    if (!run) return;
    free(run->items);
    free(run->spare);
    free(run->scratch);
    free(run->notes);
    unicode_bidi_close(run->bidi);
    free(run);
}
