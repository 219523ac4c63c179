/* Findings: listed by severity and then position; what the options make of them. */
#include "sanitizer/sanitizer.h"

const char *const sanitizer_policy_names[] = {[SANITIZE_OFF] = "off",
                                              [SANITIZE_REPORT] = "report",
                                              [SANITIZE_CLEAN] = "clean",
                                              [SANITIZE_REJECT] = "reject"};
const char *const sanitizer_level_names[] = {
    [SANITIZE_MODERATE] = "moderate", [SANITIZE_HIGH] = "high", [SANITIZE_STRICT] = "strict"};

/* The strictest level whose rules hold at the level of `options`. */
static RuleLevel findings_level(const SanitizeOptions *options)
{
    return (RuleLevel)(LEVEL_MODERATE + options->level);
}

bool sanitizer_looks_for(const SanitizeOptions *options, SanitizeRule rule)
{
    return rules_info(rule)->state == STATE_ON || (options->enabled >> rule & 1) != 0;
}

bool sanitizer_repairs(const SanitizeOptions *options, SanitizeRule rule)
{
    RuleLevel level = rules_info(rule)->clean_level;
    if (level == LEVEL_OPT_IN) return (options->enabled >> rule & 1) != 0;
    return level <= findings_level(options) && sanitizer_looks_for(options, rule);
}

bool sanitizer_refuses(const Sanitized *sanitized, const SanitizeOptions *options)
{
    for (int i = 0; i < RULE_COUNT; i++) {
        if (sanitized->totals[i] && rules_info((SanitizeRule)i)->reject_level <= findings_level(options)) {
            return true;
        }
    }
    return false;
}

void sanitizer_set_detail(Finding *finding, TextView text)
{
    size_t size = text.size < FINDING_DETAIL_BYTES_MAX ? text.size : FINDING_DETAIL_BYTES_MAX;
    while (size < text.size && size > 0 && ((unsigned char)text.bytes[size] & 0xC0) == 0x80) size--;
    if (size) memcpy(finding->detail, text.bytes, size);
    finding->detail_size = (uint8_t)size;
}

/* Whether a finding of `rule` at `begin` stands before `other`. */
static bool findings_before(SanitizeRule rule, uint32_t begin, const Finding *other)
{
    Severity severity = rules_info(rule)->severity, than = rules_info(other->rule)->severity;
    if (severity != than) return severity > than;
    return begin != other->range.begin ? begin < other->range.begin : rule < other->rule;
}

bool sanitizer_lists(const Sanitized *sanitized, SanitizeRule rule, uint32_t begin)
{
    return sanitized->finding_count < SANITIZE_FINDINGS_MAX ||
           findings_before(rule, begin, &sanitized->findings[SANITIZE_FINDINGS_MAX - 1]);
}

void sanitizer_add_finding(Sanitized *sanitized, const Finding *finding)
{
    uint32_t begin = finding->range.begin, at = sanitized->finding_count;
    sanitized->totals[finding->rule]++;
    if (!sanitizer_lists(sanitized, finding->rule, begin)) return;
    if (at == SANITIZE_FINDINGS_MAX)
        at--;
    else
        sanitized->finding_count++;
    for (; at > 0 && findings_before(finding->rule, begin, &sanitized->findings[at - 1]); at--)
        sanitized->findings[at] = sanitized->findings[at - 1];
    sanitized->findings[at] = *finding;
}
