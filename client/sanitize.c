/* `headlight sanitize`: what is hostile in texts, and the texts without it. */
#include "output.h"
#include "picture.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

typedef enum SanitizeShow { SANITIZE_AUTO, SANITIZE_DIFF, SANITIZE_FINDINGS, SANITIZE_TEXT } SanitizeShow;
static const char *const sanitize_show_names[] = {"auto", "diff", "findings", "text", NULL};

typedef struct SanitizeSettings {
    TextsSettings texts;
    uint64_t show; /* SanitizeShow */
} SanitizeSettings;

static const Option sanitize_options[] = {
    {"policy", "POLICY", NULL, OPTION_CHOICE, offsetof(TextsSettings, sanitize), "clean", 0, 0,
     texts_sanitize_names,
     "What is done. report: findings are told. clean: the text is repaired as well. reject: it is refused where "
     "--level says so. off: only UTF-8 is checked. server: as the server does by itself, but report at least."},
    {"level", "LEVEL", NULL, OPTION_CHOICE, offsetof(TextsSettings, sanitize_level), "server", 0, 0,
     texts_level_names, TEXTS_LEVEL_HELP},
    {"enable", "CODES", NULL, OPTION_TEXT, offsetof(TextsSettings, sanitize_enable), "", 0, 0, NULL,
     TEXTS_ENABLE_HELP},
    {"show", "WHAT", NULL, OPTION_CHOICE, offsetof(SanitizeSettings, show), "auto", 0, 0, sanitize_show_names,
     "With --format text. diff: each text with findings, its changes marked, and what was found. findings: a line "
     "a "
     "finding. text: the texts alone, cleaned, as a filter gives them. auto: diff on a terminal, else findings."},
    {"model", "NAME", "HEADLIGHT_CLIENT_MODEL", OPTION_TEXT, offsetof(Settings, model), "", 0, 0, NULL,
     "A model whose tokens are looked at too; without it the text alone."},
};

/* A request is one text unless it is cleaned, so that no others are refused with it: what is not UTF-8 always is. */
typedef struct SanitizeRun {
    const SanitizeSettings *settings;
    Results results;
    const Input *input;
    SanitizeShow show;
    bool colours;
    uint64_t refused_count;
} SanitizeRun;

static size_t sanitize_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__SanitizeResponse *)reply)->n_reports;
}

static Status sanitize_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                            Error *out_error)
{
    SanitizeRun *run = context;
    const TextsSettings *settings = &run->settings->texts;
    Headlight__V1__SanitizeRequest message = HEADLIGHT__V1__SANITIZE_REQUEST__INIT;
    run->input = input;
    TextsCodes enabled = texts_codes(settings);
    message.model = codec_text(text_view(settings->common.model));
    message.policy = (Headlight__V1__SanitizePolicy)settings->sanitize;
    message.sanitize_level = (Headlight__V1__SanitizeLevel)settings->sanitize_level;
    message.sanitize_enable = enabled.codes;
    message.n_sanitize_enable = enabled.count;
    Status status = texts_inputs(batch, input, false, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

/* ---- One text ---- */

static const char *sanitize_colour(Headlight__V1__Severity severity)
{
    if (severity >= HEADLIGHT__V1__SEVERITY__SEVERITY_HIGH) return "\x1B[1;31m";
    return severity == HEADLIGHT__V1__SEVERITY__SEVERITY_MEDIUM ? "\x1B[33m" : "\x1B[36m";
}

/* A line a finding: the text's number from 0, code, severity, byte range, count, action, detail. */
static void sanitize_print_findings(uint64_t index, const Headlight__V1__SanitizeReport *report)
{
    for (size_t number = 0; number < report->n_findings; number++) {
        const Headlight__V1__Finding *finding = report->findings[number];
        printf("%" PRIu64 "\t", index);
        output_plain_text(stdout, codec_view(finding->code));
        printf("\t%s\t%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t", report_severity(finding->severity),
               finding->byte_begin, finding->byte_end, finding->count);
        output_plain_text(stdout, codec_view(finding->action));
        putchar('\t');
        output_plain_text(stdout, codec_view(finding->detail));
        putchar('\n');
    }
}

static int sanitize_compare(const void *left, const void *right)
{
    const ByteRange *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return a->end < b->end ? -1 : a->end > b->end;
}

/* The text with its findings marked. */
static Status sanitize_print_found(const SanitizeRun *run, TextView text,
                                   const Headlight__V1__SanitizeReport *report, Error *out_error)
{
    ByteRange *ranges = calloc(report->n_findings + 1, sizeof *ranges);
    if (!ranges) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    for (size_t number = 0; number < report->n_findings; number++) {
        const Headlight__V1__Finding *finding = report->findings[number];
        uint32_t end = finding->byte_end < text.size ? finding->byte_end : (uint32_t)text.size;
        ranges[number] = (ByteRange){finding->byte_begin < end ? finding->byte_begin : end, end};
    }
    qsort(ranges, report->n_findings, sizeof *ranges, sanitize_compare);
    picture_print_found(stdout, text, ranges, report->n_findings, run->colours);
    free(ranges);
    return STATUS_OK;
}

/* The text with its changes marked. */
static Status sanitize_print_diff(const SanitizeRun *run, TextView text, TextView cleaned, Error *out_error)
{
    DiffPiece *pieces = NULL;
    size_t count = 0;
    Status status = diff_texts(text, cleaned, &pieces, &count, out_error);
    if (status == STATUS_OK) picture_print_diff(stdout, text, cleaned, pieces, count, run->colours);
    free(pieces);
    return status;
}

static bool sanitize_cleaned(const Headlight__V1__SanitizeReport *report)
{
    return report->maybe_cleaned_text_case == HEADLIGHT__V1__SANITIZE_REPORT__MAYBE_CLEANED_TEXT_CLEANED_TEXT;
}

static Status sanitize_print_picture(const SanitizeRun *run, uint64_t index, TextView text,
                                     const Headlight__V1__SanitizeReport *report, Error *out_error)
{
    if (!report_has_findings(report) && !report->changed) return STATUS_OK;
    char location[INPUT_LOCATION_BYTES];
    input_locate(run->input, index, index, location);
    fputs(run->colours ? "\x1B[1m" : "", stdout);
    output_plain_text(stdout, text_view(location));
    fputs(run->colours ? "\x1B[0m:\n    " : ":\n    ", stdout);
    Status status = report->changed && sanitize_cleaned(report)
                        ? sanitize_print_diff(run, text, codec_view(report->cleaned_text), out_error)
                        : sanitize_print_found(run, text, report, out_error);
    putchar('\n');
    for (size_t number = 0; number < report->n_findings; number++) {
        const Headlight__V1__Finding *finding = report->findings[number];
        printf("  %s%-8s%s ", run->colours ? sanitize_colour(finding->severity) : "",
               report_severity(finding->severity), run->colours ? "\x1B[0m" : "");
        TextView code = codec_view(finding->code);
        output_plain_text(stdout, code);
        printf("%*s bytes %" PRIu32 " to %" PRIu32 ", ", code.size < 18 ? (int)(18 - code.size) : 0, "",
               finding->byte_begin, finding->byte_end);
        output_plain_text(stdout, codec_view(finding->action));
        if (finding->detail.len) fputs(": ", stdout);
        picture_print_text(stdout, codec_view(finding->detail));
        putchar('\n');
    }
    return status;
}

/* As a filter: what was not cleaned passes as it came. */
static void sanitize_print_cleaned(const SanitizeRun *run, TextView text,
                                   const Headlight__V1__SanitizeReport *report)
{
    if (sanitize_cleaned(report)) text = codec_view(report->cleaned_text);
    fwrite(text.bytes, 1, text.size, stdout);
    putchar(run->settings->texts.null_separated ? '\0' : '\n');
}

static Status sanitize_print(SanitizeRun *run, uint64_t index, TextView text,
                             const Headlight__V1__SanitizeReport *report, bool refused, Error *out_error)
{
    Status status = STATUS_OK;
    results_begin(&run->results, (TextView){0});
    if (results_json(&run->results)) {
        printf(",\"refused\":%s,", refused ? "true" : "false");
        report_print_members(stdout, report);
    } else if (run->show == SANITIZE_FINDINGS) {
        sanitize_print_findings(index, report);
    } else if (run->show == SANITIZE_DIFF) {
        status = sanitize_print_picture(run, index, text, report, out_error);
    } else if (!refused) {
        sanitize_print_cleaned(run, text, report);
    }
    results_count(&run->results, NULL, report);
    results_end(&run->results, NULL, NULL);
    return status;
}

/* ---- Requests ---- */

static Status sanitize_answer(void *context, const ExchangeRequest *request, const ProtobufCMessage *message,
                              Error *out_error)
{
    const Headlight__V1__SanitizeResponse *reply = (const Headlight__V1__SanitizeResponse *)message;
    Arena arena;
    ProtobufCMessage *unpacked;
    Status status = codec_unpack(&arena, &headlight__v1__sanitize_request__descriptor, request->bytes,
                                 request->size, &unpacked, out_error);
    for (size_t index = 0; index < reply->n_reports && status == STATUS_OK; index++) {
        const Headlight__V1__SanitizeRequest *asked = (const Headlight__V1__SanitizeRequest *)unpacked;
        status = sanitize_print(context, request->first_index + index, codec_view(asked->inputs[index]->text),
                                reply->reports[index], false, out_error);
    }
    arena_free(&arena);
    return status;
}

static Status sanitize_refused(void *context, const ExchangeRequest *request, const Failure *failure,
                               Error *out_error)
{
    SanitizeRun *run = context;
    if (request->text_count != 1) return out_error->status; /* nothing that is cleaned should be refused */
    Arena arena, text_arena = {0};
    ProtobufCMessage *report, *unpacked = NULL;
    Status status = codec_unpack(&arena, &headlight__v1__sanitize_report__descriptor, failure->report,
                                 failure->report_size, &report, out_error);
    if (status == STATUS_OK)
        status = codec_unpack(&text_arena, &headlight__v1__sanitize_request__descriptor, request->bytes,
                              request->size, &unpacked, out_error);
    if (status == STATUS_OK) {
        const Headlight__V1__SanitizeRequest *asked = (const Headlight__V1__SanitizeRequest *)unpacked;
        run->refused_count++;
        status = sanitize_print(run, request->first_index, codec_view(asked->inputs[0]->text),
                                (const Headlight__V1__SanitizeReport *)report, true, out_error);
    }
    arena_free(&text_arena);
    arena_free(&arena);
    return status;
}

static void sanitize_finish(void *context)
{
    SanitizeRun *run = context;
    results_finish(&run->results, (TextView){0});
    if (run->refused_count)
        output_note(run->settings->texts.common.quiet, "texts that were refused: %" PRIu64, run->refused_count);
}

static int sanitize_run(const void *values, char *const *arguments, size_t argument_count)
{
    SanitizeSettings settings = *(const SanitizeSettings *)values;
    bool terminal = isatty(STDOUT_FILENO);
    SanitizeRun run = {
        .settings = &settings,
        .results = {.settings = &settings.texts.common, .list = "reports"},
        .show = (SanitizeShow)settings.show,
        .colours = terminal && !getenv("NO_COLOR"),
    };
    if (run.show == SANITIZE_AUTO) run.show = terminal ? SANITIZE_DIFF : SANITIZE_FINDINGS;
    if (settings.texts.sanitize != HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN) settings.texts.batch = 1;
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Sanitize",
                 .reply_type = &headlight__v1__sanitize_response__descriptor,
                 .result_count = sanitize_count},
        .pack = sanitize_pack,
        .answer = sanitize_answer,
        .refused = sanitize_refused,
        .malformed = true,
        .finish = sanitize_finish,
        .context = &run,
    };
    int code = texts_run(&task, &settings.texts, arguments, argument_count);
    return code == EXIT_DONE && run.refused_count ? EXIT_REFUSED : code;
}

const Command sanitize_command = {
    .name = "sanitize",
    .arguments = "[TEXT...]",
    .summary = "Find what is hostile in texts, and clean them",
    .details =
        "Texts are the arguments, or the lines of --file or of standard input. On a terminal, shows each text in\n"
        "which something was found, with what cleaning removes and puts there. Otherwise prints a line a "
        "finding:\n"
        "the text's number from 0, the finding's code, severity, begin and end in bytes, how many characters,\n"
        "what is done about them, and a detail such as a hidden message, separated by tabs.\n\n"
        "  headlight sanitize 'some text'\n"
        "  headlight sanitize --show text < texts.txt > clean.txt\n"
        "  headlight sanitize --policy reject --level moderate --file texts.txt   # exit code 3: refused one",
    .options = sanitize_options,
    .option_count = sizeof sanitize_options / sizeof *sanitize_options,
    .settings_size = sizeof(SanitizeSettings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES | COMMAND_TEXTS | COMMAND_BATCH,
    .run = sanitize_run,
};
