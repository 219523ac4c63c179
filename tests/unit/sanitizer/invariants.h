/* What must hold whatever a text holds: cleaning the cleaned text changes nothing, it is valid, bounded and maps into
 * the original, and report finds what clean repairs. */
#pragma once

#include "base/limits.h"
#include "sanitizer/sanitizer.h"
#include "unicode/utf8.h"

#include <assert.h>

static inline void invariants_check_findings(const Sanitized *sanitized, TextView text)
{
    uint64_t total = 0;
    for (int i = 0; i < RULE_COUNT; i++) total += sanitized->totals[i];
    assert(sanitized->finding_count == (total < SANITIZE_FINDINGS_MAX ? total : SANITIZE_FINDINGS_MAX));
    for (uint32_t i = 0; i < sanitized->finding_count; i++) {
        const Finding *finding = &sanitized->findings[i];
        size_t position;
        assert(finding->range.begin < finding->range.end && finding->range.end <= text.size);
        assert(finding->count > 0 && finding->detail_size <= FINDING_DETAIL_BYTES_MAX);
        assert(utf8_valid((TextView){finding->detail, finding->detail_size}, &position));
        if (i == 0) continue;
        Severity before = rules_info(finding[-1].rule)->severity, severity = rules_info(finding->rule)->severity;
        assert(before > severity || (before == severity && finding[-1].range.begin <= finding->range.begin));
    }
}

/* Each character of the cleaned text came from somewhere in the original. */
static inline void invariants_check_map(const Sanitized *sanitized, TextView text)
{
    for (uint32_t at = 0; at < sanitized->text.size;) {
        uint32_t size = (uint32_t)text_utf8_size(sanitized->text.bytes + at, sanitized->text.size - at);
        ByteRange cleaned = {at, at + size}, original = sanitizer_original_range(sanitized->map, cleaned);
        assert(original.begin < original.end && original.end <= text.size);
        at += size;
    }
}

/* `first` and `second` are the caller's, because they are large. */
static inline void invariants_check_clean(TextView text, SanitizeLevel level, uint64_t enabled, Sanitized *first,
                                          Sanitized *second)
{
    SanitizeOptions options = {.policy = SANITIZE_CLEAN, .level = level, .enabled = enabled};
    size_t position;
    Arena arena;
    arena_init(&arena, 256 * MIB);
    Status status = sanitizer_run(text, &options, &arena, first, NULL);
    assert(status == STATUS_OK);
    invariants_check_findings(first, text);
    assert(first->text.size <= 3 * text.size && utf8_valid(first->text, &position));
    assert(first->changed == !text_equal(text, first->text) && first->changed == (first->map != NULL));
    invariants_check_map(first, text);
    status = sanitizer_run(first->text, &options, &arena, second, NULL);
    assert(status == STATUS_OK && !second->changed);
    options.policy = SANITIZE_REPORT;
    if (utf8_valid(text, &position)) {
        status = sanitizer_run(text, &options, &arena, second, NULL);
        assert(status == STATUS_OK && !second->changed);
        assert(memcmp(first->totals, second->totals, sizeof first->totals) == 0);
    }
    arena_free(&arena);
}
