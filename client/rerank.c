/* `headlight rerank`: texts by how well they answer a query. */
#include "output.h"
#include "results.h"
#include "texts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { RERANK_TEXTS_MAX = 1000000 };

typedef struct RerankSettings {
    TextsSettings texts;
    const char *query;
    bool raw_scores;
    uint64_t top_n; /* 0: all */
} RerankSettings;

static const Option rerank_options[] = {
    {"query", "TEXT", NULL, OPTION_TEXT, offsetof(RerankSettings, query), NULL, 0, 0, NULL,
     "What the texts are compared with."},
    {"top-n", "COUNT", NULL, OPTION_COUNT, offsetof(RerankSettings, top_n), NULL, 1, RERANK_TEXTS_MAX, NULL,
     "Only the COUNT best texts; without it all of them."},
    {"raw-scores", NULL, NULL, OPTION_FLAG, offsetof(RerankSettings, raw_scores), NULL, 0, 0, NULL,
     "The model's logits instead of scores from 0 to 1."},
};

typedef struct RerankRow {
    uint64_t index;
    float score;
    char *text; /* owned; [size] */
    size_t size;
    bool cut; /* the score is that of the bytes [begin, end) */
    uint32_t begin;
    uint32_t end;
    char *report; /* owned; its JSON; NULL: none */
} RerankRow;

/* Scores depend on a text and the query alone, so requests may hold any part of the texts: they are sorted here. */
typedef struct RerankRun {
    const RerankSettings *settings;
    Results results;
    RerankRow *rows; /* [count] */
    size_t count;
    size_t capacity;
    char *model;
} RerankRun;

static size_t rerank_count(const ProtobufCMessage *reply)
{
    return ((const Headlight__V1__RerankResponse *)reply)->n_ranks;
}

static Status rerank_pack(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                          Error *out_error)
{
    const RerankSettings *settings = ((const RerankRun *)context)->settings;
    TextsOptions options;
    Headlight__V1__RerankRequest message = HEADLIGHT__V1__RERANK_REQUEST__INIT;
    (void)input;
    texts_options(&settings->texts, &options);
    message.options = &options.options;
    message.model = codec_text(text_view(settings->texts.common.model));
    message.query = codec_text(text_view(settings->query));
    message.raw_scores = settings->raw_scores;
    message.return_text = true;
    message.n_texts = batch_count(batch);
    message.texts = calloc(message.n_texts, sizeof *message.texts);
    if (!message.texts) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    for (size_t index = 0; index < message.n_texts; index++)
        message.texts[index] = codec_text(batch_text(batch, index));
    Status status = codec_pack(&message.base, out_bytes, out_size, out_error);
    free(message.texts);
    return status;
}

static Status rerank_make_room(RerankRun *run, size_t count, Error *out_error)
{
    if (count <= run->capacity) return STATUS_OK;
    if (count > RERANK_TEXTS_MAX)
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "rerank sorts %d texts at most", RERANK_TEXTS_MAX);
    size_t capacity = 2 * count;
    RerankRow *grown = reallocarray(run->rows, capacity, sizeof *grown);
    if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for %zu texts", capacity);
    run->rows = grown;
    run->capacity = capacity;
    return STATUS_OK;
}

/* What the sanitizer found, as it will be printed; NULL: there is nothing to print, or no memory. */
static char *rerank_report(const RerankRun *run, const Headlight__V1__SanitizeReport *report)
{
    if (!report || !results_json(&run->results)) return NULL;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    report_print_json(stream, report);
    fclose(stream);
    return text;
}

static Status rerank_answer(void *context, const ExchangeRequest *request, const ProtobufCMessage *message,
                            Error *out_error)
{
    RerankRun *run = context;
    const Headlight__V1__RerankResponse *reply = (const Headlight__V1__RerankResponse *)message;
    Status status = rerank_make_room(run, run->count + reply->n_ranks, out_error);
    if (!run->model) run->model = strndup(codec_view(reply->model).bytes, codec_view(reply->model).size);
    for (size_t index = 0; index < reply->n_ranks && status == STATUS_OK; index++) {
        const Headlight__V1__Rank *rank = reply->ranks[index];
        TextView text = codec_view(rank->text);
        if (rank->maybe_text_case != HEADLIGHT__V1__RANK__MAYBE_TEXT_TEXT || rank->index >= request->text_count)
            return error_set(out_error, STATUS_CORRUPT, "the server ranked a text that was not sent");
        RerankRow row = {
            .index = request->first_index + rank->index,
            .score = rank->score,
            .text = malloc(text.size + 1),
            .size = text.size,
            .cut = rank->best_chunk != NULL,
            .report = rerank_report(run, rank->sanitization),
        };
        if (!row.text || (!row.report && rank->sanitization && results_json(&run->results))) {
            free(row.text);
            return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
        }
        memcpy(row.text, text.bytes, text.size);
        if (row.cut) {
            row.begin = rank->best_chunk->byte_begin;
            row.end = rank->best_chunk->byte_end;
        }
        run->rows[run->count++] = row;
        results_count(&run->results, rank->usage, rank->sanitization);
    }
    return status;
}

/* By descending score; equal ones, and what is no number at the end, in the order of the texts. */
static int rerank_compare(const void *left, const void *right)
{
    const RerankRow *a = left, *b = right;
    float x = isnan(a->score) ? -INFINITY : a->score;
    float y = isnan(b->score) ? -INFINITY : b->score;
    if (x != y) return x > y ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void rerank_print(const RerankRun *run, const RerankRow *row, size_t rank)
{
    TextView text = {row->text, row->size};
    if (!results_json(&run->results)) {
        output_float(stdout, row->score);
        printf("\t%" PRIu64 "\t", row->index);
        output_plain_text(stdout, text);
        putchar('\n');
        return;
    }
    bool document = run->results.settings->format == OUTPUT_JSON;
    printf("%s{\"index\":%" PRIu64, document && rank ? ",\n" : "", row->index);
    results_float("score", row->score);
    results_text("text", text);
    if (row->cut)
        printf(",\"best_chunk\":{\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 "}", row->begin, row->end);
    if (row->report) fputs(row->report, stdout);
    fputs(document ? "}" : "}\n", stdout);
}

static void rerank_finish(void *context)
{
    RerankRun *run = context;
    uint64_t top_n = run->settings->top_n;
    bool document = run->results.settings->format == OUTPUT_JSON;
    if (run->count) qsort(run->rows, run->count, sizeof *run->rows, rerank_compare);
    if (document) {
        fputs("{\"model\":", stdout);
        output_json_text(stdout, text_view(run->model ? run->model : run->settings->texts.common.model));
        fputs(",\"ranks\":[", stdout);
    }
    for (size_t rank = 0; rank < run->count && (top_n == 0 || rank < top_n); rank++)
        rerank_print(run, &run->rows[rank], rank);
    if (document) puts("]}");
    results_note(&run->results);
}

static int rerank_run(const void *values, char *const *arguments, size_t argument_count)
{
    const RerankSettings *settings = values;
    RerankRun run = {.settings = settings, .results = {.settings = &settings->texts.common}};
    const TextsTask task = {
        .type = {.method = "/headlight.v1.Inference/Rerank",
                 .reply_type = &headlight__v1__rerank_response__descriptor,
                 .result_count = rerank_count},
        .pack = rerank_pack,
        .answer = rerank_answer,
        .finish = rerank_finish,
        .context = &run,
    };
    if (!settings->query || !*settings->query) {
        Error error;
        error_set(&error, STATUS_INVALID_ARGUMENT, "rerank needs --query");
        return output_fail(&error);
    }
    int code = texts_run(&task, &settings->texts, arguments, argument_count);
    for (size_t index = 0; index < run.count; index++) {
        free(run.rows[index].text);
        free(run.rows[index].report);
    }
    free(run.rows);
    free(run.model);
    return code;
}

const Command rerank_command = {
    .name = "rerank",
    .arguments = "[TEXT...]",
    .summary = "Sort texts by how well they answer a query",
    .details =
        "Prints a line a text, the best first: its score, its number among the texts from 0, and the text,\n"
        "separated by tabs.\n\n"
        "  headlight rerank --query 'how do I boil an egg' --top-n 3 --file recipes.txt",
    .options = rerank_options,
    .option_count = sizeof rerank_options / sizeof *rerank_options,
    .settings_size = sizeof(RerankSettings),
    .shared = TEXTS_SHARED | COMMAND_LENGTH | COMMAND_CHUNKS | COMMAND_BATCH | COMMAND_SANITIZE,
    .run = rerank_run,
};
