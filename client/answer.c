/* `headlight answer`: the part of a text that answers a question. */
#include "base/limits.h"
#include "output.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>

typedef struct AnswerSettings {
    TextsSettings texts;
    const char *question;
    uint64_t top_k;
    bool allow_no_answer;
} AnswerSettings;

static const Option answer_options[] = {
    {"question", "TEXT", NULL, OPTION_TEXT, offsetof(AnswerSettings, question), NULL, 0, 0, NULL,
     "What is asked of each text."},
    {"top-k", "COUNT", NULL, OPTION_COUNT, offsetof(AnswerSettings, top_k), "1", 1, ANSWER_TOP_K_MAX, NULL,
     "How many answers to show for each text."},
    {"allow-no-answer", NULL, NULL, OPTION_FLAG, offsetof(AnswerSettings, allow_no_answer), NULL, 0, 0, NULL,
     "The best answer may be that there is none, for models that were trained for it."},
};

/* A batch is one text: a request asks of one context. */
static Status answer_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                          Error *out_error)
{
    const AnswerSettings *settings = context;
    TextsOptions options;
    Headlight__V1__AnswerRequest message = HEADLIGHT__V1__ANSWER_REQUEST__INIT;
    (void)input;
    texts_options(&settings->texts, &options);
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.question = codec_text(text_view(settings->question));
    message.context = codec_text(batch_text(batch, 0));
    message.top_k = (uint32_t)settings->top_k;
    message.allow_no_answer = settings->allow_no_answer;
    return codec_pack(&message.base, out_bytes, out_size, out_error);
}

static void answer_print_json(const Headlight__V1__AnswerResponse *reply)
{
    fputs(",\"answers\":[", stdout);
    for (size_t index = 0; index < reply->n_answers; index++) {
        const Headlight__V1__AnswerSpan *span = reply->answers[index];
        fputs(index ? ",{\"text\":" : "{\"text\":", stdout);
        output_json_text(stdout, codec_view(span->text));
        results_float("score", span->score);
        printf(",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 "}", span->byte_begin, span->byte_end);
    }
    putchar(']');
}

/* A line an answer: score, byte range, text (empty: there is no answer); an empty line between texts. */
static void answer_print_text(const Headlight__V1__AnswerResponse *reply, bool first)
{
    if (!first) putchar('\n');
    for (size_t index = 0; index < reply->n_answers; index++) {
        const Headlight__V1__AnswerSpan *span = reply->answers[index];
        output_float(stdout, span->score);
        printf("\t%" PRIu32 "\t%" PRIu32 "\t", span->byte_begin, span->byte_end);
        output_plain_text(stdout, codec_view(span->text));
        putchar('\n');
    }
}

static void answer_print(Results *results, const ProtobufCMessage *message, size_t index)
{
    (void)index;
    const Headlight__V1__AnswerResponse *reply = (const Headlight__V1__AnswerResponse *)message;
    results_begin(results, codec_view(reply->model));
    if (results_json(results))
        answer_print_json(reply);
    else
        answer_print_text(reply, results->count == 1);
    results_end(results, reply->usage, reply->sanitization);
}

static int answer_run(const void *values, char *const *arguments, size_t argument_count)
{
    AnswerSettings settings = *(const AnswerSettings *)values;
    settings.texts.batch = 1;
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Answer",
                 .reply_type = &headlight__v1__answer_response__descriptor},
        .pack = answer_pack,
        .list = "results",
        .print = answer_print,
        .context = &settings,
    };
    if (settings.question && *settings.question)
        return texts_run(&task, &settings.texts, arguments, argument_count);
    Error error;
    error_set(&error, STATUS_INVALID_ARGUMENT, "answer needs --question");
    return output_fail(&error);
}

const Command answer_command = {
    .name = "answer",
    .arguments = "[TEXT...]",
    .summary = "Find the part of a text that answers a question",
    .details =
        "Prints a line an answer: score, begin and end of its bytes in the text, and its text, separated by\n"
        "tabs; without text when there is no answer. An empty line stands between texts, which may be of any\n"
        "length.\n\n"
        "  headlight answer --question 'Where did she live?' 'Ada Lovelace lived in London.'\n"
        "  headlight answer --question 'Who wrote it?' --null --file report.txt",
    .options = answer_options,
    .option_count = sizeof answer_options / sizeof *answer_options,
    .settings_size = sizeof(AnswerSettings),
    .shared = TEXTS_SHARED | COMMAND_CHUNKS | COMMAND_SANITIZE,
    .run = answer_run,
};
