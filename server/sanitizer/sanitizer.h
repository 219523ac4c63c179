/* Hostile text: found, reported, repaired. Pure functions of the text and the options; any thread. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "sanitizer/offset_map.h"
#include "sanitizer/rules.h"

/* In order: a later one is tighter. */
typedef enum SanitizePolicy {
    SANITIZE_OFF,    /* nothing but UTF-8 is looked at */
    SANITIZE_REPORT, /* the text is left as it is */
    SANITIZE_CLEAN,  /* what is found is repaired */
    SANITIZE_REJECT, /* as REPORT, for a caller who then asks sanitizer_refuses */
} SanitizePolicy;

typedef enum SanitizeLevel { SANITIZE_MODERATE, SANITIZE_HIGH, SANITIZE_STRICT } SanitizeLevel;

/* As users spell them, by value. */
extern const char *const sanitizer_policy_names[SANITIZE_REJECT + 1];
extern const char *const sanitizer_level_names[SANITIZE_STRICT + 1];

typedef struct SanitizeOptions {
    SanitizePolicy policy;
    SanitizeLevel level;
    uint64_t enabled;   /* 1 << rule for each rule that was asked for by its code */
    bool wants_cleaned; /* what cleaning would make of the text, whatever the policy is */
} SanitizeOptions;

enum { SANITIZE_FINDINGS_MAX = 32, FINDING_DETAIL_BYTES_MAX = 64 };

typedef struct Finding {
    SanitizeRule rule;
    ByteRange range; /* of the original text */
    uint32_t count;  /* code points or tokens that match */
    FindingAction action;
    uint8_t detail_size;
    char detail[FINDING_DETAIL_BYTES_MAX]; /* valid UTF-8: what was hidden, or what it becomes */
} Finding;

/* Borrows from the input text and from the arena. */
typedef struct Sanitized {
    TextView text;        /* cleaned, or the input itself */
    const OffsetMap *map; /* from `text` to the input; NULL: they are the same */
    bool changed;
    TextView cleaned; /* the same under SANITIZE_CLEAN, where that is the policy or wants_cleaned */
    const OffsetMap *cleaned_map;
    uint32_t finding_count;
    Finding findings[SANITIZE_FINDINGS_MAX]; /* the gravest, by severity and then position */
    uint32_t totals[RULE_COUNT];             /* findings of each rule, whether listed or not */
} Sanitized;

/* Looks at `text` and, under SANITIZE_CLEAN, rewrites it: to at most three times its size, and so that cleaning the
 * result changes nothing. Linear time. Cleaned texts and maps are the arena's; working memory is returned.
 * Fails with INVALID_ARGUMENT where UTF-8 is malformed, unless the policy is CLEAN, which makes U+FFFD of it (*out then
 * holds the finding); with NO_MEMORY; with INVALID_ARGUMENT beyond TEXT_BYTES_MAX. */
CHECKED Status sanitizer_run(TextView text, const SanitizeOptions *options, Arena *arena, Sanitized *out,
                             Error *out_error);
/* Puts `text` into the finding, cut on a border of UTF-8. */
void sanitizer_set_detail(Finding *finding, TextView text);
/* Puts a finding in its place, or only counts it where graver ones take all places. */
void sanitizer_add_finding(Sanitized *sanitized, const Finding *finding);
/* Whether one that begins there would be listed, and not only counted. */
bool sanitizer_lists(const Sanitized *sanitized, SanitizeRule rule, uint32_t begin);
/* Whether SANITIZE_REJECT refuses a text of these findings at the level of `options`. */
bool sanitizer_refuses(const Sanitized *sanitized, const SanitizeOptions *options);
/* Whether `rule` is looked for at all, and whether SANITIZE_CLEAN repairs it. */
bool sanitizer_looks_for(const SanitizeOptions *options, SanitizeRule rule);
bool sanitizer_repairs(const SanitizeOptions *options, SanitizeRule rule);
