#include "results.h"

#include "output.h"

#include <inttypes.h>

bool results_json(const Results *results)
{
    return results->settings->format != OUTPUT_TEXT;
}

static void results_open_document(const Results *results, TextView model)
{
    putchar('{');
    if (model.bytes) {
        fputs("\"model\":", stdout);
        output_json_text(stdout, model);
        putchar(',');
    }
    printf("\"%s\":[", results->list);
}

void results_begin(Results *results, TextView model)
{
    uint64_t index = results->count++;
    bool document = results->settings->format == OUTPUT_JSON;
    if (!results_json(results)) return;
    if (document && index == 0) results_open_document(results, model);
    if (document && index > 0) fputs(",\n", stdout);
    printf("{\"index\":%" PRIu64, index);
    if (!document && model.bytes) results_text("model", model);
}

static void results_usage(const Headlight__V1__Usage *usage)
{
    printf(",\"usage\":{\"token_count\":%" PRIu32 ",\"text_token_count\":%" PRIu32
           ",\"truncated\":%s,\"chunk_count\":%" PRIu32,
           usage->token_count, usage->text_token_count, usage->truncated ? "true" : "false", usage->chunk_count);
    results_text("attention", codec_view(usage->attention));
    putchar('}');
}

void results_count(Results *results, const Headlight__V1__Usage *usage,
                   const Headlight__V1__SanitizeReport *report)
{
    if (usage && usage->truncated) results->truncated_count++;
    if (report) report_tally_add(&results->tally, report);
}

void results_end(Results *results, const Headlight__V1__Usage *usage, const Headlight__V1__SanitizeReport *report)
{
    results_count(results, usage, report);
    if (!results_json(results)) return;
    if (usage) results_usage(usage);
    if (report) report_print_json(stdout, report);
    fputs(results->settings->format == OUTPUT_JSONL ? "}\n" : "}", stdout);
}

void results_finish(Results *results, TextView model)
{
    if (results->settings->format == OUTPUT_JSON) {
        if (results->count == 0) results_open_document(results, model);
        puts("]}");
    }
    results_note(results);
}

void results_note(const Results *results)
{
    if (results->truncated_count)
        output_note(results->settings->quiet, "texts that were too long and were cut: %" PRIu64,
                    results->truncated_count);
    report_tally_note(&results->tally, results->settings->quiet);
}

void results_text(const char *name, TextView text)
{
    printf(",\"%s\":", name);
    output_json_text(stdout, text);
}

void results_float(const char *name, float value)
{
    printf(",\"%s\":", name);
    output_float(stdout, value);
}

void results_labels(Headlight__V1__Label *const *labels, size_t count)
{
    fputs(",\"labels\":[", stdout);
    for (size_t index = 0; index < count; index++) {
        fputs(index ? ",{\"label\":" : "{\"label\":", stdout);
        output_json_text(stdout, codec_view(labels[index]->label));
        results_float("score", labels[index]->score);
        putchar('}');
    }
    putchar(']');
}
