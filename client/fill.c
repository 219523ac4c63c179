/* `headlight fill`: what may stand where a text has the model's mask. */
#include "base/limits.h"
#include "output.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>

typedef struct FillSettings {
    TextsSettings texts;
    uint64_t top_k;
} FillSettings;

static const Option fill_options[] = {
    {"top-k", "COUNT", NULL, OPTION_COUNT, offsetof(FillSettings, top_k), "5", 1, FILL_TOP_K_MAX, NULL,
     "How many tokens to show for each mask."},
};

static size_t fill_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__FillMaskResponse *)reply)->n_results;
}

static Status fill_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                        Error *out_error)
{
    const FillSettings *settings = context;
    TextsOptions options;
    Headlight__V1__FillMaskRequest message = HEADLIGHT__V1__FILL_MASK_REQUEST__INIT;
    texts_options(&settings->texts, &options);
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.top_k = (uint32_t)settings->top_k;
    Status status = texts_inputs(batch, input, false, &message.inputs, &message.n_inputs, out_error);
    return status ? status : codec_pack(&message.base, out_bytes, out_size, out_error);
}

static void fill_print_mask_json(const Headlight__V1__FilledMask *mask)
{
    putchar('[');
    for (size_t index = 0; index < mask->n_fills; index++) {
        const Headlight__V1__Fill *fill = mask->fills[index];
        printf("%s{\"token_id\":%" PRIu32, index ? "," : "", fill->token_id);
        results_text("token", codec_view(fill->token));
        results_float("score", fill->score);
        putchar('}');
    }
    putchar(']');
}

static void fill_print_json(const Headlight__V1__FillResult *result)
{
    fputs(",\"masks\":[", stdout);
    for (size_t index = 0; index < result->n_masks; index++) {
        if (index) putchar(',');
        fill_print_mask_json(result->masks[index]);
    }
    putchar(']');
}

/* A line a candidate: the mask's number, token, score, id; an empty line between texts. */
static void fill_print_text(const Headlight__V1__FillResult *result, bool first)
{
    if (!first) putchar('\n');
    for (size_t mask = 0; mask < result->n_masks; mask++) {
        for (size_t index = 0; index < result->masks[mask]->n_fills; index++) {
            const Headlight__V1__Fill *fill = result->masks[mask]->fills[index];
            printf("%zu\t", mask + 1);
            output_plain_text(stdout, codec_view(fill->token));
            putchar('\t');
            output_float(stdout, fill->score);
            printf("\t%" PRIu32 "\n", fill->token_id);
        }
    }
}

static void fill_print(Results *results, const ProtobufCMessage *message, size_t index)
{
    const Headlight__V1__FillMaskResponse *reply = (const Headlight__V1__FillMaskResponse *)message;
    results_begin(results, codec_view(reply->model));
    if (results_json(results))
        fill_print_json(reply->results[index]);
    else
        fill_print_text(reply->results[index], results->count == 1);
    results_end(results, reply->results[index]->usage, reply->results[index]->sanitization);
}

static int fill_run(const void *values, char *const *arguments, size_t argument_count)
{
    const FillSettings *settings = values;
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/FillMask",
                 .reply_type = &headlight__v1__fill_mask_response__descriptor,
                 .result_count = fill_count},
        .pack = fill_pack,
        .list = "results",
        .print = fill_print,
        .context = (void *)settings,
    };
    return texts_run(&task, &settings->texts, arguments, argument_count);
}

const Command fill_command = {
    .name = "fill",
    .arguments = "[TEXT...]",
    .summary = "Say what may stand where a text has a mask",
    .details =
        "The model's own mask token marks the places: [MASK] or <mask>. Prints a line a candidate: the mask's\n"
        "number, the token, its probability and its id, separated by tabs; an empty line stands between texts.\n\n"
        "  headlight fill --top-k 3 'Paris is the [MASK] of France.'",
    .options = fill_options,
    .option_count = sizeof fill_options / sizeof *fill_options,
    .settings_size = sizeof(FillSettings),
    .shared = TEXTS_SHARED | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_BATCH | COMMAND_SANITIZE,
    .run = fill_run,
};
