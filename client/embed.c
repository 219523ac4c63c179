/* `headlight embed`: texts to vectors, or to their similarities. */
#include "embed_print.h"
#include "output.h"
#include "texts.h"

enum { EMBED_DIMENSIONS_MAX = 65536 };

typedef struct EmbedSettings {
    TextsSettings texts;
    bool pairs;
    bool similarity;
    bool echo;
    OptionSwitch normalize;
    uint64_t dimensions; /* 0: all */
    const char *prompt_name;
    bool chunks;
    uint64_t window;
} EmbedSettings;

static const char *const embed_aggregate_names[] = {"mean", "attention", NULL}; /* the API's ChunkAggregate */

static const Option embed_options[] = {
    {"pairs", NULL, NULL, OPTION_FLAG, offsetof(EmbedSettings, pairs), NULL, 0, 0, NULL, TEXTS_PAIRS_HELP},
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
    {"chunks", NULL, NULL, OPTION_FLAG, offsetof(EmbedSettings, chunks), NULL, 0, 0, NULL,
     "The vector of each chunk as well: behind the text's a line a chunk, with its begin and end in bytes, its "
     "weight "
     "and its numbers, separated by tabs."},
    {"chunk-aggregate", "WAY", NULL, OPTION_CHOICE, offsetof(TextsSettings, aggregate), "mean", 0, 0,
     embed_aggregate_names, "How chunks make a text's vector: their mean by tokens, or by attention over them."},
    {"in-flight", "COUNT", NULL, OPTION_COUNT, offsetof(EmbedSettings, window), "8", 1, EXCHANGE_WINDOW_MAX, NULL,
     "Requests under way at once."},
};

typedef struct EmbedRun {
    const EmbedSettings *settings;
    EmbedPrint *print;
} EmbedRun;

static size_t embed_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__EmbedResponse *)reply)->n_embeddings;
}

static Status embed_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                         Error *out_error)
{
    const EmbedSettings *settings = ((const EmbedRun *)context)->settings;
    TextsOptions options;
    Headlight__V1__EmbedRequest message = HEADLIGHT__V1__EMBED_REQUEST__INIT;
    texts_options(&settings->texts, &options);
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.prompt_name = codec_text(text_view(settings->prompt_name));
    message.return_chunk_embeddings = settings->chunks;
    if (settings->normalize != OPTION_UNSET) {
        message.maybe_normalize_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_NORMALIZE_NORMALIZE;
        message.normalize = settings->normalize == OPTION_ON;
    }
    if (settings->dimensions) {
        message.maybe_dimensions_case = HEADLIGHT__V1__EMBED_REQUEST__MAYBE_DIMENSIONS_DIMENSIONS;
        message.dimensions = (uint32_t)settings->dimensions;
    }
    Status status = texts_inputs(batch, input, settings->pairs, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

static Status embed_answer(void *context, const ExchangeRequest *request, const ProtobufCMessage *message,
                           Error *out_error)
{
    const EmbedRun *run = context;
    const Headlight__V1__EmbedResponse *reply = (const Headlight__V1__EmbedResponse *)message;
    Arena arena = {0};
    const Headlight__V1__EmbedRequest *asked = NULL;
    Status status = STATUS_OK;
    if (run->settings->echo) {
        ProtobufCMessage *unpacked;
        status = codec_unpack(&arena, &headlight__v1__embed_request__descriptor, request->bytes, request->size,
                              &unpacked, out_error);
        if (status == STATUS_OK) asked = (const Headlight__V1__EmbedRequest *)unpacked;
    }
    for (size_t index = 0; index < reply->n_embeddings && status == STATUS_OK; index++) {
        TextView text = asked ? codec_view(asked->inputs[index]->text) : (TextView){0};
        status = embed_print_add(run->print, codec_view(reply->model), reply->embeddings[index], text, out_error);
    }
    arena_free(&arena);
    return status;
}

static void embed_finish(void *context)
{
    const EmbedRun *run = context;
    embed_print_finish(run->print);
}

static int embed_run(const void *values, char *const *arguments, size_t argument_count)
{
    const EmbedSettings *settings = values;
    EmbedRun run = {.settings = settings};
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Embed",
                 .stream_method = "/headlight.v1.Inference/EmbedStream",
                 .reply_type = &headlight__v1__embed_response__descriptor,
                 .result_count = embed_count},
        .window_count = settings->window,
        .pack = embed_pack,
        .answer = embed_answer,
        .finish = embed_finish,
        .context = &run,
    };
    Error error;
    if (embed_print_open(&settings->texts.common, settings->similarity, settings->chunks, &run.print, &error) !=
        STATUS_OK)
        return output_fail(&error);
    int code = texts_run(&task, &settings->texts, arguments, argument_count);
    embed_print_close(run.print);
    return code;
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
        "  headlight embed --null --chunks --chunk-tokens 128 --format json --file report.txt\n"
        "  some-command | headlight embed",
    .options = embed_options,
    .option_count = sizeof embed_options / sizeof *embed_options,
    .settings_size = sizeof(EmbedSettings),
    .shared = TEXTS_SHARED | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_BATCH | COMMAND_SANITIZE,
    .run = embed_run,
};
