/* The findings by name: rules.def as a table. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

typedef enum SanitizeRule {
#define RULE(code, severity, reject, state, action, clean, title, reason, reference) RULE_##code,
#include "sanitizer/rules.def"
#undef RULE
    RULE_COUNT
} SanitizeRule;

typedef enum Severity {
    SEVERITY_INFO = 1,
    SEVERITY_LOW,
    SEVERITY_MEDIUM,
    SEVERITY_HIGH,
    SEVERITY_CRITICAL,
} Severity;

typedef enum FindingAction {
    ACTION_NONE,
    ACTION_DROPPED,
    ACTION_MAPPED,
    ACTION_REORDERED,
    ACTION_TRUNCATED,
    ACTION_ENCODED_AS_TEXT,
    ACTION_COUNT
} FindingAction;

/* From which strictness on something is done. */
typedef enum RuleLevel {
    LEVEL_ALWAYS,
    LEVEL_MODERATE,
    LEVEL_HIGH,
    LEVEL_STRICT,
    LEVEL_OPT_IN, /* only when the rule's code is enabled */
    LEVEL_NEVER,
} RuleLevel;

typedef enum RuleState { STATE_ON, STATE_OPT_IN } RuleState;

typedef struct RuleInfo {
    const char *code;
    Severity severity;
    RuleLevel reject_level;
    RuleState state;
    FindingAction action; /* of SANITIZE_CLEAN */
    RuleLevel clean_level;
    const char *title;
} RuleInfo;

/* The row of `rule`. Any thread. */
const RuleInfo *rules_info(SanitizeRule rule);
/* The rule of that code; false: there is none. Any thread. */
bool rules_find(TextView code, SanitizeRule *out_rule);
/* The codes of what is looked for, or repaired, only when it is enabled, with commas between: for messages. */
enum { RULES_OPTIONAL_BYTES_MAX = 128 };
const char *rules_list_optional(char out_codes[RULES_OPTIONAL_BYTES_MAX]);
/* "dropped", "encoded_as_text": as the API spells it. Any thread. */
const char *rules_action_name(FindingAction action);
