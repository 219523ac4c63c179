/* `headlight tokenize`: texts to tokens with their byte ranges, and back. */
#include "batch.h"
#include "call.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>

static const char tokenize_method[] = "/headlight.v1.Inference/Tokenize";
static const char tokenize_decode_method[] = "/headlight.v1.Inference/Detokenize";

enum { TOKENIZE_BATCH_TEXTS = 32 };

typedef struct TokenizeSettings {
    Settings common;
    const char *file;
    bool null_separated;
    bool decode;
    bool without_special_tokens;
    bool keep_special_tokens;
} TokenizeSettings;

static const Option tokenize_options[] = {
    {"file", "FILE", NULL, OPTION_TEXT, offsetof(TokenizeSettings, file), NULL, 0, 0, NULL,
     "Texts from FILE, one a line, which ends in LF or CRLF; - is standard input."},
    {"null", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, null_separated), NULL, 0, 0, NULL,
     "A NUL byte ends a text, not a line feed, so that texts may span lines; CR is kept."},
    {"without-special-tokens", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, without_special_tokens), NULL,
     0, 0, NULL, "Leave out what the model adds around a text, such as [CLS] and [SEP]."},
    {"decode", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, decode), NULL, 0, 0, NULL,
     "The arguments are token ids: print their text."},
    {"keep-special-tokens", NULL, NULL, OPTION_FLAG, offsetof(TokenizeSettings, keep_special_tokens), NULL, 0, 0,
     NULL, "With --decode: special tokens are printed too."},
};

typedef struct TokenizeRun {
    const TokenizeSettings *settings;
    Channel *channel;
    const Input *input;
    uint64_t printed_count;
} TokenizeRun;

static void tokenize_print_token_json(const Headlight__V1__ExplainedToken *token)
{
    printf("{\"id\":%" PRIu32 ",\"text\":", token->id);
    output_json_text(stdout, codec_view(token->text));
    printf(",\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 ",\"special\":%s}", token->byte_begin,
           token->byte_end, token->special ? "true" : "false");
}

static void tokenize_print_json(TokenizeRun *run, const Headlight__V1__Tokenization *tokenization)
{
    bool one_document = run->settings->common.format == OUTPUT_JSON;
    if (one_document && run->printed_count) putchar(',');
    printf("{\"index\":%" PRIu64 ",\"tokens\":[", run->printed_count);
    for (size_t index = 0; index < tokenization->n_tokens; index++) {
        if (index) putchar(',');
        tokenize_print_token_json(tokenization->tokens[index]);
    }
    fputs(one_document ? "]}" : "]}\n", stdout);
}

/* A line a token: id, byte range, text; an empty line between texts. */
static void tokenize_print_text(const TokenizeRun *run, const Headlight__V1__Tokenization *tokenization)
{
    if (run->printed_count) putchar('\n');
    for (size_t index = 0; index < tokenization->n_tokens; index++) {
        const Headlight__V1__ExplainedToken *token = tokenization->tokens[index];
        printf("%" PRIu32 "\t%" PRIu32 "\t%" PRIu32 "\t", token->id, token->byte_begin, token->byte_end);
        output_plain_text(stdout, codec_view(token->text));
        putchar('\n');
    }
}

static void tokenize_print(TokenizeRun *run, const Headlight__V1__TokenizeResponse *reply)
{
    for (size_t index = 0; index < reply->n_tokenizations; index++) {
        if (run->settings->common.format == OUTPUT_TEXT) {
            tokenize_print_text(run, reply->tokenizations[index]);
        } else {
            tokenize_print_json(run, reply->tokenizations[index]);
        }
        run->printed_count++;
    }
}

static Status tokenize_explain(const TokenizeRun *run, const Batch *batch, const Failure *failure,
                               Error *out_error)
{
    char location[INPUT_LOCATION_BYTES];
    uint64_t first, last;
    bool blamed = failure_blame(failure, batch_first_index(batch), batch_count(batch), &first, &last);
    input_locate(run->input, first, last, location);
    return failure_explain(failure, channel_address(run->channel), blamed ? location : NULL, out_error);
}

static Status tokenize_take(void *context, Batch *batch, Error *out_error)
{
    TokenizeRun *run = context;
    Headlight__V1__TokenizeRequest message = HEADLIGHT__V1__TOKENIZE_REQUEST__INIT;
    message.model = codec_text(text_view(run->settings->common.model));
    message.inputs = batch_inputs(batch, &message.n_inputs);
    message.without_special_tokens = run->settings->without_special_tokens;
    uint8_t *bytes;
    CallRequest request = {.method = tokenize_method};
    Status status = codec_pack(&message.base, &bytes, &request.size, out_error);
    if (status != STATUS_OK) return status;
    request.bytes = bytes;
    Arena arena;
    ProtobufCMessage *unpacked;
    Failure failure;
    status = call_bytes(run->channel, &run->settings->common, &request,
                        &headlight__v1__tokenize_response__descriptor, &arena, &unpacked, &failure, out_error);
    if (status != STATUS_OK && failure.code != 0) status = tokenize_explain(run, batch, &failure, out_error);
    if (status == STATUS_OK) {
        const Headlight__V1__TokenizeResponse *reply = (const Headlight__V1__TokenizeResponse *)unpacked;
        if (reply->n_tokenizations == batch_count(batch)) {
            tokenize_print(run, reply);
        } else {
            status = error_set(out_error, STATUS_CORRUPT, "the server answered %zu of %zu texts",
                               reply->n_tokenizations, batch_count(batch));
        }
    }
    arena_free(&arena);
    free(bytes);
    return status;
}

static Status tokenize_texts(TokenizeRun *run, Input *input, Error *out_error)
{
    Batch *batch;
    Status status = batch_open(TOKENIZE_BATCH_TEXTS, &batch, out_error);
    if (status != STATUS_OK) return status;
    bool one_document = run->settings->common.format == OUTPUT_JSON;
    if (one_document) fputs("{\"tokenizations\":[", stdout);
    BatchSink sink = {.take = tokenize_take, .context = run};
    status = batch_pump(batch, input, &sink, out_error);
    if (one_document && status == STATUS_OK) puts("]}");
    batch_close(batch);
    return status;
}

/* On success the caller frees *out_ids with free(). */
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

static Status tokenize_decode(const TokenizeRun *run, uint32_t *ids, size_t count, Error *out_error)
{
    Headlight__V1__DetokenizeRequest request = HEADLIGHT__V1__DETOKENIZE_REQUEST__INIT;
    request.model = codec_text(text_view(run->settings->common.model));
    request.ids = ids;
    request.n_ids = count;
    request.keep_special_tokens = run->settings->keep_special_tokens;
    Arena arena;
    ProtobufCMessage *reply;
    Status status = call_message(run->channel, &run->settings->common, tokenize_decode_method, &request.base,
                                 &headlight__v1__detokenize_response__descriptor, &arena, &reply, out_error);
    if (status == STATUS_OK) {
        TextView text = codec_view(((const Headlight__V1__DetokenizeResponse *)reply)->text);
        if (run->settings->common.format == OUTPUT_TEXT) {
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

static int tokenize_run_decode(TokenizeRun *run, char *const *arguments, size_t count)
{
    Error error;
    uint32_t *ids = NULL;
    Status status = tokenize_parse_ids(arguments, count, &ids, &error);
    if (status == STATUS_OK) status = call_open(&run->settings->common, &run->channel, &error);
    if (status == STATUS_OK) status = tokenize_decode(run, ids, count, &error);
    if (status == STATUS_OK) status = output_flush(stdout, &error);
    channel_close(run->channel);
    free(ids);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

static int tokenize_run(const void *values, char *const *arguments, size_t argument_count)
{
    const TokenizeSettings *settings = values;
    TokenizeRun run = {.settings = settings};
    if (settings->decode) return tokenize_run_decode(&run, arguments, argument_count);
    Error error;
    InputSource source = {arguments, argument_count, settings->file, settings->null_separated};
    Input *input = NULL;
    Status status = input_open(&source, &input, &error);
    run.input = input;
    if (status == STATUS_OK) status = call_open(&settings->common, &run.channel, &error);
    if (status == STATUS_OK) status = tokenize_texts(&run, input, &error);
    if (status == STATUS_OK || output_broken(stdout)) status = output_flush(stdout, &error);
    channel_close(run.channel);
    input_close(input);
    return status == STATUS_OK ? EXIT_DONE : output_fail(&error);
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
    .shared = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES | COMMAND_MODEL,
    .run = tokenize_run,
};
