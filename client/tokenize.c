/* `headlight tokenize`: texts to tokens with their byte ranges, and back. */
#include "output.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>
#include <stdlib.h>

static const char tokenize_decode_method[] = "/headlight.v1.Inference/Detokenize";

typedef struct TokenizeSettings {
    TextsSettings texts;
    bool pairs;
    bool decode;
    bool without_special_tokens;
    bool keep_special_tokens;
} TokenizeSettings;

static const Option tokenize_options[] = {
    {"pairs", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, pairs), NULL, 0, 0, NULL, TEXTS_PAIRS_HELP},
    {"without-special-tokens", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, without_special_tokens), NULL,
     0, 0, NULL, "Leave out what the model adds around a text, such as [CLS] and [SEP]."},
    {"decode", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, decode), NULL, 0, 0, NULL,
     "The arguments are token ids: print their text."},
    {"keep-special-tokens", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, keep_special_tokens), NULL, 0, 0,
     NULL, "With --decode: special tokens are printed too."},
};

static void tokenize_print_token_json(const Headlight__V1__ExplainedToken *token)
{
    printf("{\"id\":%" PRIu32 ",\"text\":", token->id);
    output_json_text(stdout, codec_view(token->text));
    printf(",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 ",\"special\":%s}", token->byte_begin,
           token->byte_end, token->special ? "true" : "false");
}

static void tokenize_print_json(const Headlight__V1__Tokenization *tokenization)
{
    fputs(",\"tokens\":[", stdout);
    for (size_t index = 0; index < tokenization->n_tokens; index++) {
        if (index) putchar(',');
        tokenize_print_token_json(tokenization->tokens[index]);
    }
    putchar(']');
}

/* A line a token: id, byte range, text; an empty line between texts. */
static void tokenize_print_text(const Headlight__V1__Tokenization *tokenization, bool first)
{
    if (!first) putchar('\n');
    for (size_t index = 0; index < tokenization->n_tokens; index++) {
        const Headlight__V1__ExplainedToken *token = tokenization->tokens[index];
        printf("%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t", token->id, token->byte_begin, token->byte_end);
        output_plain_text(stdout, codec_view(token->text));
        putchar('\n');
    }
}

static size_t tokenize_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__TokenizeResponse *)reply)->n_tokenizations;
}

static Status tokenize_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                            Error *out_error)
{
    const TokenizeSettings *settings = context;
    Headlight__V1__TokenizeRequest message = HEADLIGHT__V1__TOKENIZE_REQUEST__INIT;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.without_special_tokens = settings->without_special_tokens;
    Status status = texts_inputs(batch, input, settings->pairs, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

static void tokenize_print(Results *results, const ProtobufCMessage *message, size_t index)
{
    const Headlight__V1__TokenizeResponse *reply = (const Headlight__V1__TokenizeResponse *)message;
    results_begin(results, (TextView){0});
    if (results_json(results))
        tokenize_print_json(reply->tokenizations[index]);
    else
        tokenize_print_text(reply->tokenizations[index], results->count == 1);
    results_end(results, NULL, NULL);
}

static Status tokenize_parse_ids(char *const *arguments, size_t count, uint32_t **out_ids, Error *out_error)
{
    if (count == 0) return error_set(out_error, STATUS_INVALID_ARGUMENT, "--decode needs token ids as arguments");
    uint32_t *ids = calloc(count, sizeof *ids);
    if (!ids) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for %zu ids", count);
    for (size_t index = 0; index < count; index++) {
        char *end;
        unsigned long long id = strtoull(arguments[index], &end, 10);
        if (*end || arguments[index][0] < '0' || arguments[index][0] > '9' || id > UINT32_MAX) {
            free(ids);
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "'%s' is no token id", arguments[index]);
        }
        ids[index] = (uint32_t)id;
    }
    *out_ids = ids;
    return STATUS_OK;
}

static Status tokenize_decode(Channel *channel, const TokenizeSettings *settings, uint32_t *ids, size_t count,
                              Error *out_error)
{
    Headlight__V1__DetokenizeRequest request = HEADLIGHT__V1__DETOKENIZE_REQUEST__INIT;
    request.model = codec_text(text_view(settings->texts.common.model));
    request.ids = ids;
    request.n_ids = count;
    request.keep_special_tokens = settings->keep_special_tokens;
    Arena arena;
    ProtobufCMessage *reply;
    Status status = call_message(channel, &settings->texts.common, tokenize_decode_method, &request.base,
                                 &headlight__v1__detokenize_response__descriptor, &arena, &reply, out_error);
    if (status == STATUS_OK) {
        TextView text = codec_view(((const Headlight__V1__DetokenizeResponse *)reply)->text);
        if (settings->texts.common.format == OUTPUT_TEXT) {
            output_plain_text(stdout, text);
        } else {
            fputs("{\"text\":", stdout);
            output_json_text(stdout, text);
            putchar('}');
        }
        putchar('\n');
    }
    arena_free(&arena);
    return status;
}

static int tokenize_run_decode(const TokenizeSettings *settings, char *const *arguments, size_t count)
{
    Error error;
    uint32_t *ids = NULL;
    Channel *channel = NULL;
    Status status = tokenize_parse_ids(arguments, count, &ids, &error);
    if (status == STATUS_OK) status = call_open(&settings->texts.common, &channel, &error);
    if (status == STATUS_OK) status = tokenize_decode(channel, settings, ids, count, &error);
    if (status == STATUS_OK) status = output_flush(stdout, &error);
    channel_close(channel);
    free(ids);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

static int tokenize_run(const void *values, char *const *arguments, size_t argument_count)
{
    const TokenizeSettings *settings = values;
    if (settings->decode) return tokenize_run_decode(settings, arguments, argument_count);
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Tokenize",
                 .reply_type = &headlight__v1__tokenize_response__descriptor,
                 .result_count = tokenize_count},
        .pack = tokenize_pack,
        .list = "tokenizations",
        .print = tokenize_print,
        .context = (void *)settings,
    };
    return texts_run(&task, &settings->texts, arguments, argument_count);
}

const Command tokenize_command = {
    .name = "tokenize",
    .arguments = "[TEXT...]",
    .summary = "Turn texts into tokens, or token ids into text",
    .details =
        "Prints a line a token: id, begin and end of its bytes in the text, and the token, separated by tabs.\n"
        "Texts are the arguments, or the lines of --file or of standard input.\n\n"
        "  headlight tokenize 'a text'\n"
        "  headlight tokenize --decode 101 1037 3793 102",
    .options = tokenize_options,
    .option_count = sizeof tokenize_options / sizeof *tokenize_options,
    .settings_size = sizeof(TokenizeSettings),
    .shared = TEXTS_SHARED | COMMAND_BATCH,
    .run = tokenize_run,
};
