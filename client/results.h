/* How the results of texts are written: in JSON one object a text, in a list of one document or a line each. */
#pragma once

#include "codec.h"
#include "command.h"
#include "report.h"

#include <headlight/v1/headlight.pb-c.h>

typedef struct Results {
    const Settings *settings;
    const char *list; /* the document's member that holds the results, such as "embeddings" */
    uint64_t count;   /* begun so far */
    uint64_t truncated_count;
    ReportTally tally;
} Results;

/* Whether results are objects; otherwise the command prints text of its own. */
bool results_json(const Results *results);
/* Begins a result, whose members the caller prints after it, each starting with a comma; as text, nothing is written.
 * `model`: the reply's; its bytes are NULL where it names none. */
void results_begin(Results *results, TextView model);
/* Ends it with its usage and what the sanitizer found, if it has any. */
void results_end(Results *results, const Headlight__V1__Usage *usage, const Headlight__V1__SanitizeReport *report);
/* Ends the document, and notes how many texts were cut and what was found in them. `model` is named when there
 * was no result. */
void results_finish(Results *results, TextView model);
/* For a command that prints no result a text: counts one, and notes what was counted. */
void results_count(Results *results, const Headlight__V1__Usage *usage,
                   const Headlight__V1__SanitizeReport *report);
void results_note(const Results *results);

/* `,"labels":[{"label":"a","score":0.5}]` */
void results_labels(Headlight__V1__Label *const *labels, size_t count);
/* `,"name":"text"` and `,"name":0.5` */
void results_text(const char *name, TextView text);
void results_float(const char *name, float value);
