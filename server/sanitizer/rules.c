#include "sanitizer/rules.h"

#include <assert.h>

static const RuleInfo RULES[] = {
#define RULE(code, severity, reject, state, action, clean, title, reason, reference) \
    {#code, SEVERITY_##severity, LEVEL_##reject, STATE_##state, ACTION_##action, LEVEL_##clean, title},
#include "sanitizer/rules.def"
#undef RULE
};

const RuleInfo *rules_info(SanitizeRule rule)
{
    assert((unsigned)rule < RULE_COUNT);
    return &RULES[rule];
}

bool rules_find(TextView code, SanitizeRule *out_rule)
{
    for (int i = 0; i < RULE_COUNT; i++) {
        if (!text_equal(code, text_view(RULES[i].code))) continue;
        *out_rule = (SanitizeRule)i;
        return true;
    }
    return false;
}

const char *rules_list_optional(char out_codes[RULES_OPTIONAL_BYTES_MAX])
{
    out_codes[0] = '\0';
    for (int i = 0; i < RULE_COUNT; i++) {
        if (RULES[i].state == STATE_OPT_IN || RULES[i].clean_level == LEVEL_OPT_IN)
            text_list_add(out_codes, RULES_OPTIONAL_BYTES_MAX, text_view(RULES[i].code));
    }
    return out_codes;
}

const char *rules_action_name(FindingAction action)
{
    static const char *const names[] = {
        [ACTION_NONE] = "none",           [ACTION_DROPPED] = "dropped",
        [ACTION_MAPPED] = "mapped",       [ACTION_REORDERED] = "reordered",
        [ACTION_TRUNCATED] = "truncated", [ACTION_ENCODED_AS_TEXT] = "encoded_as_text",
    };
    assert((unsigned)action < ACTION_COUNT);
    return names[action];
}
