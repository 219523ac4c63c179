#include "texts.h"

#include "base/clock.h"
#include "output.h"

#include <assert.h>
#include <string.h>

/* While answers are due and the input is silent: how long one of them may have to wait for the other. */
#define TEXTS_IDLE_NS (2 * NS_PER_MS)
enum { TEXTS_IDLE_MS = 200 };

const char *const texts_truncate_names[] = {"no", "right", "left", NULL};
const char *const texts_policy_names[] = {"auto", "refuse", "chunk", NULL};
const char *const texts_sanitize_names[] = {"server", "off", "report", "clean", "reject", NULL};
const char *const texts_level_names[] = {"server", "moderate", "high", "strict", NULL};

typedef struct TextsRun {
    const TextsTask *task;
    const Input *input;
    Exchange *exchange;
    Channel *channel;
    Results results;
    Failure refusal; /* with findings, once there was one */
} TextsRun;

/* False when there are too many. */
static bool texts_split_codes(const char *list, TextsCodes *out_codes)
{
    out_codes->count = 0;
    for (const char *code = list ? list : ""; *code;) {
        size_t size = strcspn(code, ", ");
        if (size > 0 && out_codes->count == TEXTS_CODES_MAX) return false;
        if (size > 0) out_codes->codes[out_codes->count++] = codec_text((TextView){code, size});
        code += size + (code[size] != '\0');
    }
    return true;
}

TextsCodes texts_codes(const TextsSettings *settings)
{
    TextsCodes codes;
    bool few = texts_split_codes(settings->sanitize_enable, &codes);
    assert(few && "texts_run has looked");
    return codes;
}

static Status texts_take(void *context, Batch *batch, Error *out_error)
{
    const TextsRun *run = context;
    ExchangeRequest request = {.first_index = batch_first_index(batch), .text_count = batch_count(batch)};
    Status status =
        run->task->pack(run->task->context, batch, run->input, &request.bytes, &request.size, out_error);
    if (status != STATUS_OK) return status;
    return exchange_push(run->exchange, request, out_error);
}

/* With nothing under way, a part of a batch goes at once; with something under way, the rest of it may still come.
 */
static bool texts_idle(void *context, const Input *input, size_t collected_count)
{
    const TextsRun *run = context;
    if (exchange_pending(run->exchange) > 0) {
        exchange_run(run->exchange, TEXTS_IDLE_NS);
        return false;
    }
    if (collected_count == 0) input_wait(input, TEXTS_IDLE_MS);
    return collected_count > 0;
}

static Status texts_answer(void *context, const ExchangeRequest *request, const ProtobufCMessage *reply,
                           Error *out_error)
{
    TextsRun *run = context;
    if (run->task->answer) return run->task->answer(run->task->context, request, reply, out_error);
    for (size_t index = 0; index < request->text_count; index++) run->task->print(&run->results, reply, index);
    return STATUS_OK;
}

/* `out_error` says already that the text was refused. */
static Status texts_refused(void *context, const ExchangeRequest *request, const Failure *failure,
                            Error *out_error)
{
    TextsRun *run = context;
    if (run->task->refused) return run->task->refused(run->task->context, request, failure, out_error);
    run->refusal = *failure;
    return out_error->status;
}

static void texts_finish(TextsRun *run)
{
    if (run->task->finish)
        run->task->finish(run->task->context);
    else
        results_finish(&run->results, text_view(run->results.settings->model));
}

static Status texts_exchange(TextsRun *run, const TextsSettings *settings, Channel *channel, Input *input,
                             Error *out_error)
{
    const TextsTask *task = run->task;
    Batch *batch = NULL;
    ExchangeOptions options = {
        .type = &task->type,
        .channel = channel,
        .settings = &settings->common,
        .input = input,
        .window_count = task->window_count ? task->window_count : 1,
        .unary = input_from_arguments(input), /* few texts: no stream to open, and errors are precise at once */
        .answer = texts_answer,
        .refused = texts_refused,
        .context = run,
    };
    Status status = batch_open(settings->batch, &batch, out_error);
    if (status == STATUS_OK) status = exchange_open(&options, &run->exchange, out_error);
    BatchSink sink = {texts_take, texts_idle, run};
    if (status == STATUS_OK) status = batch_pump(batch, input, &sink, out_error);
    if (status == STATUS_OK) status = exchange_finish(run->exchange, out_error);
    if (status == STATUS_OK) texts_finish(run);
    exchange_close(run->exchange);
    batch_close(batch);
    return status;
}

static Status texts_ask_one(void *context, Batch *batch, Error *out_error)
{
    TextsRun *run = context;
    Failure failure = {0};
    Status status = run->task->ask(run->task->context, run->channel, batch, run->input, &failure, out_error);
    if (status != STATUS_OK && failure.report_size) run->refusal = failure;
    return status;
}

static Status texts_ask(TextsRun *run, Input *input, Error *out_error)
{
    Batch *batch = NULL;
    BatchSink sink = {.take = texts_ask_one, .context = run};
    Status status = batch_open(1, &batch, out_error);
    if (status == STATUS_OK) status = batch_pump(batch, input, &sink, out_error);
    if (status == STATUS_OK) texts_finish(run);
    batch_close(batch);
    return status;
}

int texts_run(const TextsTask *task, const TextsSettings *settings, char *const *arguments, size_t argument_count)
{
    TextsRun run = {.task = task, .results = {.settings = &settings->common, .list = task->list}};
    if (settings->truncate != TEXTS_WHOLE && settings->length_policy != TEXTS_AUTO) {
        fputs("headlight: a text is either cut off by --truncate or treated by --length-policy\n", stderr);
        return EXIT_USAGE;
    }
    TextsCodes codes;
    if (!texts_split_codes(settings->sanitize_enable, &codes)) {
        fprintf(stderr, "headlight: more than %d codes to enable\n", TEXTS_CODES_MAX);
        return EXIT_USAGE;
    }
    Error error;
    Input *input = NULL;
    Channel *channel = NULL;
    bool repaired = settings->sanitize == HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
    InputSource source = {arguments, argument_count, settings->file, settings->null_separated,
                          task->malformed || repaired};
    Status status = input_open(&source, &input, &error);
    run.input = input;
    if (status == STATUS_OK && input_interactive(input)) {
        output_note(settings->common.quiet, "reading texts from the keyboard, one a line; Ctrl-D ends");
    }
    if (status == STATUS_OK) status = call_open(&settings->common, &channel, &error);
    run.channel = channel;
    if (status == STATUS_OK)
        status =
            task->ask ? texts_ask(&run, input, &error) : texts_exchange(&run, settings, channel, input, &error);
    if (status == STATUS_OK || output_broken(stdout)) status = output_flush(stdout, &error);
    channel_close(channel);
    input_close(input);
    if (status == STATUS_OK) return EXIT_DONE;
    int code = output_fail(&error);
    if (!run.refusal.report_size) return code;
    report_print_refusal(run.refusal.report, run.refusal.report_size);
    return EXIT_REFUSED;
}

static Headlight__V1__LengthPolicy texts_policy(const TextsSettings *settings)
{
    if (settings->truncate == TEXTS_RIGHT) return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_RIGHT;
    if (settings->truncate == TEXTS_LEFT) return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_LEFT;
    if (settings->length_policy == TEXTS_REFUSE) return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_REFUSE;
    if (settings->length_policy == TEXTS_CHUNK) return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_CHUNK;
    return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO;
}

static void texts_sanitize_options(const TextsSettings *settings, TextsOptions *options)
{
    options->enabled = texts_codes(settings);
    options->options.sanitize = (Headlight__V1__SanitizePolicy)settings->sanitize;
    options->options.sanitize_level = (Headlight__V1__SanitizeLevel)settings->sanitize_level;
    options->options.sanitize_enable = options->enabled.codes;
    options->options.n_sanitize_enable = options->enabled.count;
    options->options.return_cleaned_text = settings->cleaned_text;
}

void texts_options(const TextsSettings *settings, TextsOptions *out_options)
{
    Headlight__V1__Chunking *chunking = &out_options->chunking;
    headlight__v1__options__init(&out_options->options);
    headlight__v1__chunking__init(chunking);
    out_options->options.length_policy = texts_policy(settings);
    texts_sanitize_options(settings, out_options);
    if (!settings->chunk_tokens && !settings->chunk_overlap && !settings->aggregate) return;
    out_options->options.chunking = chunking;
    chunking->token_count = (uint32_t)settings->chunk_tokens;
    chunking->aggregate = (Headlight__V1__ChunkAggregate)settings->aggregate;
    if (settings->chunk_overlap) {
        chunking->maybe_overlap_case = HEADLIGHT__V1__CHUNKING__MAYBE_OVERLAP_OVERLAP;
        chunking->overlap = (uint32_t)(settings->chunk_overlap - 1);
    }
}

Status texts_inputs(Batch *batch, const Input *input, bool pairs, Headlight__V1__Text ***out_inputs,
                    size_t *out_count, Error *out_error)
{
    *out_inputs = batch_inputs(batch, out_count);
    for (size_t index = 0; pairs && index < *out_count; index++) {
        Headlight__V1__Text *text = (*out_inputs)[index];
        const uint8_t *tab = text->text.len ? memchr(text->text.data, '\t', text->text.len) : NULL;
        if (!tab) {
            char location[INPUT_LOCATION_BYTES];
            uint64_t number = batch_first_index(batch) + index;
            input_locate(input, number, number, location);
            return error_set(out_error, STATUS_CORRUPT, "%s has no tab between its two texts, as --pairs wants",
                             location);
        }
        size_t size = (size_t)(tab - text->text.data);
        text->maybe_pair_case = HEADLIGHT__V1__TEXT__MAYBE_PAIR_PAIR;
        text->pair = (ProtobufCBinaryData){text->text.len - size - 1, text->text.data + size + 1};
        text->text.len = size;
    }
    return STATUS_OK;
}
