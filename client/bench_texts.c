#include "bench_texts.h"

#include "batch.h"
#include "call.h"

#include <math.h>
#include <stdlib.h>

/* Frequent words that BERT's vocabulary has whole: one word is one token. */
static const char *const bench_words[] = {
    "the",  "of",    "and",    "to",    "in",   "is",   "that",   "it",    "was",  "for",   "on",    "are",
    "as",   "with",  "they",   "be",    "at",   "one",  "have",   "this",  "from", "by",    "hot",   "word",
    "but",  "what",  "some",   "we",    "can",  "out",  "other",  "were",  "all",  "there", "when",  "up",
    "use",  "your",  "how",    "said",  "an",   "each", "she",    "which", "do",   "their", "time",  "if",
    "will", "way",   "about",  "many",  "then", "them", "write",  "would", "like", "so",    "these", "her",
    "long", "make",  "thing",  "see",   "him",  "two",  "has",    "look",  "more", "day",   "could", "go",
    "come", "did",   "number", "sound", "no",   "most", "people", "my",    "over", "know",  "water", "than",
    "call", "first", "who",    "may",   "down", "side", "been",   "now",   "find", "any",   "new",   "work",
};
enum { BENCH_WORD_COUNT = sizeof bench_words / sizeof *bench_words, BENCH_SPECIAL_TOKENS = 2 };

void bench_texts_free(BenchTexts *texts)
{
    for (size_t index = 0; index < texts->count; index++) free(texts->requests[index].bytes);
    free(texts->requests);
    *texts = (BenchTexts){0};
}

typedef struct BenchTextsRun {
    const BenchTextsOptions *options;
    BenchTexts *texts;
    size_t capacity;
    size_t text_count;
    size_t byte_count;
} BenchTextsRun;

static Status bench_texts_take(void *context, Batch *batch, Error *out_error)
{
    BenchTextsRun *run = context;
    BenchTexts *texts = run->texts;
    Headlight__V1__EmbedRequest message = HEADLIGHT__V1__EMBED_REQUEST__INIT;
    message.model = codec_text(text_view(run->options->model));
    message.inputs = batch_inputs(batch, &message.n_inputs);
    run->text_count += message.n_inputs;
    if (texts->count == run->capacity) {
        size_t capacity = run->capacity ? 2 * run->capacity : 256;
        BenchRequest *grown = reallocarray(texts->requests, capacity, sizeof *grown);
        if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for the texts");
        texts->requests = grown;
        run->capacity = capacity;
    }
    BenchRequest *request = &texts->requests[texts->count];
    Status status = codec_pack(&message.base, &request->bytes, &request->size, out_error);
    if (status != STATUS_OK) return status;
    texts->count++;
    run->byte_count += request->size;
    if (run->text_count > BENCH_TEXTS_MAX || run->byte_count > BENCH_TEXT_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "%s holds more than %d texts or %d bytes; give a smaller file", run->options->file,
                         BENCH_TEXTS_MAX, BENCH_TEXT_BYTES_MAX);
    }
    return STATUS_OK;
}

static Status bench_texts_pump(const BenchTextsOptions *options, const InputSource *source, BenchTexts *texts,
                               Error *out_error)
{
    BenchTextsRun run = {.options = options, .texts = texts};
    Input *input = NULL;
    Batch *batch = NULL;
    Status status = input_open(source, &input, out_error);
    if (status == STATUS_OK) status = batch_open(options->batch, &batch, out_error);
    BatchSink sink = {.take = bench_texts_take, .context = &run};
    if (status == STATUS_OK) status = batch_pump(batch, input, &sink, out_error);
    if (status == STATUS_OK && texts->count == 0) {
        status = error_set(out_error, STATUS_INVALID_ARGUMENT, "%s holds no text", options->file);
    }
    batch_close(batch);
    input_close(input);
    if (status != STATUS_OK) bench_texts_free(texts);
    return status;
}

static uint64_t bench_texts_length(const BenchTextsOptions *options, uint64_t *random)
{
    if (options->token_count) return options->token_count;
    double unit = (double)(call_random(random) >> 11) * 0x1p-53;
    double ratio = (double)BENCH_MIXED_TOKENS_MAX / BENCH_MIXED_TOKENS_MIN;
    return (uint64_t)(BENCH_MIXED_TOKENS_MIN * pow(ratio, unit));
}

/* A text of about `token_count` tokens; the caller frees it. NULL without memory. */
static char *bench_texts_generate(uint64_t token_count, uint64_t *random)
{
    uint64_t word_count = token_count > BENCH_SPECIAL_TOKENS ? token_count - BENCH_SPECIAL_TOKENS : 1;
    char *text = malloc(word_count * 8 + 1); /* no word is longer than 6 */
    if (!text) return NULL;
    char *end = text;
    for (uint64_t word = 0; word < word_count; word++) {
        if (word) *end++ = ' ';
        end = stpcpy(end, bench_words[call_random(random) % BENCH_WORD_COUNT]);
    }
    return text;
}

Status bench_texts_make(const BenchTextsOptions *options, BenchTexts *out_texts, Error *out_error)
{
    *out_texts = (BenchTexts){0};
    if (options->file) {
        InputSource source = {.file = options->file};
        return bench_texts_pump(options, &source, out_texts, out_error);
    }
    uint64_t random = options->seed;
    size_t count = 0, wanted = BENCH_REQUESTS_GENERATED * (size_t)options->batch;
    if (wanted > BENCH_TEXTS_MAX) wanted = BENCH_TEXTS_MAX;
    size_t token_count = options->token_count ? options->token_count : BENCH_MIXED_TOKENS_MAX;
    if (wanted > BENCH_TEXT_BYTES_MAX / (8 * token_count)) wanted = BENCH_TEXT_BYTES_MAX / (8 * token_count);
    if (wanted < options->batch) wanted = options->batch;
    char **texts = calloc(wanted, sizeof *texts);
    Status status = texts ? STATUS_OK : STATUS_NO_MEMORY;
    for (; status == STATUS_OK && count < wanted; count++) {
        texts[count] = bench_texts_generate(bench_texts_length(options, &random), &random);
        if (!texts[count]) status = STATUS_NO_MEMORY;
    }
    InputSource source = {.arguments = texts, .argument_count = count};
    if (status == STATUS_OK) {
        status = bench_texts_pump(options, &source, out_texts, out_error);
    } else {
        error_set(out_error, status, "out of memory for the texts");
    }
    for (size_t index = 0; index < count; index++) free(texts[index]);
    free(texts);
    return status;
}
