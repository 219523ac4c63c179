/* `headlight embed`: texts to vectors, or to their similarities. */
#include "base/clock.h"
#include "embed_print.h"
#include "embed_stream.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>

/* While answers are due and the input is silent: how long one of them may have to wait for the other. */
#define EMBED_IDLE_NS (2 * NS_PER_MS)
enum { EMBED_IDLE_MS = 200, EMBED_DIMENSIONS_MAX = 65536 };

typedef enum EmbedTruncate { EMBED_REFUSE, EMBED_RIGHT, EMBED_LEFT } EmbedTruncate;
static const char *const embed_truncate_names[] = {"no", "right", "left", NULL};

typedef struct EmbedSettings {
    Settings common;
    const char *file;
    bool null_separated;
    bool similarity;
    bool echo;
    OptionSwitch normalize;
    uint64_t dimensions; /* 0: all */
    const char *prompt_name;
    uint64_t truncate; /* EmbedTruncate */
    uint64_t batch;
    uint64_t window;
} EmbedSettings;

static const Option embed_options[] = {
    {"file", "FILE", NULL, OPTION_TEXT, offsetof(EmbedSettings, file), NULL, 0, 0, NULL,
     "Texts from FILE, one a line, which ends in LF or CRLF; - is standard input."},
    {"null", NULL, NULL, OPTION_FLAG, offsetof(EmbedSettings, null_separated), NULL, 0, 0, NULL,
     "A NUL byte ends a text, not a line feed, so that texts may span lines; CR is kept."},
    {"similarity", NULL, NULL, OPTION_FLAG, offsetof(EmbedSettings, similarity), NULL, 0, 0, NULL,
     "Print the cosine of each pair of texts instead of vectors; of two texts, the one number."},
    {"echo", NULL, NULL, OPTION_FLAG, offsetof(EmbedSettings, echo), NULL, 0, 0, NULL,
     "Print each text with its vector."},
    {"normalize", NULL, NULL, OPTION_SWITCH, offsetof(EmbedSettings, normalize), NULL, 0, 0, NULL,
     "Vectors of length 1, or not; without it as the model says."},
    {"dimensions", "COUNT", NULL, OPTION_COUNT, offsetof(EmbedSettings, dimensions), NULL, 1, EMBED_DIMENSIONS_MAX,
     NULL, "Keep the first COUNT dimensions, for models that are trained for it (Matryoshka)."},
    {"prompt-name", "NAME", NULL, OPTION_TEXT, offsetof(EmbedSettings, prompt_name), "", 0, 0, NULL,
     "Which of the model's prompts goes before each text, such as query."},
    {"truncate", "SIDE", NULL, OPTION_CHOICE, offsetof(EmbedSettings, truncate), "no", 0, 0, embed_truncate_names,
     "Cut a text that is too long for the model: no, right or left; no leaves it to the server, which refuses."},
    {"batch", "COUNT", NULL, OPTION_COUNT, offsetof(EmbedSettings, batch), "32", 1, BATCH_TEXTS_MAX, NULL,
     "Texts in one request."},
    {"in-flight", "COUNT", NULL, OPTION_COUNT, offsetof(EmbedSettings, window), "8", 1, EMBED_WINDOW_MAX, NULL,
     "Requests under way at once."},
};

typedef struct EmbedRun {
    const EmbedSettings *settings;
    EmbedStream *stream;
    EmbedPrint *print;
} EmbedRun;

static Headlight__V1__LengthPolicy embed_length_policy(const EmbedSettings *settings)
{
    switch ((EmbedTruncate)settings->truncate) {
    case EMBED_RIGHT:
        return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_RIGHT;
    case EMBED_LEFT:
        return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_TRUNCATE_LEFT;
    default:
        return HEADLIGHT__V1__LENGTH_POLICY__LENGTH_POLICY_AUTO;
    }
}

static Status embed_take(void *context, Batch *batch, Error *out_error)
{
    const EmbedRun *run = context;
    const EmbedSettings *settings = run->settings;
    Headlight__V1__Options options = HEADLIGHT__V1__OPTIONS__INIT;
    Headlight__V1__EmbedRequest message = HEADLIGHT__V1__EMBED_REQUEST__INIT;
    options.length_policy = embed_length_policy(settings);
    message.options = &options;
    message.model = codec_text(text_view(settings->common.model));
    message.inputs = batch_inputs(batch, &message.n_inputs);
    message.prompt_name = codec_text(text_view(settings->prompt_name));
    if (settings->normalize != OPTION_UNSET) {
        message.maybe_normalize_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_NORMALIZE_NORMALIZE;
        message.normalize = settings->normalize == OPTION_ON;
    }
    if (settings->dimensions) {
        message.maybe_dimensions_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS;
        message.dimensions = (uint32_t)settings->dimensions;
    }
    EmbedRequest request = {.first_index = batch_first_index(batch), .text_count = message.n_inputs};
    Status status = codec_pack(&message.base, &request.bytes, &request.size, out_error);
    if (status != STATUS_OK) return status;
    return embed_stream_push(run->stream, request, out_error);
}

/* With nothing under way, a part of a batch goes at once; with something under way, the rest of it may still come.
 */
static bool embed_idle(void *context, const Input *input, size_t collected_count)
{
    const EmbedRun *run = context;
    if (embed_stream_pending(run->stream) > 0) {
        embed_stream_run(run->stream, EMBED_IDLE_NS);
        return false;
    }
    if (collected_count == 0) input_wait(input, EMBED_IDLE_MS);
    return collected_count > 0;
}

static Status embed_answer(void *context, const EmbedRequest *request, const Headlight__V1__EmbedResponse *reply,
                           Error *out_error)
{
    const EmbedRun *run = context;
    Arena arena = {0};
    const Headlight__V1__EmbedRequest *asked = NULL;
    Status status = STATUS_OK;
    if (run->settings->echo) {
        ProtobufCMessage *message;
        status = codec_unpack(&arena, &headlight__v1__embed_request__descriptor, request->bytes, request->size,
                              &message, out_error);
        if (status == STATUS_OK) asked = (const Headlight__V1__EmbedRequest *)message;
    }
    for (size_t index = 0; index < reply->n_embeddings && status == STATUS_OK; index++) {
        TextView text = asked ? codec_view(asked->inputs[index]->text) : (TextView){0};
        status = embed_print_add(run->print, codec_view(reply->model), reply->embeddings[index], text, out_error);
    }
    arena_free(&arena);
    return status;
}

static Status embed_texts(EmbedRun *run, Channel *channel, Input *input, Error *out_error)
{
    const EmbedSettings *settings = run->settings;
    Batch *batch = NULL;
    EmbedStreamOptions options = {
        .channel = channel,
        .settings = &settings->common,
        .input = input,
        .window_count = settings->window,
        .unary = input_from_arguments(input), /* few texts: no stream to open, and errors are precise at once */
        .answer = embed_answer,
        .context = run,
    };
    Status status = batch_open(settings->batch, &batch, out_error);
    if (status == STATUS_OK)
        status = embed_print_open(settings->common.format, settings->similarity, &run->print, out_error);
    if (status == STATUS_OK) status = embed_stream_open(&options, &run->stream, out_error);
    BatchSink sink = {embed_take, embed_idle, run};
    if (status == STATUS_OK) status = batch_pump(batch, input, &sink, out_error);
    if (status == STATUS_OK) status = embed_stream_finish(run->stream, out_error);
    if (status == STATUS_OK) {
        embed_print_finish(run->print, text_view(settings->common.model));
        uint64_t truncated_count = embed_print_truncated_count(run->print);
        if (truncated_count)
            output_note(settings->common.quiet, "texts that were too long and were cut: %" PRIu64,
                        truncated_count);
    }
    embed_stream_close(run->stream);
    embed_print_close(run->print);
    batch_close(batch);
    return status;
}

static int embed_run(const void *values, char *const *arguments, size_t argument_count)
{
    const EmbedSettings *settings = values;
    EmbedRun run = {.settings = settings};
    Error error;
    Input *input = NULL;
    Channel *channel = NULL;
    InputSource source = {arguments, argument_count, settings->file, settings->null_separated};
    Status status = input_open(&source, &input, &error);
    if (status == STATUS_OK && input_interactive(input)) {
        output_note(settings->common.quiet, "reading texts from the keyboard, one a line; Ctrl-D ends");
    }
    if (status == STATUS_OK) status = call_open(&settings->common, &channel, &error);
    if (status == STATUS_OK) status = embed_texts(&run, channel, input, &error);
    if (status == STATUS_OK || output_broken(stdout)) status = output_flush(stdout, &error);
    channel_close(channel);
    input_close(input);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

const Command embed_command = {
    .name = "embed",
    .arguments = "[TEXT...]",
    .summary = "Turn texts into vectors, or compare them",
    .details =
        "Prints a line of numbers a text, in the order of the texts: the arguments, or the lines of --file or of\n"
        "standard input, of any length.\n\n"
        "  headlight embed --similarity 'a cat sits' 'a kitten rests'\n"
        "  headlight embed --format jsonl --file texts.txt > vectors.jsonl\n"
        "  some-command | headlight embed",
    .options = embed_options,
    .option_count = sizeof embed_options / sizeof *embed_options,
    .settings_size = sizeof(EmbedSettings),
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES | COMMAND_MODEL,
    .run = embed_run,
};
