/* `headlight tag`: the entities in texts. */
#include "output.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>

static const char *const tag_aggregation_names[] = {"simple", "none", "first", "average", "max", NULL};

typedef struct TagSettings {
    TextsSettings texts;
    uint64_t aggregation; /* the index into tag_aggregation_names */
} TagSettings;

static const Option tag_options[] = {
    {"aggregation", "STRATEGY", NULL, OPTION_CHOICE, offsetof(TagSettings, aggregation), "simple", 0, 0,
     tag_aggregation_names,
     "How tokens become entities, as transformers names it: simple, first, average, max; none: a line a token."},
};

static size_t tag_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__TagTokensResponse *)reply)->n_taggings;
}

static Status tag_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                       Error *out_error)
{
    const TagSettings *settings = context;
    TextsOptions options;
    Headlight__V1__TagTokensRequest message = HEADLIGHT__V1__TAG_TOKENS_REQUEST__INIT;
    texts_options(&settings->texts, &options);
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.aggregation = codec_text(text_view(tag_aggregation_names[settings->aggregation]));
    Status status = texts_inputs(batch, input, false, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

static void tag_print_json(const Headlight__V1__Tagging *tagging)
{
    fputs(",\"entities\":[", stdout);
    for (size_t index = 0; index < tagging->n_entities; index++) {
        const Headlight__V1__Entity *entity = tagging->entities[index];
        fputs(index ? ",{\"label\":" : "{\"label\":", stdout);
        output_json_text(stdout, codec_view(entity->label));
        results_float("score", entity->score);
        results_text("text", codec_view(entity->text));
        printf(",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 "}", entity->byte_begin, entity->byte_end);
    }
    putchar(']');
}

/* A line an entity: label, score, byte range, text; an empty line between texts. */
static void tag_print_text(const Headlight__V1__Tagging *tagging, bool first)
{
    if (!first) putchar('\n');
    for (size_t index = 0; index < tagging->n_entities; index++) {
        const Headlight__V1__Entity *entity = tagging->entities[index];
        output_plain_text(stdout, codec_view(entity->label));
        putchar('\t');
        output_float(stdout, entity->score);
        printf("\t%" PRIu32 "\t%" PRIu32 "\t", entity->byte_begin, entity->byte_end);
        output_plain_text(stdout, codec_view(entity->text));
        putchar('\n');
    }
}

static void tag_print(Results *results, const ProtobufCMessage *message, size_t index)
{
    const Headlight__V1__TagTokensResponse *reply = (const Headlight__V1__TagTokensResponse *)message;
    results_begin(results, codec_view(reply->model));
    if (results_json(results))
        tag_print_json(reply->taggings[index]);
    else
        tag_print_text(reply->taggings[index], results->count == 1);
    results_end(results, reply->taggings[index]->usage, reply->taggings[index]->sanitization);
}

static int tag_run(const void *values, char *const *arguments, size_t argument_count)
{
    const TagSettings *settings = values;
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/TagTokens",
                 .reply_type = &headlight__v1__tag_tokens_response__descriptor,
                 .result_count = tag_count},
        .pack = tag_pack,
        .list = "taggings",
        .print = tag_print,
        .context = (void *)settings,
    };
    return texts_run(&task, &settings->texts, arguments, argument_count);
}

const Command tag_command = {
    .name = "tag",
    .arguments = "[TEXT...]",
    .summary = "Find the entities in texts: names, places, parts of speech",
    .details =
        "Prints a line an entity: label, score, begin and end of its bytes in the text, and its text, separated\n"
        "by tabs; an empty line stands between texts.\n\n"
        "  headlight tag 'Ada Lovelace lived in London'\n"
        "  headlight tag --aggregation none --format jsonl --file texts.txt",
    .options = tag_options,
    .option_count = sizeof tag_options / sizeof *tag_options,
    .settings_size = sizeof(TagSettings),
    .shared = TEXTS_SHARED | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_BATCH | COMMAND_SANITIZE,
    .run = tag_run,
};
