#include "report.h"

#include "output.h"
#include "texts.h"

#include <inttypes.h>

static const char *const report_severities[] = {"unspecified", "info", "low", "medium", "high", "critical", NULL};

/* A newer server's value has no name here: `names` end with NULL. */
static const char *report_name(const char *const *names, int value)
{
    for (int i = 0; names[i]; i++)
        if (i == value) return names[i];
    return "unknown";
}

const char *report_severity(Headlight__V1__Severity severity)
{
    return report_name(report_severities, (int)severity);
}

bool report_has_findings(const Headlight__V1__SanitizeReport *report)
{
    return report->n_findings > 0 || report->n_pair_findings > 0;
}

/* ---- Many texts ---- */

static void report_tally_count(ReportTally *tally, TextView code, uint64_t count)
{
    size_t row = 0;
    while (row < tally->code_count && !text_equal(text_view(tally->codes[row].code), code)) row++;
    if (row == REPORT_CODES_MAX || code.size >= REPORT_CODE_BYTES) return;
    if (row == tally->code_count) {
        memcpy(tally->codes[row].code, code.bytes, code.size);
        tally->code_count++;
    }
    tally->codes[row].count += count;
}

static bool report_is_grave(Headlight__V1__Finding *const *findings, size_t count)
{
    for (size_t index = 0; index < count; index++)
        if (findings[index]->severity > HEADLIGHT__V1__SEVERITY__SEVERITY_INFO) return true;
    return false;
}

void report_tally_add(ReportTally *tally, const Headlight__V1__SanitizeReport *report)
{
    if (!report_is_grave(report->findings, report->n_findings) &&
        !report_is_grave(report->pair_findings, report->n_pair_findings))
        return;
    tally->text_count++;
    if (report->changed) tally->changed_count++;
    for (size_t index = 0; index < report->n_totals; index++)
        report_tally_count(tally, codec_view(report->totals[index]->code), report->totals[index]->count);
}

void report_tally_note(const ReportTally *tally, bool quiet)
{
    if (quiet || tally->text_count == 0) return;
    fprintf(stderr, "headlight: texts with findings: %" PRIu64 ", cleaned: %" PRIu64, tally->text_count,
            tally->changed_count);
    for (size_t row = 0; row < tally->code_count; row++) {
        fputs(row ? ", " : " (", stderr);
        output_plain_text(stderr, text_view(tally->codes[row].code));
        fprintf(stderr, " %" PRIu64, tally->codes[row].count);
    }
    fputs(tally->code_count ? ")\n" : "\n", stderr);
}

/* ---- One text ---- */

static void report_print_text(FILE *stream, const char *name, TextView text)
{
    fprintf(stream, ",\"%s\":", name);
    output_json_text(stream, text);
}

static void report_print_findings(FILE *stream, const char *name, Headlight__V1__Finding *const *findings,
                                  size_t count)
{
    fprintf(stream, ",\"%s\":[", name);
    for (size_t index = 0; index < count; index++) {
        const Headlight__V1__Finding *finding = findings[index];
        fputs(index ? ",{\"code\":" : "{\"code\":", stream);
        output_json_text(stream, codec_view(finding->code));
        report_print_text(stream, "severity", text_view(report_severity(finding->severity)));
        fprintf(stream, ",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 ",\"count\":%" PRIu32,
                finding->byte_begin, finding->byte_end, finding->count);
        report_print_text(stream, "action", codec_view(finding->action));
        report_print_text(stream, "detail", codec_view(finding->detail));
        putc('}', stream);
    }
    putc(']', stream);
}

void report_print_members(FILE *stream, const Headlight__V1__SanitizeReport *report)
{
    const char *policy = report_name(texts_sanitize_names, (int)report->policy);
    const char *level = report_name(texts_level_names, (int)report->level);
    fprintf(stream, "\"policy\":\"%s\",\"level\":\"%s\",\"changed\":%s", policy, level,
            report->changed ? "true" : "false");
    report_print_findings(stream, "findings", report->findings, report->n_findings);
    if (report->n_pair_findings)
        report_print_findings(stream, "pair_findings", report->pair_findings, report->n_pair_findings);
    fputs(",\"totals\":{", stream);
    for (size_t index = 0; index < report->n_totals; index++) {
        if (index) putc(',', stream);
        output_json_text(stream, codec_view(report->totals[index]->code));
        fprintf(stream, ":%" PRIu32, report->totals[index]->count);
    }
    putc('}', stream);
    if (report->maybe_cleaned_text_case == HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_TEXT_CLEANED_TEXT)
        report_print_text(stream, "cleaned_text", codec_view(report->cleaned_text));
    if (report->maybe_cleaned_pair_case == HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_PAIR_CLEANED_PAIR)
        report_print_text(stream, "cleaned_pair", codec_view(report->cleaned_pair));
}

void report_print_json(FILE *stream, const Headlight__V1__SanitizeReport *report)
{
    fputs(",\"sanitization\":{", stream);
    report_print_members(stream, report);
    putc('}', stream);
}

static void report_print_lines(FILE *stream, const char *of, Headlight__V1__Finding *const *findings, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        const Headlight__V1__Finding *finding = findings[index];
        fprintf(stream, "  %s\t", report_severity(finding->severity));
        output_plain_text(stream, codec_view(finding->code));
        fprintf(stream, "\tbytes %" PRIu32 " to %" PRIu32 "%s\t", finding->byte_begin, finding->byte_end, of);
        output_plain_text(stream, codec_view(finding->detail));
        putc('\n', stream);
    }
}

void report_print_refusal(const uint8_t *bytes, size_t size)
{
    Arena arena;
    ProtobufCMessage *message;
    Status status = codec_unpack(&arena, &headlight__v1__sanitize_report__descriptor, bytes, size, &message, NULL);
    if (status == STATUS_OK) {
        const Headlight__V1__SanitizeReport *report = (const Headlight__V1__SanitizeReport *)message;
        report_print_lines(stderr, "", report->findings, report->n_findings);
        report_print_lines(stderr, " of the pair", report->pair_findings, report->n_pair_findings);
    }
    arena_free(&arena);
}
