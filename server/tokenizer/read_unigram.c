/* The Unigram model: pieces with scores, whose places are their ids. */
#include "tokenizer/read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SCORE_DIGITS_MIN = 15, /* with so few, division gives what the decimal says */
    SCORE_DIGITS_MAX = 17,
    SCORE_DECIMALS_MAX = 22, /* 10^22 is the last power of ten that a double holds */
    SCORE_POWER_MAX = 308,   /* the largest power of ten that the library divides by at once */
    SCORE_SHIFT_MAX = 73,    /* so that 10^22 times a mantissa has 128 bits */
};

__extension__ typedef unsigned __int128 Wide;

/* The library's JSON parser rounds twice: it rounds the digits to a double and divides that by a power of ten. One
 * score in seven is off by its last bit, and sums that would be equal are not. To do the same, the digits of the
 * file are needed, and these are the fewest that tell the score from its neighbours, as everything that writes JSON
 * writes them.
 *
 * score = mantissa / 2^shift; `digits` of them after the rounding are the file's if they are within half a unit. */
static bool score_digits(uint64_t mantissa, unsigned shift, unsigned decimals, uint64_t *out_digits)
{
    Wide power = 1;
    for (unsigned i = 0; i < decimals; i++) power *= 10;
    Wide scaled = power * mantissa, half = (Wide)1 << shift >> 1;
    Wide digits = (scaled + half) >> shift, back = digits << shift;
    Wide distance = back > scaled ? back - scaled : scaled - back;
    *out_digits = (uint64_t)digits;
    return 2 * distance < power;
}

/* The same for a score so small that its power of ten is beyond what the above can count with. */
static double score_as_read_small(double score)
{
    char text[32];
    int count = SCORE_DIGITS_MIN;
    do {
        snprintf(text, sizeof text, "%.*e", count - 1, score);
    } while (strtod(text, NULL) != score && ++count <= SCORE_DIGITS_MAX);
    int decimals = count - 1 - (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    uint64_t digits = 0;
    for (const char *c = text; *c != 'e'; c++) {
        if (*c >= '0' && *c <= '9') digits = digits * 10 + (uint64_t)(*c - '0');
    }
    for (; digits % 10 == 0; digits /= 10) decimals--;
    double value = (double)digits;
    if (decimals > SCORE_POWER_MAX) {
        value /= 1e308;
        decimals -= SCORE_POWER_MAX;
    }
    snprintf(text, sizeof text, "1e%d", decimals);
    return copysign(value / strtod(text, NULL), score);
}

static double score_as_read(double score)
{
    int exponent;
    double magnitude = fabs(score), fraction = frexp(magnitude, &exponent);
    int shift = 53 - exponent;
    if (magnitude == 0 || shift < 1) return score;
    if (shift > SCORE_SHIFT_MAX) return score_as_read_small(score);
    int order = (int)floor(log10(magnitude)) + 1;
    uint64_t mantissa = (uint64_t)ldexp(fraction, 53), digits;
    for (int count = SCORE_DIGITS_MIN; count <= SCORE_DIGITS_MAX; count++) {
        int decimals = count - order;
        if (decimals < 0 || decimals > SCORE_DECIMALS_MAX) continue;
        if (!score_digits(mantissa, (unsigned)shift, (unsigned)decimals, &digits)) continue;
        double power = 1;
        for (int i = 0; i < decimals; i++) power *= 10;
        return copysign((double)digits / power, score);
    }
    return magnitude < 1 ? score_as_read_small(score) : score;
}

static Status read_piece(const Reader *reader, const JsonValue *item, uint32_t index, TextView *out_text,
                         double *out_score)
{
    const JsonValue *first = json_type(item) == JSON_ARRAY ? json_first(item) : NULL;
    if (first && json_size(item) == 2 && json_string(first, out_text) &&
        json_number(json_next(first), out_score) && isfinite(*out_score)) {
        return read_token_check(reader, "model.vocab", *out_text);
    }
    char field[48];
    snprintf(field, sizeof field, "model.vocab[%u]", index);
    return read_expected(reader, field, "[\"piece\", score]", item);
}

static Status read_pieces(Reader *reader, const JsonValue *vocab, uint32_t count, double *scores)
{
    size_t bytes = 0;
    uint32_t index = 0;
    TextView text;
    Status status = STATUS_OK;
    for (const JsonValue *item = json_first(vocab); item; item = json_next(item), index++) {
        status = read_piece(reader, item, index, &text, &scores[index]);
        if (status) break;
        bytes += text.size;
        scores[index] = score_as_read(scores[index]);
    }
    if (!status) status = read_vocabulary_open(reader, count, count ? count - 1 : 0, bytes);
    index = 0;
    for (const JsonValue *item = json_first(vocab); item && !status; item = json_next(item), index++) {
        /* A special token that occurs in the texts becomes a piece once more when the library trains. */
        if (json_string(json_first(item), &text)) status = read_vocabulary_add(reader, text, index, true);
    }
    return status;
}

Status read_unigram(Reader *reader, const JsonValue *value)
{
    Tokenizer *tokenizer = reader->tokenizer;
    Unigram *unigram = &tokenizer->model.unigram;
    const JsonValue *vocab = json_member(value, "vocab");
    uint32_t unknown_id;
    bool byte_fallback = false;
    if (json_type(vocab) != JSON_ARRAY) return read_expected(reader, "model.vocab", "an array", vocab);
    if (json_type(json_member(value, "unk_id")) == JSON_NULL) {
        return error_set(reader->error, STATUS_UNSUPPORTED,
                         "%s: model.unk_id: none is not supported: a text with an unknown character has no tokens",
                         reader->path);
    }
    size_t count = json_size(vocab); /* walks the list */
    Status status = read_integer(reader, value, "model", "unk_id", (int64_t)count - 1, &unknown_id);
    if (!status && json_member(value, "byte_fallback")) {
        status = read_boolean(reader, value, "model", "byte_fallback", &byte_fallback);
    }
    if (status) return status;
    double *scores = malloc((count + 1) * sizeof *scores);
    if (!scores) return error_set(reader->error, STATUS_NO_MEMORY, "no memory for %zu scores", count);
    status = read_pieces(reader, vocab, (uint32_t)count, scores);
    tokenizer->model.kind = MODEL_UNIGRAM;
    if (!status) status = unigram_open(unigram, &tokenizer->vocabulary, scores, reader->error);
    unigram->unknown_id = unknown_id;
    unigram->byte_fallback = byte_fallback;
    free(scores);
    return status;
}
