#include "explain/summary.h"

#include "base/limits.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    WORDS_FOR_MAX = 3,
    WORDS_AGAINST_MAX = 2,
    RULE_WORDS_MAX = 10,
    WORD_BYTES_MAX = 40,                    /* of a word that is quoted */
    QUOTED_BYTES_MAX = WORD_BYTES_MAX + 48, /* with what stands around it */
    SENTENCE_BYTES_MAX = 512,               /* without labels and words */
    SENTENCES_MAX = 6,
    QUOTES_MAX = 2 * (WORDS_FOR_MAX + WORDS_AGAINST_MAX) + RULE_WORDS_MAX + 1,
};
static_assert(SENTENCES_MAX * SENTENCE_BYTES_MAX + QUOTES_MAX * QUOTED_BYTES_MAX + 3 * LABEL_BYTES_MAX <=
                  SUMMARY_BYTES_MAX,
              "a summary is never cut");
/* Words with less than this part of the greatest score are not worth a mention. */
#define SCORE_PART_MIN 0.05

/* In the order of their faithfulness, the best first (tests/bench/explain_score.py). */
static const struct {
    ExplainMethod method;
    bool is_signed;
    const char *name;
} sources[] = {
    {EXPLAIN_INTEGRATED_GRADIENTS, true, "integrated gradients"},
    {EXPLAIN_OCCLUSION, true, "occlusion"},
    {EXPLAIN_VALUE_NORM, false, "value norms"},
    {EXPLAIN_GRADIENT_INPUT, true, "gradient times input"},
    {EXPLAIN_ROLLOUT, false, "attention rollout"},
};
enum { SOURCE_COUNT = sizeof sources / sizeof sources[0] };

typedef struct Writer {
    char *bytes;
    size_t used;
    const SummaryNumbers *numbers;
} Writer;

__attribute__((format(printf, 2, 3))) static void put(Writer *writer, const char *format, ...)
{
    va_list values;
    size_t left = SUMMARY_BYTES_MAX - writer->used;
    va_start(values, format);
    int written = vsnprintf(writer->bytes + writer->used, left, format, values);
    va_end(values);
    assert(written >= 0 && (size_t)written < left);
    writer->used += (size_t)written;
}

/* In quotation marks; a long one is cut, and control characters are blanks. */
static void put_quoted(Writer *writer, TextView text, size_t bytes_max)
{
    size_t size = 0;
    put(writer, "\"");
    while (size < text.size) {
        size_t next = text_utf8_size(text.bytes + size, text.size - size);
        if (next == 0 || size + next > bytes_max) break;
        bool control = (unsigned char)text.bytes[size] < 0x20 || text.bytes[size] == 0x7F;
        put(writer, "%.*s", (int)next, control ? " " : text.bytes + size);
        size += next;
    }
    put(writer, "%s\"", size < text.size ? "..." : "");
}

static void put_word(Writer *writer, uint32_t word)
{
    assert(word < writer->numbers->word_count);
    const SummaryNumbers *numbers = writer->numbers;
    put_quoted(writer, numbers->words[word], WORD_BYTES_MAX);
    if (numbers->pair_count == 0) return;
    put(writer, " in the %s", word < numbers->word_count - numbers->pair_count ? "text" : "pair");
}

/* What stands in front of item `index` of `count`: "a, b and c". */
static const char *separator(uint32_t index, uint32_t count)
{
    if (index == 0) return "";
    return index + 1 == count ? " and " : ", ";
}

/* ---- The label ---- */

static void put_label(Writer *writer)
{
    const SummaryNumbers *numbers = writer->numbers;
    if (numbers->label.size == 0) return;
    put(writer, numbers->label_is_other ? "The label " : "The label is ");
    put_quoted(writer, numbers->label, LABEL_BYTES_MAX);
    if (numbers->label_is_other) put(writer, " is not the answer,");
    if (numbers->has_score) put(writer, " with a score of %.3f", (double)numbers->score);
    put(writer, ". ");
}

/* ---- The attribution ---- */

static unsigned source_of(ExplainMethod method)
{
    unsigned source = 0;
    while (source < SOURCE_COUNT && sources[source].method != method) source++;
    return source;
}

const ExplainAttribution *summary_choose(const ExplainAttribution *attributions, uint32_t count)
{
    const ExplainAttribution *best = NULL;
    unsigned best_source = SOURCE_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        unsigned source = source_of(attributions[i].method);
        if (source >= best_source) continue;
        best_source = source;
        best = &attributions[i];
    }
    return best;
}

/* The words of the greatest sign * score, at most `max` of them; returns how many. */
static uint32_t words_best(const SummaryNumbers *numbers, double sign, double least, uint32_t max,
                           uint32_t *out_words)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word < numbers->word_count; word++) {
        double score = sign * (double)numbers->word_scores[word];
        if (!(score > 0) || score < least) continue;
        uint32_t at = count < max ? count++ : max;
        while (at > 0 && sign * (double)numbers->word_scores[out_words[at - 1]] < score) {
            if (at < max) out_words[at] = out_words[at - 1];
            at--;
        }
        if (at < max) out_words[at] = word;
    }
    return count;
}

/* Each with its score, or with its part of `sum` where that is not 0. */
static void put_scored(Writer *writer, const uint32_t *words, uint32_t count, double sum)
{
    for (uint32_t i = 0; i < count; i++) {
        double score = (double)writer->numbers->word_scores[words[i]];
        put(writer, "%s", separator(i, count));
        put_word(writer, words[i]);
        if (sum > 0)
            put(writer, " (%.0f %%)", 100 * score / sum);
        else
            put(writer, " (%+.3f)", score);
    }
}

static void put_attribution(Writer *writer)
{
    const SummaryNumbers *numbers = writer->numbers;
    if (!numbers->attribution) return;
    unsigned source = source_of(numbers->attribution->method);
    uint32_t words[WORDS_FOR_MAX], against[WORDS_AGAINST_MAX];
    double greatest = 0, sum = 0;
    for (uint32_t i = 0; i < numbers->word_count; i++) {
        greatest = fmax(greatest, fabs((double)numbers->word_scores[i]));
        sum += fabs((double)numbers->word_scores[i]);
    }
    uint32_t count = words_best(numbers, 1, SCORE_PART_MIN * greatest, WORDS_FOR_MAX, words);
    uint32_t against_count = words_best(numbers, -1, SCORE_PART_MIN * greatest, WORDS_AGAINST_MAX, against);
    if (count + against_count == 0 || source == SOURCE_COUNT) return;
    put(writer, "By %s, ", sources[source].name);
    if (!sources[source].is_signed) {
        put(writer, "most was read from ");
        put_scored(writer, words, count, sum);
    } else {
        if (count) put(writer, "most for it is ");
        put_scored(writer, words, count, 0);
        put(writer, count && against_count ? ", and " : "");
        if (against_count) put(writer, "most against it ");
        put_scored(writer, against, against_count, 0);
    }
    put(writer, ". ");
}

static void put_faithfulness(Writer *writer)
{
    const ExplainAttribution *attribution = writer->numbers->attribution;
    if (!attribution || !attribution->has_faithfulness) return;
    const ExplainFaithfulness *found = &attribution->faithfulness;
    put(writer,
        "Without the tokens of the highest scores the target's score falls by %.3f, and with those alone by %.3f, "
        "on "
        "the average of 1 to 50 %% of the tokens, the others %s. ",
        (double)found->comprehensiveness, (double)found->sufficiency,
        found->removal == EXPLAIN_MASK ? "masked" : "deleted");
}

/* ---- Surrogates ---- */

static void put_linear(Writer *writer, const ExplainSurrogate *found)
{
    uint32_t count = found->feature_count < WORDS_FOR_MAX ? found->feature_count : WORDS_FOR_MAX;
    if (count == 0) return;
    put(writer, "A linear model of copies without some of the words (R2 %.2f) gives most weight to ",
        (double)found->fidelity);
    for (uint32_t i = 0; i < count; i++) {
        put(writer, "%s", separator(i, count));
        put_word(writer, found->features[i]);
        put(writer, " (%+.3f)", (double)found->weights[i]);
    }
    put(writer, ". ");
}

static void put_tree(Writer *writer, const ExplainSurrogate *found)
{
    const ExplainNode *root = &found->nodes[0];
    if (found->node_count == 0 || root->feature < 0) return;
    put(writer, "A tree that foretells %.0f %% of the labels of such copies asks first for ",
        100 * (double)found->fidelity);
    put_word(writer, (uint32_t)root->feature);
    put(writer, ": with it the score is %.3f, without it %.3f. ", (double)found->nodes[root->if_true].value,
        (double)found->nodes[root->if_false].value);
}

static void put_anchor(Writer *writer, const ExplainSurrogate *found)
{
    if (found->feature_count > RULE_WORDS_MAX) return;
    put(writer, found->feature_count == 0 ? "Whichever words are left out" : "As long as ");
    for (uint32_t i = 0; i < found->feature_count; i++) {
        put(writer, "%s", separator(i, found->feature_count));
        put_word(writer, found->features[i]);
    }
    if (found->feature_count > 0) put(writer, found->feature_count == 1 ? " stays" : " stay");
    put(writer, ", %s in %.1f %% of copies without half of the other words. ",
        writer->numbers->label_is_other ? "that score stays on its side of the middle" : "the label holds",
        100 * (double)found->fidelity);
}

size_t summary_write(const SummaryNumbers *numbers, char *out_bytes)
{
    Writer writer = {.bytes = out_bytes, .numbers = numbers};
    put_label(&writer);
    put_attribution(&writer);
    put_faithfulness(&writer);
    for (uint32_t i = 0; i < numbers->surrogate_count; i++) {
        const ExplainSurrogate *found = &numbers->surrogates[i];
        if (found->method == EXPLAIN_SURROGATE_LINEAR) put_linear(&writer, found);
        if (found->method == EXPLAIN_SURROGATE_TREE) put_tree(&writer, found);
        if (found->method == EXPLAIN_ANCHOR_RULE) put_anchor(&writer, found);
    }
    return writer.used > 0 ? writer.used - 1 : 0; /* without the last blank */
}
