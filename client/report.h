/* What the sanitizer found in texts, as commands show it. */
#pragma once

#include "codec.h"

#include <headlight/v1/headlight.pb-c.h>
#include <stdio.h>

enum { REPORT_CODES_MAX = 64, REPORT_CODE_BYTES = 32 };

/* What was found in many texts. A plain value, zero at first. */
typedef struct ReportTally {
    uint64_t text_count; /* with findings, but for those whose severity is info: they are no news of hostility */
    uint64_t changed_count; /* of them */
    struct {
        char code[REPORT_CODE_BYTES];
        uint64_t count;
    } codes[REPORT_CODES_MAX];
    size_t code_count;
} ReportTally;

void report_tally_add(ReportTally *tally, const Headlight__V1__SanitizeReport *report);
/* A note on standard error, if anything was found. */
void report_tally_note(const ReportTally *tally, bool quiet);

/* Whether it has findings, of the text or of its pair. */
bool report_has_findings(const Headlight__V1__SanitizeReport *report);
/* `"policy":"clean","level":"high",...`: the members of its object. */
void report_print_members(FILE *stream, const Headlight__V1__SanitizeReport *report);
/* `,"sanitization":{...}` */
void report_print_json(FILE *stream, const Headlight__V1__SanitizeReport *report);
/* The findings of a refusal, from its bytes on the wire: a line each on standard error. */
void report_print_refusal(const uint8_t *bytes, size_t size);

/* "high" */
const char *report_severity(Headlight__V1__Severity severity);
