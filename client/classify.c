/* `headlight classify`: texts to labels. */
#include "base/limits.h"
#include "output.h"
#include "results.h"
#include "texts.h"

enum { CLASSIFY_VOTES_MAX = 16 }; /* the API's */

typedef struct ClassifySettings {
    TextsSettings texts;
    bool pairs;
    bool raw_scores;
    uint64_t top_k; /* 0: all */
    uint64_t vote_count;
    uint64_t window;
} ClassifySettings;

static const Option classify_options[] = {
    {"top-k", "COUNT", NULL, OPTION_COUNT, offsetof(ClassifySettings, top_k), NULL, 1, MODEL_LABEL_COUNT_MAX, NULL,
     "Only the COUNT best labels of a text; without it all of them."},
    {"raw-scores", NULL, NULL, OPTION_FLAG, offsetof(ClassifySettings, raw_scores), NULL, 0, 0, NULL,
     "The model's logits instead of probabilities."},
    {"votes", "COUNT", NULL, OPTION_COUNT, offsetof(ClassifySettings, vote_count), "0", 0, CLASSIFY_VOTES_MAX,
     NULL,
     "Copies of each text with some words masked, which are classified too; VOTE_UNSTABLE is found where they "
     "disagree."},
    {"pairs", NULL, NULL, OPTION_FLAG, offsetof(ClassifySettings, pairs), NULL, 0, 0, NULL, TEXTS_PAIRS_HELP},
    {"in-flight", "COUNT", NULL, OPTION_COUNT, offsetof(ClassifySettings, window), "8", 1, EXCHANGE_WINDOW_MAX,
     NULL, "Requests under way at once."},
};

static size_t classify_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__ClassifyResponse *)reply)->n_classifications;
}

static Status classify_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                            Error *out_error)
{
    const ClassifySettings *settings = context;
    TextsOptions options;
    Headlight__V1__ClassifyRequest message = HEADLIGHT__V1__CLASSIFY_REQUEST__INIT;
    texts_options(&settings->texts, &options);
    options.options.vote_count = (uint32_t)settings->vote_count;
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.raw_scores = settings->raw_scores;
    message.top_k = (uint32_t)settings->top_k;
    Status status = texts_inputs(batch, input, settings->pairs, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

/* A line a text: each label and its score, the best first, tabs between all of them. */
static void classify_print_text(const Headlight__V1__Classification *classification)
{
    for (size_t index = 0; index < classification->n_labels; index++) {
        if (index) putchar('\t');
        output_plain_text(stdout, codec_view(classification->labels[index]->label));
        putchar('\t');
        output_float(stdout, classification->labels[index]->score);
    }
    putchar('\n');
}

static void classify_print(Results *results, const ProtobufCMessage *message, size_t index)
{
    const Headlight__V1__ClassifyResponse *reply = (const Headlight__V1__ClassifyResponse *)message;
    results_begin(results, codec_view(reply->model));
    if (results_json(results))
        results_labels(reply->classifications[index]->labels, reply->classifications[index]->n_labels);
    else
        classify_print_text(reply->classifications[index]);
    results_end(results, reply->classifications[index]->usage, reply->classifications[index]->sanitization);
}

static int classify_run(const void *values, char *const *arguments, size_t argument_count)
{
    const ClassifySettings *settings = values;
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Classify",
                 .stream_method = "/headlight.v1.Inference/ClassifyStream",
                 .reply_type = &headlight__v1__classify_response__descriptor,
                 .result_count = classify_count},
        .window_count = settings->window,
        .pack = classify_pack,
        .list = "classifications",
        .print = classify_print,
        .context = (void *)settings,
    };
    return texts_run(&task, &settings->texts, arguments, argument_count);
}

const Command classify_command = {
    .name = "classify",
    .arguments = "[TEXT...]",
    .summary = "Say which of the model's labels fit a text",
    .details = "Prints a line a text: its labels with their scores, the best first, separated by tabs.\n\n"
               "  headlight classify --top-k 1 'what a film'\n"
               "  headlight classify --pairs --file premises-and-hypotheses.tsv",
    .options = classify_options,
    .option_count = sizeof classify_options / sizeof *classify_options,
    .settings_size = sizeof(ClassifySettings),
    .shared = TEXTS_SHARED | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_BATCH | COMMAND_SANITIZE,
    .run = classify_run,
};
