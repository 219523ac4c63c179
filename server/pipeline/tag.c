/* Entities of a token classifier's logits, as transformers' TokenClassificationPipeline finds them: a label for each
 * token, or for each word; neighbours of one label grouped; "O" left out. One walk over the tokens. */
#include "pipeline/pipeline_state.h"
#include "pipeline/softmax.h"

#include <assert.h>

/* What a token, or the tokens of a word, are labelled. */
typedef struct Tag {
    uint32_t label;
    float score;
    ByteRange range;
} Tag;

typedef struct Tagger {
    const Pipeline *pipeline;
    const Encoding *encoding;
    TextView text;
    const OffsetMap *origin;
    Aggregation aggregation;
    uint32_t label_count;
    bool marks_subwords; /* the vocabulary marks tokens that continue a word */
    float *scores;       /* [label_count] of the token at hand */
    double *sums;        /* [label_count] of the word at hand, for AVERAGE */
    Tag word;            /* for FIRST and MAX: the token of it that counts */
    uint32_t word_token_count;
    Tag group; /* label and range of its first tag; the range grows */
    uint32_t group_last_label;
    double group_score_sum;
    uint32_t group_tag_count;
    Entity *entities;
    uint32_t entity_count;
} Tagger;

static uint32_t character_count(const char *bytes, size_t size)
{
    uint32_t count = 0;
    for (size_t i = 0; i < size; i++) count += (bytes[i] & 0xC0) != 0x80;
    return count;
}

/* Whether a token continues the word before it. Where the vocabulary does not mark that, by the blank in front of it:
 * transformers' own guess. */
static bool token_is_subword(const Tagger *tagger, uint32_t token)
{
    ByteRange range = tagger->encoding->offsets[token];
    uint32_t id = tagger->encoding->ids[token];
    const Tokenizer *tokenizer = pipeline_tokenizer(tagger->pipeline);
    uint32_t unknown_id;
    if (tokenizer_unknown_id(tokenizer, &unknown_id) && id == unknown_id) return false;
    if (tagger->marks_subwords) {
        TextView piece = tokenizer_token_text(tokenizer, id);
        return character_count(piece.bytes, piece.size) !=
               character_count(tagger->text.bytes + range.begin, range.end - range.begin);
    }
    bool blank_inside = range.begin < tagger->text.size && tagger->text.bytes[range.begin] == ' ';
    return range.begin > 0 && tagger->text.bytes[range.begin - 1] != ' ' && !blank_inside;
}

/* A label without its "B-" or "I-"; *out_begins says whether it was "B-". */
static TextView label_tag(TextView label, bool *out_begins)
{
    bool marked = label.size >= 2 && (label.bytes[0] == 'B' || label.bytes[0] == 'I') && label.bytes[1] == '-';
    *out_begins = marked && label.bytes[0] == 'B';
    return marked ? (TextView){label.bytes + 2, label.size - 2} : label;
}

/* What stands behind the first '-'. */
static TextView label_group(TextView label)
{
    const char *dash = label.size ? memchr(label.bytes, '-', label.size) : NULL;
    if (!dash) return label;
    size_t skipped = (size_t)(dash - label.bytes) + 1;
    return (TextView){dash + 1, label.size - skipped};
}

static void tagger_put(Tagger *tagger, TextView label, float score, ByteRange range)
{
    if (text_equal(label, text_view("O"))) return;
    tagger->entities[tagger->entity_count++] =
        (Entity){.label = label, .score = score, .range = sanitizer_original_range(tagger->origin, range)};
}

static void tagger_finish_group(Tagger *tagger)
{
    if (tagger->group_tag_count == 0) return;
    float score = (float)(tagger->group_score_sum / tagger->group_tag_count);
    tagger_put(tagger, label_group(pipeline_label(tagger->pipeline, tagger->group.label)), score,
               tagger->group.range);
    tagger->group_tag_count = 0;
    tagger->group_score_sum = 0;
}

/* A tag joins the group when it goes on with the label of the tag before and does not begin a new one. */
static void tagger_add(Tagger *tagger, Tag tag)
{
    if (tagger->aggregation == AGGREGATION_NONE) {
        tagger_put(tagger, pipeline_label(tagger->pipeline, tag.label), tag.score, tag.range);
        return;
    }
    bool begins;
    bool ignored;
    TextView name = label_tag(pipeline_label(tagger->pipeline, tag.label), &begins);
    TextView last = label_tag(pipeline_label(tagger->pipeline, tagger->group_last_label), &ignored);
    if (tagger->group_tag_count && (begins || !text_equal(name, last))) tagger_finish_group(tagger);
    if (tagger->group_tag_count == 0) tagger->group = tag;
    tagger->group.range.end = tag.range.end;
    tagger->group_last_label = tag.label;
    tagger->group_score_sum += (double)tag.score;
    tagger->group_tag_count++;
}

static void tagger_finish_word(Tagger *tagger)
{
    if (tagger->word_token_count == 0) return;
    if (tagger->aggregation == AGGREGATION_AVERAGE) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < tagger->label_count; i++) {
            if (tagger->sums[i] > tagger->sums[best]) best = i;
        }
        tagger->word.label = best;
        tagger->word.score = (float)(tagger->sums[best] / tagger->word_token_count);
    }
    tagger_add(tagger, tagger->word);
    tagger->word_token_count = 0;
}

static void tagger_add_token(Tagger *tagger, uint32_t token, Tag tag)
{
    if (tagger->aggregation <= AGGREGATION_SIMPLE) {
        tagger_add(tagger, tag);
        return;
    }
    bool continues = tagger->word_token_count && token_is_subword(tagger, token);
    if (!continues) tagger_finish_word(tagger);
    for (uint32_t i = 0; tagger->aggregation == AGGREGATION_AVERAGE && i < tagger->label_count; i++) {
        tagger->sums[i] = (continues ? tagger->sums[i] : 0.0) + (double)tagger->scores[i];
    }
    if (!continues) {
        tagger->word = tag;
    } else if (tagger->aggregation == AGGREGATION_MAX && tag.score > tagger->word.score) {
        tagger->word.label = tag.label;
        tagger->word.score = tag.score;
    }
    tagger->word.range.end = tag.range.end;
    tagger->word_token_count++;
}

/* Each token as the chunk has it in which it stands farthest from a border, so that a walk goes on over borders. */
static void tagger_walk(Tagger *tagger, const Prepared *prepared, const float *const *logits)
{
    uint32_t label_count = tagger->label_count;
    ChunkPlace place = {0, 0};
    for (uint32_t token = 0; token < tagger->encoding->count; token++) {
        if (tagger->encoding->segments[token] == ENCODING_SEGMENT_NONE) continue;
        place = pipeline_chunk_place(prepared, token, place.chunk);
        const float *row = logits[place.chunk] + (size_t)place.row * label_count;
        Softmax softmax = softmax_measure(row, label_count);
        uint32_t best = 0;
        for (uint32_t i = 0; i < label_count; i++) {
            tagger->scores[i] = softmax_value(&softmax, row[i]);
            if (row[i] > row[best]) best = i;
        }
        Tag tag = {.label = best, .score = tagger->scores[best], .range = tagger->encoding->offsets[token]};
        tagger_add_token(tagger, token, tag);
    }
    tagger_finish_word(tagger);
    tagger_finish_group(tagger);
}

Status pipeline_tag(const Pipeline *pipeline, const Prepared *prepared, TextView text, const float *const *logits,
                    Aggregation aggregation, Arena *arena, Entity **out_entities, uint32_t *out_count,
                    Error *out_error)
{
    Tagger tagger = {
        .pipeline = pipeline,
        .encoding = &prepared->encoding,
        .text = text,
        .origin = prepared->origin,
        .aggregation = aggregation,
        .label_count = pipeline_label_count(pipeline),
        .marks_subwords = tokenizer_marks_subwords(pipeline_tokenizer(pipeline)),
    };
    tagger.scores = arena_allocate(arena, tagger.label_count * sizeof *tagger.scores);
    tagger.sums = arena_allocate(arena, tagger.label_count * sizeof *tagger.sums);
    tagger.entities = arena_allocate(arena, prepared->encoding.count * sizeof *tagger.entities);
    if (!tagger.scores || !tagger.sums || !tagger.entities) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold the entities of %u tokens", prepared->encoding.count);
    }
    tagger_walk(&tagger, prepared, logits);
    *out_entities = tagger.entities;
    *out_count = tagger.entity_count;
    return STATUS_OK;
}
