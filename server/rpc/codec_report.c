#include "rpc/codec_report.h"

#include "rpc/codec_reply_parts.h"

#include <assert.h>

const char codec_refusal_type[] = "type.googleapis.com/headlight.v1.SanitizeReport";

uint64_t codec_report_bytes(uint64_t count, uint64_t part_count)
{
    enum { PART_BYTES = sizeof(Headlight__V1__Finding) + sizeof(void *) };
    static_assert(sizeof(Headlight__V1__FindingTotal) <= sizeof(Headlight__V1__Finding), "a part is either");
    enum { LIST_COUNT = 6 }; /* findings, those of the pair and totals: each of items and of pointers */
    uint64_t each = sizeof(Headlight__V1__SanitizeReport) + (LIST_COUNT + 1) * CODEC_ROUNDING_BYTES;
    return CODEC_CHUNK_FACTOR * (count * each + part_count * PART_BYTES);
}

static void finding_init(const Finding *from, Headlight__V1__Finding *out_finding)
{
    static_assert(HEADLIGHT__V1__SEVERITY__SEVERITY_CRITICAL == (int)SEVERITY_CRITICAL, "the same values");
    const RuleInfo *info = rules_info(from->rule);
    headlight__v1__finding__init(out_finding);
    out_finding->code = codec_data_of(text_view(info->code));
    out_finding->severity = (Headlight__V1__Severity)info->severity;
    out_finding->byte_begin = from->range.begin;
    out_finding->byte_end = from->range.end;
    out_finding->count = from->count;
    out_finding->action = codec_data_of(text_view(rules_action_name(from->action)));
    out_finding->detail = codec_data_of((TextView){from->detail, from->detail_size});
}

/* NULL when the arena is out, unless there are none. */
static Headlight__V1__Finding **findings_build(Arena *arena, const CodecFindings *from, size_t *out_count)
{
    char *storage = NULL;
    *out_count = from->count;
    if (from->count == 0) return NULL;
    void **list = codec_list_allocate(arena, from->count, sizeof(Headlight__V1__Finding), &storage);
    for (uint32_t i = 0; list && i < from->count; i++) finding_init(&from->items[i], list[i]);
    return (Headlight__V1__Finding **)list;
}

/* Of text and pair together, by rule. */
static bool totals_build(Arena *arena, const CodecReport *report, Headlight__V1__SanitizeReport *out_report)
{
    uint32_t counts[RULE_COUNT] = {0};
    size_t count = 0;
    char *storage = NULL;
    for (uint32_t i = 0; i < report->text.total_count; i++)
        counts[report->text.totals[i].rule] += report->text.totals[i].count;
    for (uint32_t i = 0; i < report->pair.total_count; i++)
        counts[report->pair.totals[i].rule] += report->pair.totals[i].count;
    for (int rule = 0; rule < RULE_COUNT; rule++) count += counts[rule] > 0;
    if (count == 0) return true;
    void **list = codec_list_allocate(arena, count, sizeof(Headlight__V1__FindingTotal), &storage);
    if (!list) return false;
    out_report->totals = (Headlight__V1__FindingTotal **)list;
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (counts[rule] == 0) continue;
        Headlight__V1__FindingTotal *total = out_report->totals[out_report->n_totals++];
        headlight__v1__finding_total__init(total);
        total->code = codec_data_of(text_view(rules_info((SanitizeRule)rule)->code));
        total->count = counts[rule];
    }
    return true;
}

static void cleaned_set(const CodecReport *from, Headlight__V1__SanitizeReport *out_report)
{
    out_report->maybe_cleaned_text_case = HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_TEXT_CLEANED_TEXT;
    out_report->cleaned_text = codec_data_of(from->cleaned_text);
    if (!from->has_pair) return;
    out_report->maybe_cleaned_pair_case = HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_PAIR_CLEANED_PAIR;
    out_report->cleaned_pair = codec_data_of(from->cleaned_pair);
}

Headlight__V1__SanitizeReport *codec_report_build(Arena *arena, const CodecReport *report)
{
    Headlight__V1__SanitizeReport *built = arena_allocate(arena, sizeof *built);
    if (!built) return NULL;
    headlight__v1__sanitize_report__init(built);
    built->policy = (Headlight__V1__SanitizePolicy)(report->policy + 1);
    built->level = (Headlight__V1__SanitizeLevel)(report->level + 1);
    if (report->policy == SANITIZE_OFF) return built;
    built->changed = report->changed;
    built->findings = findings_build(arena, &report->text, &built->n_findings);
    built->pair_findings = findings_build(arena, &report->pair, &built->n_pair_findings);
    if ((built->n_findings && !built->findings) || (built->n_pair_findings && !built->pair_findings)) return NULL;
    if (report->has_cleaned) cleaned_set(report, built);
    return totals_build(arena, report, built) ? built : NULL;
}

uint64_t codec_reply_sanitize_bytes(uint32_t count, uint64_t part_count)
{
    return codec_parts_bytes(count, 0, 0, 0) + codec_report_bytes(count, part_count);
}

bool codec_reply_sanitize(Arena *arena, const CodecReport *reports, uint32_t count, CodecReply *out_reply)
{
    Headlight__V1__SanitizeResponse *response = arena_allocate(arena, sizeof *response);
    Headlight__V1__SanitizeReport **list = arena_allocate(arena, count * sizeof *list);
    if (!response || !list) return false;
    headlight__v1__sanitize_response__init(response);
    response->n_reports = count;
    response->reports = list;
    for (uint32_t i = 0; i < count; i++) {
        list[i] = codec_report_build(arena, &reports[i]);
        if (!list[i]) return false;
    }
    out_reply->message = response;
    return true;
}

/* ---- Refusals ---- */

/* Leaves the last finding of the longer list out. */
static bool refusal_shorten(Headlight__V1__SanitizeReport *refusal)
{
    size_t *longer =
        refusal->n_findings > refusal->n_pair_findings ? &refusal->n_findings : &refusal->n_pair_findings;
    if (*longer == 0) return false;
    --*longer;
    return true;
}

size_t codec_refusal_pack(Arena *arena, const CodecReport *report, uint8_t buffer[CODEC_REFUSAL_BYTES_MAX])
{
    CodecReport told = *report;
    told.has_cleaned = false;
    Headlight__V1__SanitizeReport *refusal = codec_report_build(arena, &told);
    if (!refusal) return 0;
    while (headlight__v1__sanitize_report__get_packed_size(refusal) > CODEC_REFUSAL_BYTES_MAX) {
        if (!refusal_shorten(refusal)) return 0; /* totals alone are a few hundred bytes */
    }
    return headlight__v1__sanitize_report__pack(refusal, buffer);
}
