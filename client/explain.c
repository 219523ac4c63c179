/* `headlight explain`: why the model answers as it does. */
#include "base/limits.h"
#include "explain_spec.h"
#include "explanation_json.h"
#include "explanation_text.h"
#include "interrupt.h"
#include "output.h"
#include "page.h"
#include "texts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* The first three are OutputFormat's. */
typedef enum ExplainFormat {
    EXPLAIN_TEXT,
    EXPLAIN_JSON,
    EXPLAIN_JSONL,
    EXPLAIN_HTML,
    EXPLAIN_BERTVIZ
} ExplainFormat;
static const char *const explain_formats[] = {"text", "json", "jsonl", "html", "bertviz", NULL};

/* What a page may take of attention unless the user says otherwise: one that a browser opens at once. */
#define EXPLAIN_PAGE_BYTES ((uint64_t)24 << 20)
/* Of a model with thousands of labels, people are shown the best. */
enum { EXPLAIN_LABELS_SHOWN = 10 };
/* Doubles count exactly up to here. */
#define EXPLAIN_SEED_MAX 9007199254740992.0

typedef struct ExplainSettings {
    TextsSettings texts;
    ExplainAsked asked;
    bool pairs;
    const char *output;
} ExplainSettings;

#define EXPLAIN_ASKED(member) offsetof(ExplainSettings, asked.member)

static const Option explain_options[] = {
    {"method", "NAMES", NULL, OPTION_LIST, EXPLAIN_ASKED(methods), NULL, 0, 0, NULL,
     "What is found; may be repeated, or several with commas: attention, value-norm, rollout, occlusion, "
     "gradient-input, integrated-gradients, surrogate-linear, surrogate-tree, anchor-rule, summary. Without it "
     "value-norm; for a page attention and rollout as well; for bertviz attention."},
    {"format", "FORMAT", "HEADLIGHT_FORMAT", OPTION_CHOICE, offsetof(Settings, format), "text", 0, 0,
     explain_formats,
     "text: a picture on a terminal, else a line a token. json, jsonl: all that was found. html: one page that "
     "needs no "
     "network. bertviz: attention as the Python package of that name takes it, a line a text."},
    {"output", "FILE", NULL, OPTION_TEXT, offsetof(ExplainSettings, output), "", 0, 0, NULL,
     "Write to FILE instead of standard output."},
    {"target", "LABEL", NULL, OPTION_TEXT, EXPLAIN_ASKED(target), "", 0, 0, NULL,
     "Which label is explained; without it the predicted one."},
    {"layers", "LIST", NULL, OPTION_TEXT, EXPLAIN_ASKED(layers), "", 0, 0, NULL,
     "Attention of these layers, counted from 0, such as 0,2,5-8; without it of all."},
    {"heads", "LIST", NULL, OPTION_TEXT, EXPLAIN_ASKED(heads), "", 0, 0, NULL,
     "Of these heads; without it of all."},
    {"rows", "ROWS", NULL, OPTION_TEXT, EXPLAIN_ASKED(rows), "", 0, 0, NULL,
     "Attention of pooled: the row that the answer is read from; all; or tokens such as 0,5-8. Without it pooled, "
     "and all "
     "for a page and bertviz."},
    {"form", "FORM", NULL, OPTION_CHOICE, EXPLAIN_ASKED(form), "auto", 0, 0, explain_form_names,
     "dense: each key's weight. top-k: the greatest of a row. sparse: of the keys that the model lets it see. "
     "auto: dense; "
     "for a page top-k where dense takes too much."},
    {"top-k", "COUNT", NULL, OPTION_COUNT, EXPLAIN_ASKED(top_k), NULL, 1, MODEL_POSITION_COUNT_MAX, NULL,
     "How many of a row; without it 8."},
    {"aggregate", "HOW", NULL, OPTION_CHOICE, EXPLAIN_ASKED(aggregate), "none", 0, 0, explain_aggregate_names,
     "A layer's heads together: their mean or their greatest weight."},
    {"weights", "FORMAT", NULL, OPTION_CHOICE, EXPLAIN_ASKED(weights), "auto", 0, 0, explain_weight_names,
     "How weights are sent. auto: float32; for a page float16."},
    {"max-bytes", "BYTES", NULL, OPTION_COUNT, EXPLAIN_ASKED(bytes_max), NULL, 1, EXPLAIN_SEED_MAX, NULL,
     "The largest explanation of a text; a larger one is refused, with its size. Without it as the server says."},
    {"samples", "COUNT", NULL, OPTION_COUNT, EXPLAIN_ASKED(sample_count), NULL, 1, EXPLAIN_SAMPLE_COUNT_MAX, NULL,
     "How many copies of the text the surrogates and the rule ask the model about; without it 1000."},
    {"steps", "COUNT", NULL, OPTION_COUNT, EXPLAIN_ASKED(step_count), NULL, 1, EXPLAIN_STEP_COUNT_MAX, NULL,
     "Points of integrated gradients; without it 50."},
    {"seed", "NUMBER", NULL, OPTION_COUNT, EXPLAIN_ASKED(seed), "0", 0, EXPLAIN_SEED_MAX, NULL,
     "The same seed gives the same explanation."},
    {"faithfulness", NULL, NULL, OPTION_FLAG, EXPLAIN_ASKED(faithfulness), NULL, 0, 0, NULL,
     "How much the answer depends on the tokens with the highest scores: comprehensiveness without them (higher "
     "is "
     "better), sufficiency with them alone (lower is better)."},
    {"removal", "HOW", NULL, OPTION_CHOICE, EXPLAIN_ASKED(removal), "auto", 0, 0, explain_removal_names,
     "How words are taken out of copies of the text: by mask tokens, or deleted. auto: surrogates and the rule "
     "delete, occlusion and faithfulness mask where the model has a mask token."},
    {"pairs", NULL, NULL, OPTION_FLAG, offsetof(ExplainSettings, pairs), NULL, 0, 0, NULL, TEXTS_PAIRS_HELP},
};

typedef struct ExplainRun {
    const ExplainSettings *settings;
    ExplainSpec spec;
    bool free_form; /* rows and form are ours to choose */
    Results results;
    Explanations found; /* of the text under way */
    Arena models_arena;
    const Headlight__V1__ModelInfo *model; /* NULL: the server does not name it */
    bool models_known;
    bool picture, colours;
    int output;   /* descriptor; -1: standard output, or it stands there already */
    bool created; /* the file of --output is ours */
    bool begun;   /* something was printed */
} ExplainRun;

static ExplainFormat explain_format(const ExplainRun *run)
{
    return (ExplainFormat)run->settings->texts.common.format;
}

/* ---- Asking ---- */

/* What a page says of the model. */
static Status explain_ask_models(ExplainRun *run, Channel *channel, Error *out_error)
{
    if (run->models_known || explain_format(run) != EXPLAIN_HTML) return STATUS_OK;
    const Settings *settings = &run->settings->texts.common;
    Headlight__V1__ListModelsRequest request = HEADLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    ProtobufCMessage *reply;
    Status status =
        call_message(channel, settings, "/headlight.v1.Inference/ListModels", &request.base,
                     &headlight__v1__list_models_response__descriptor, &run->models_arena, &reply, out_error);
    if (status != STATUS_OK) return status;
    const Headlight__V1__ListModelsResponse *models = (const Headlight__V1__ListModelsResponse *)reply;
    for (size_t index = 0; index < models->n_models; index++) {
        bool named = text_equal(codec_view(models->models[index]->name), text_view(settings->model));
        if (*settings->model ? named : models->models[index]->is_default) run->model = models->models[index];
    }
    run->models_known = true;
    return STATUS_OK;
}

static void explain_begin(void *context)
{
    explanation_clear(&((ExplainRun *)context)->found);
}

static Status explain_part(void *context, const uint8_t *bytes, size_t size, Error *out_error)
{
    return explanation_add(&((ExplainRun *)context)->found, bytes, size, out_error);
}

static Status explain_ask_once(ExplainRun *run, Channel *channel, const Headlight__V1__ExplainRequest *message,
                               Failure *out_failure, Error *out_error)
{
    uint8_t *bytes;
    CallRequest request = {.method = "/headlight.v1.Inference/Explain"};
    const CallParts parts = {explain_begin, explain_part, run};
    Status status = codec_pack(&message->base, &bytes, &request.size, out_error);
    if (status != STATUS_OK) return status;
    request.bytes = bytes;
    status = call_parts(channel, &run->settings->texts.common, &request, &parts, out_failure, out_error);
    free(bytes);
    return status;
}

/* A cheaper form of attention than the last one; false when there is none. */
static bool explain_cheapen(ExplainRun *run)
{
    Headlight__V1__ExplanationSpec *spec = &run->spec.message;
    if (!run->free_form || spec->rows == HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_POOLED) return false;
    bool quiet = run->settings->texts.common.quiet;
    if (spec->form == HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_DENSE) {
        spec->form = HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_TOP_K;
        output_note(quiet, "all weights take too much for a page: it gets the greatest of each row (--top-k)");
    } else {
        spec->form = HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_DENSE;
        spec->rows = HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_POOLED;
        output_note(quiet,
                    "these take too much as well: it gets the row that the answer is read from; --layers and "
                    "--heads make room for others");
    }
    return true;
}

static void explain_choose_form(ExplainRun *run)
{
    Headlight__V1__ExplanationSpec *spec = &run->spec.message;
    if (!run->free_form) return;
    spec->rows = HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_ALL;
    spec->form = HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_DENSE;
    if (!spec->max_bytes) spec->max_bytes = EXPLAIN_PAGE_BYTES;
}

static Status explain_ask(ExplainRun *run, Channel *channel, Headlight__V1__ExplainRequest *message,
                          Failure *out_failure, Error *out_error)
{
    explain_choose_form(run);
    for (;;) {
        Status status = explain_ask_once(run, channel, message, out_failure, out_error);
        bool too_large = out_failure->code == FAILURE_RESOURCE_EXHAUSTED && !out_failure->retry_hinted;
        if (status == STATUS_OK || !too_large || !explain_cheapen(run)) return status;
    }
}

/* ---- Printing ---- */

/* What a text's explanations are printed with. */
typedef struct ExplainText {
    TextView text, pair;
    const Headlight__V1__ExplainChunk *answer;
    char location[INPUT_LOCATION_BYTES];
    char details[256];
} ExplainText;

static size_t explain_labels_shown(const ExplainText *text)
{
    return text->answer->n_labels < EXPLAIN_LABELS_SHOWN ? text->answer->n_labels : EXPLAIN_LABELS_SHOWN;
}

static void explain_print_json(ExplainRun *run, const ExplainText *text)
{
    Explanation explanation;
    results_begin(&run->results, codec_view(text->answer->model));
    if (text->answer->n_labels) results_labels(text->answer->labels, text->answer->n_labels);
    fputs(",\"explanations\":[", stdout);
    for (size_t position = 0, count = 0; explanation_next(&run->found, &position, &explanation); count++) {
        if (count) putchar(',');
        explanation_print_json(stdout, &explanation);
    }
    putchar(']');
    results_end(&run->results, text->answer->usage, text->answer->sanitization);
}

static Status explain_print_text(ExplainRun *run, const ExplainText *text, Error *out_error)
{
    Explanation explanation;
    Status status = STATUS_OK;
    uint64_t index = run->results.count;
    results_begin(&run->results, (TextView){0});
    if (run->picture) {
        fputs(run->colours ? "\x1B[1m" : "", stdout);
        output_plain_text(stdout, text_view(text->location));
        fputs(run->colours ? "\x1B[0m:" : ":", stdout);
        for (size_t label = 0; label < explain_labels_shown(text); label++) {
            fputs(label ? ", " : " ", stdout);
            output_plain_text(stdout, codec_view(text->answer->labels[label]->label));
            printf(" %.3f", (double)text->answer->labels[label]->score);
        }
        putchar('\n');
    }
    for (size_t position = 0; status == STATUS_OK && explanation_next(&run->found, &position, &explanation);)
        status = run->picture
                     ? explanation_print_heat(&explanation, text->text, text->pair, run->colours, out_error)
                     : explanation_print_lines(&explanation, index, out_error);
    results_end(&run->results, text->answer->usage, text->answer->sanitization);
    return status;
}

static Status explain_print_page(ExplainRun *run, ExplainText *text, Error *out_error)
{
    Explanation explanation;
    const Headlight__V1__ModelInfo *model = run->model;
    PageAnswer answer = {.model = codec_view(text->answer->model), .location = text_view(text->location)};
    if (model)
        snprintf(text->details, sizeof text->details,
                 "%.*s, %" PRIu32 " layers of %" PRIu32 " heads, %.*s attention", (int)model->architecture.len,
                 (const char *)model->architecture.data, model->layer_count, model->head_count,
                 (int)model->attention.len, (const char *)model->attention.data);
    answer.details = text_view(text->details);
    answer.labels = text->answer->labels;
    answer.label_count = explain_labels_shown(text);
    Status status = run->begun ? STATUS_OK : page_begin(out_error);
    for (size_t position = 0; status == STATUS_OK && explanation_next(&run->found, &position, &explanation);)
        status = page_add(&explanation, text->text, text->pair, &answer, out_error);
    return status;
}

static Status explain_print_bertviz(ExplainRun *run, Error *out_error)
{
    Explanation explanation;
    Status status = STATUS_OK;
    for (size_t position = 0; status == STATUS_OK && explanation_next(&run->found, &position, &explanation);)
        status = explanation_print_bertviz(&explanation, out_error);
    return status;
}

/* The file is emptied when there is something to write, so that a failure keeps what was there. */
static Status explain_open_output(ExplainRun *run, Error *out_error)
{
    if (run->output < 0) return STATUS_OK;
    bool emptied = ftruncate(run->output, 0) == 0 || errno == EINVAL; /* what is no plain file has no length */
    bool moved = emptied && dup2(run->output, STDOUT_FILENO) >= 0;
    if (!moved) return error_set(out_error, STATUS_IO, "%s: %s", run->settings->output, strerror(errno));
    close(run->output);
    run->output = -1;
    return STATUS_OK;
}

static Status explain_print(ExplainRun *run, ExplainText *text, Error *out_error)
{
    Status status = explain_open_output(run, out_error);
    if (status != STATUS_OK) return status;
    switch (explain_format(run)) {
    case EXPLAIN_TEXT:
        status = explain_print_text(run, text, out_error);
        break;
    case EXPLAIN_JSON:
    case EXPLAIN_JSONL:
        explain_print_json(run, text);
        break;
    case EXPLAIN_HTML:
        status = explain_print_page(run, text, out_error);
        break;
    case EXPLAIN_BERTVIZ:
        status = explain_print_bertviz(run, out_error);
        break;
    }
    run->begun = true;
    return status;
}

/* ---- The run ---- */

static Status explain_text(void *context, Channel *channel, Batch *batch, const Input *input, Failure *out_failure,
                           Error *out_error)
{
    ExplainRun *run = context;
    static const Headlight__V1__ExplainChunk nothing = HEADLIGHT__V1__EXPLAIN_CHUNK__INIT;
    Headlight__V1__ExplainRequest message = HEADLIGHT__V1__EXPLAIN_REQUEST__INIT;
    TextsOptions options;
    Headlight__V1__Text **inputs;
    size_t count;
    Status status = texts_inputs(batch, input, run->settings->pairs, &inputs, &count, out_error);
    if (status == STATUS_OK) status = explain_ask_models(run, channel, out_error);
    if (status != STATUS_OK) return status;
    texts_options(&run->settings->texts, &options);
    options.options.explanation = &run->spec.message;
    message.model = codec_text(text_view(run->settings->texts.common.model));
    message.input = inputs[0];
    message.options = &options.options;
    status = explain_ask(run, channel, &message, out_failure, out_error);
    if (status != STATUS_OK && out_failure->code != 0 && !interrupt_signal())
        return exchange_explain(out_failure, channel_address(channel), input, batch_first_index(batch), 1,
                                out_error);
    if (status != STATUS_OK) return status;
    ExplainText text = {codec_view(inputs[0]->text), codec_view(inputs[0]->pair), .answer = run->found.answer};
    if (!text.answer) text.answer = &nothing;
    input_locate(input, batch_first_index(batch), batch_first_index(batch), text.location);
    status = explain_print(run, &text, out_error);
    explanation_clear(&run->found);
    return status;
}

static void explain_finish(void *context)
{
    ExplainRun *run = context;
    if (explain_format(run) == EXPLAIN_HTML && run->begun) page_end();
    run->begun = false;
    if (explain_format(run) <= EXPLAIN_JSONL)
        results_finish(&run->results, text_view(run->settings->texts.common.model));
}

static bool explain_has_matrices(const ExplainRun *run)
{
    const Headlight__V1__ExplanationSpec *spec = &run->spec.message;
    bool dense = spec->form == HEADLIGHT__V1__ATTENTION_FORM__ATTENTION_FORM_DENSE;
    return dense && spec->rows == HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_ALL;
}

/* What the format needs where the user did not say. */
static Status explain_prepare(ExplainRun *run, Error *out_error)
{
    const ExplainAsked *asked = &run->settings->asked;
    ExplainFormat format = explain_format(run);
    Status status = explain_spec_make(asked, &run->spec, out_error);
    if (status != STATUS_OK) return status;
    bool none = run->spec.message.n_methods == 0;
    if (format == EXPLAIN_BERTVIZ || (none && format == EXPLAIN_HTML))
        explain_spec_add(&run->spec, HEADLIGHT__V1__EXPLANATION_METHOD__EXPLANATION_METHOD_ATTENTION);
    if (none && format == EXPLAIN_HTML)
        explain_spec_add(&run->spec, HEADLIGHT__V1__EXPLANATION_METHOD__EXPLANATION_METHOD_ROLLOUT);
    if (none && format != EXPLAIN_BERTVIZ)
        explain_spec_add(&run->spec, HEADLIGHT__V1__EXPLANATION_METHOD__EXPLANATION_METHOD_VALUE_NORM);
    if (format == EXPLAIN_BERTVIZ && !*asked->rows)
        run->spec.message.rows = HEADLIGHT__V1__ATTENTION_ROWS__ATTENTION_ROWS_ALL;
    if (format == EXPLAIN_BERTVIZ && !explain_has_matrices(run))
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "bertviz wants every row, and each one dense: leave out --rows and --form");
    if (format == EXPLAIN_HTML && !asked->weights)
        run->spec.message.weight_format = HEADLIGHT__V1__WEIGHT_FORMAT__WEIGHT_FORMAT_FLOAT16;
    run->free_form = format == EXPLAIN_HTML && !*asked->rows && !asked->form &&
                     explain_spec_has(&run->spec, HEADLIGHT__V1__EXPLANATION_METHOD__EXPLANATION_METHOD_ATTENTION);
    if (*run->settings->output) {
        run->created = access(run->settings->output, F_OK) != 0;
        run->output = open(run->settings->output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (run->output < 0)
            return error_set(out_error, STATUS_IO, "%s: %s", run->settings->output, strerror(errno));
    }
    return STATUS_OK;
}

static int explain_run(const void *values, char *const *arguments, size_t argument_count)
{
    const ExplainSettings *settings = values;
    bool terminal = isatty(STDOUT_FILENO) && !*settings->output;
    ExplainRun run = {
        .settings = settings,
        .results = {.settings = &settings->texts.common, .list = "explained"},
        .picture = terminal,
        .colours = terminal && !getenv("NO_COLOR"),
        .output = -1,
    };
    const TextsTask task = {.ask = explain_text, .finish = explain_finish, .context = &run};
    Error error;
    Status status = explain_prepare(&run, &error);
    int code =
        status == STATUS_OK ? texts_run(&task, &settings->texts, arguments, argument_count) : output_fail(&error);
    if (run.begun && explain_format(&run) == EXPLAIN_HTML)
        page_end(); /* of the texts before the one that failed */
    explain_spec_free(&run.spec);
    explanation_clear(&run.found);
    arena_free(&run.models_arena);
    if (run.output >= 0) close(run.output);
    if (run.output >= 0 && run.created) unlink(settings->output); /* nothing was written */
    return code;
}

const Command explain_command = {
    .name = "explain",
    .arguments = "[TEXT...]",
    .summary = "Say why the model answers as it does",
    .details =
        "On a terminal, shows each text with the tokens coloured that count: orange for the answer, blue against "
        "it.\n"
        "Otherwise prints a line a token: the text's number from 0, the method, the token's number, its begin and "
        "end\n"
        "in bytes, the token and its score, separated by tabs. Attention is then the mean of all its weights. A\n"
        "linear surrogate is a line a word with its weight, a tree a line a node (its number, its condition, "
        "where it\n"
        "goes on with and without it, its score, its samples), a rule a line a condition, a summary one line.\n\n"
        "  headlight explain 'A film that is funny and touching.'\n"
        "  headlight explain --method integrated-gradients,summary --faithfulness 'A dull film.'\n"
        "  headlight explain --format html --output page.html --method attention,rollout,value-norm,occlusion 'A "
        "film.'\n"
        "  headlight explain --format bertviz --output attention.json 'A film.'",
    .options = explain_options,
    .option_count = sizeof explain_options / sizeof *explain_options,
    .settings_size = sizeof(ExplainSettings),
    .shared =
        (TEXTS_SHARED & ~COMMAND_OUTPUT) | COMMAND_QUIET | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_SANITIZE,
    .run = explain_run,
};
