#include "embed_print.h"

#include "output.h"
#include "results.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct EmbedPrint {
    Results results;
    bool similarity;
    bool chunks;
    size_t dimension_count;
    uint64_t count; /* of vectors kept */
    float *vectors; /* [count][dimension_count], of unit length; with similarity */
    size_t vector_capacity;
    char *model; /* with similarity */
};

Status embed_print_open(const Settings *settings, bool similarity, bool chunks, EmbedPrint **out_print,
                        Error *out_error)
{
    EmbedPrint *print = calloc(1, sizeof *print);
    if (!print) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    print->results = (Results){.settings = settings, .list = "embeddings"};
    print->similarity = similarity;
    print->chunks = chunks;
    *out_print = print;
    return STATUS_OK;
}

void embed_print_close(EmbedPrint *print)
{
    if (!print) return;
    free(print->vectors);
    free(print->model);
    free(print);
}

/* Index and value of each entry: as JSON two lists, as text index:value. */
static void embed_print_sparse(const Results *results, const Headlight__V1__SparseVector *sparse)
{
    if (!results_json(results)) {
        for (size_t entry = 0; entry < sparse->n_indices; entry++) {
            printf("%s%" PRIu32 ":", entry ? " " : "", sparse->indices[entry]);
            output_float(stdout, sparse->values[entry]);
        }
        return;
    }
    fputs(",\"sparse\":{\"indices\":[", stdout);
    for (size_t entry = 0; entry < sparse->n_indices; entry++)
        printf("%s%" PRIu32, entry ? "," : "", sparse->indices[entry]);
    fputs("],\"values\":[", stdout);
    output_floats(stdout, sparse->values, sparse->n_values, ",");
    fputs("]}", stdout);
}

static void embed_print_dense(const Results *results, const Headlight__V1__Embedding *embedding)
{
    bool json = results_json(results);
    if (json) fputs(",\"values\":[", stdout);
    output_floats(stdout, embedding->values, embedding->n_values, json ? "," : " ");
    if (json) putchar(']');
}

/* A line a chunk, or the list "chunks". */
static void embed_print_chunks(const Results *results, const Headlight__V1__Embedding *embedding)
{
    bool json = results_json(results);
    if (json) fputs(",\"chunks\":[", stdout);
    for (size_t index = 0; index < embedding->n_chunks; index++) {
        const Headlight__V1__ChunkSpan *span = embedding->chunk_spans[index];
        const Headlight__V1__Vector *vector = embedding->chunks[index];
        if (json) {
            printf("%s{\"byte_begin\":%" PRIu32 ",\"byte_end\":%" PRIu32 ",\"token_count\":%" PRIu32,
                   index ? "," : "", span->byte_begin, span->byte_end, span->token_count);
            results_float("weight", span->weight);
            fputs(",\"values\":[", stdout);
        } else {
            printf("%" PRIu32 "\t%" PRIu32 "\t", span->byte_begin, span->byte_end);
            output_float(stdout, span->weight);
            putchar('\t');
        }
        output_floats(stdout, vector->values, vector->n_values, json ? "," : " ");
        fputs(json ? "]}" : "\n", stdout);
    }
    if (json) putchar(']');
}

static void embed_print_vector(EmbedPrint *print, TextView model, const Headlight__V1__Embedding *embedding,
                               TextView text)
{
    bool json = results_json(&print->results);
    results_begin(&print->results, model);
    if (text.bytes && json) results_text("text", text);
    if (text.bytes && !json) {
        output_plain_text(stdout, text);
        putchar('\t');
    }
    if (embedding->sparse)
        embed_print_sparse(&print->results, embedding->sparse);
    else
        embed_print_dense(&print->results, embedding);
    if (!json) putchar('\n');
    if (print->chunks) embed_print_chunks(&print->results, embedding);
    results_end(&print->results, embedding->usage, embedding->sanitization);
}

/* Keeps the vector, scaled to length 1, so that a product is a cosine. */
static Status embed_print_keep(EmbedPrint *print, TextView model, const Headlight__V1__Embedding *embedding,
                               Error *out_error)
{
    if (print->count == EMBED_SIMILARITY_TEXTS_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "--similarity compares %d texts at most",
                         EMBED_SIMILARITY_TEXTS_MAX);
    }
    if (print->count == 0) {
        print->dimension_count = embedding->n_values;
        print->model = strndup(model.bytes, model.size);
    }
    if (embedding->n_values != print->dimension_count) {
        return error_set(out_error, STATUS_CORRUPT, "the server sent vectors of %zu and of %zu dimensions",
                         print->dimension_count, embedding->n_values);
    }
    if (print->count == print->vector_capacity) {
        size_t capacity = print->vector_capacity ? 2 * print->vector_capacity : 16;
        float *grown = reallocarray(print->vectors, capacity, print->dimension_count * sizeof(float));
        if (!grown) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for %zu vectors", capacity);
        print->vectors = grown;
        print->vector_capacity = capacity;
    }
    double square = 0;
    for (size_t d = 0; d < embedding->n_values; d++)
        square += (double)embedding->values[d] * (double)embedding->values[d];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    float *vector = print->vectors + print->count * print->dimension_count;
    for (size_t d = 0; d < embedding->n_values; d++) vector[d] = (float)(scale * (double)embedding->values[d]);
    print->count++;
    return STATUS_OK;
}

Status embed_print_add(EmbedPrint *print, TextView model, const Headlight__V1__Embedding *embedding, TextView text,
                       Error *out_error)
{
    const Headlight__V1__SparseVector *sparse = embedding->sparse;
    if (sparse && sparse->n_indices != sparse->n_values)
        return error_set(out_error, STATUS_CORRUPT, "the server sent a sparse vector without all its values");
    if (!sparse && embedding->n_values == 0)
        return error_set(out_error, STATUS_CORRUPT, "the server sent an empty vector");
    if (print->chunks && embedding->n_chunks != embedding->n_chunk_spans)
        return error_set(out_error, STATUS_CORRUPT, "the server sent %zu chunks and %zu places of theirs",
                         embedding->n_chunks, embedding->n_chunk_spans);
    if (sparse && print->similarity)
        return error_set(out_error, STATUS_UNSUPPORTED,
                         "--similarity compares dense vectors, the model's are sparse");
    if (!print->similarity) {
        embed_print_vector(print, model, embedding, text);
        return STATUS_OK;
    }
    results_count(&print->results, embedding->usage, embedding->sanitization);
    return embed_print_keep(print, model, embedding, out_error);
}

/* ---- Similarities ---- */

/* cos(a, b) of texts a and b. */
static float embed_print_cosine(const EmbedPrint *print, uint64_t a, uint64_t b)
{
    const float *x = print->vectors + a * print->dimension_count;
    const float *y = print->vectors + b * print->dimension_count;
    double sum = 0;
    for (size_t d = 0; d < print->dimension_count; d++) sum += (double)x[d] * (double)y[d];
    return (float)sum;
}

/* Two texts: one number. More: the matrix, a line a text. */
static void embed_print_similarity_text(const EmbedPrint *print)
{
    if (print->count == 2) {
        printf("%.6f\n", (double)embed_print_cosine(print, 0, 1));
        return;
    }
    for (uint64_t row = 0; row < print->count; row++) {
        for (uint64_t column = 0; column < print->count; column++) {
            printf("%s%.6f", column ? " " : "", (double)embed_print_cosine(print, row, column));
        }
        putchar('\n');
    }
}

static void embed_print_similarity_json(const EmbedPrint *print, TextView model)
{
    fputs("{\"model\":", stdout);
    output_json_text(stdout, model);
    fputs(",\"similarity\":[", stdout);
    for (uint64_t row = 0; row < print->count; row++) {
        fputs(row ? ",[" : "[", stdout);
        for (uint64_t column = 0; column < print->count; column++) {
            if (column) putchar(',');
            output_float(stdout, embed_print_cosine(print, row, column));
        }
        putchar(']');
    }
    puts("]}");
}

/* A line a pair. */
static void embed_print_similarity_jsonl(const EmbedPrint *print)
{
    for (uint64_t a = 0; a < print->count; a++) {
        for (uint64_t b = a + 1; b < print->count; b++) {
            printf("{\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"similarity\":", a, b);
            output_float(stdout, embed_print_cosine(print, a, b));
            puts("}");
        }
    }
}

void embed_print_finish(EmbedPrint *print)
{
    TextView model = text_view(print->model ? print->model : print->results.settings->model);
    if (print->similarity && print->results.settings->format == OUTPUT_TEXT) embed_print_similarity_text(print);
    if (print->similarity && print->results.settings->format == OUTPUT_JSON)
        embed_print_similarity_json(print, model);
    if (print->similarity && print->results.settings->format == OUTPUT_JSONL) embed_print_similarity_jsonl(print);
    if (print->similarity)
        results_note(&print->results);
    else
        results_finish(&print->results, model);
}
