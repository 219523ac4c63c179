#include "pipeline/copies.h"

#include "explain/memory.h"

#include <assert.h>
#include <math.h>

struct Copies {
    const ExplainSubject *subject;
    const uint32_t *token_features; /* [token count] */
    uint32_t feature_count;
    ExplainRemoval removal;
    uint32_t mask_id;
    uint32_t count_max; /* of a batch */
    Prepared *prepared; /* [count_max], as the next two */
    PipelineItem *items;
    PipelineItem **item_list;
    EmbedOptions embed;
    const float *whole_output;
    double whole_norm; /* EMBED */
    bool whole_wins;   /* the whole's label is the target */
    StudyAnswer whole;
};

Status copies_check(const Pipeline *pipeline, const ExplainSpec *spec, Error *out_error)
{
    bool masks = spec->has_removal && spec->removal == EXPLAIN_MASK;
    if (!masks || tokenizer_mask_id(pipeline->tokenizer) != TOKENIZER_NO_ID) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "the model has no mask token: leave removal out, or set it to DELETE");
}

ExplainRemoval copies_removal(const Pipeline *pipeline, const ExplainSpec *spec, ExplainRemoval own)
{
    if (spec->has_removal) return spec->removal;
    return tokenizer_mask_id(pipeline->tokenizer) == TOKENIZER_NO_ID ? EXPLAIN_DELETE : own;
}

uint32_t copies_number_tokens(const Prepared *prepared, uint32_t *token_features)
{
    const Encoding *encoding = &prepared->encoding;
    uint32_t count = 0;
    for (uint32_t i = 0; i < encoding->count; i++) {
        bool of_text = encoding->segments[i] != ENCODING_SEGMENT_NONE && i >= prepared->prompt_token_count;
        if (token_features) token_features[i] = of_text ? count : EXPLAIN_NO_FEATURE;
        count += of_text;
    }
    return count;
}

/* ---- Room ---- */

static uint32_t copies_count_max(const Prepared *prepared)
{
    uint32_t count = EXPLAIN_STEP_TOKENS / prepared->encoding.count;
    return count > 0 ? count : 1;
}

/* `spec`: the subject. */
static void *copies_lay_out(const void *spec, ExplainMemory *memory)
{
    const ExplainSubject *subject = spec;
    const Prepared *whole = subject->prepared;
    uint64_t output_size = pipeline_output_size(subject->pipeline, subject->task, whole, 0);
    Copies *copies = explain_take(memory, 1, sizeof *copies);
    Copies made = {.subject = subject, .count_max = copies_count_max(whole)};
    made.prepared = explain_take(memory, made.count_max, sizeof *made.prepared);
    made.items = explain_take(memory, made.count_max, sizeof *made.items);
    made.item_list = explain_take(memory, made.count_max, sizeof(PipelineItem *));
    for (uint32_t i = 0; i < made.count_max; i++) {
        Prepared copy = *whole;
        PipelineItem item = {.task = subject->task};
        copy.encoding.ids = explain_take(memory, whole->encoding.count, sizeof *copy.encoding.ids);
        copy.encoding.type_ids = explain_take(memory, whole->encoding.count, sizeof *copy.encoding.type_ids);
        copy.global_positions = explain_take(memory, whole->global_count, sizeof *copy.global_positions);
        item.output = explain_take(memory, output_size, sizeof *item.output);
        if (!copies) continue;
        item.prepared = &made.prepared[i];
        item.embed = &copies->embed;
        made.prepared[i] = copy;
        made.items[i] = item;
        made.item_list[i] = &made.items[i];
    }
    if (copies) *copies = made;
    return copies;
}

uint64_t copies_bytes(const ExplainSubject *subject)
{
    return explain_made_bytes(copies_lay_out, subject);
}

Copies *copies_open(const ExplainSubject *subject, const uint32_t *token_features, uint32_t feature_count,
                    ExplainRemoval removal, Arena *arena)
{
    Copies *copies = explain_make(copies_lay_out, subject, arena, NULL);
    if (!copies) return NULL;
    copies->token_features = token_features;
    copies->feature_count = feature_count;
    copies->removal = removal;
    copies->mask_id = tokenizer_mask_id(subject->pipeline->tokenizer);
    assert(removal == EXPLAIN_DELETE || copies->mask_id != TOKENIZER_NO_ID);
    return copies;
}

/* ---- What the model says ---- */

/* The projection of the copy's vector on the whole's; of vectors of length 1, their cosine. */
static double copies_project(const Copies *copies, const float *output)
{
    const ExplainSubject *subject = copies->subject;
    uint64_t count =
        pipeline_output_size(subject->pipeline, TASK_EMBED, subject->prepared, copies->embed.dimensions);
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) sum += (double)output[i] * (double)copies->whole_output[i];
    return copies->whole_norm > 0 ? sum / copies->whole_norm : 0;
}

static bool copies_are_won(const Copies *copies, const float *logits)
{
    uint32_t target = copies->subject->target;
    for (uint32_t i = 0; i < pipeline_label_count(copies->subject->pipeline); i++) {
        if (logits[i] > logits[target]) return false;
    }
    return true;
}

/* What lies between the two sides of a score that stands for no label of several. */
static float copies_middle(const Copies *copies)
{
    const ExplainSubject *subject = copies->subject;
    if (subject->task == TASK_EMBED) return copies->whole.score / 2;
    return scores_function(subject->pipeline, subject->task) == SCORE_IDENTITY ? 0 : 0.5F;
}

static float copies_score(const Copies *copies, const float *output)
{
    const ExplainSubject *subject = copies->subject;
    if (subject->task == TASK_EMBED) return (float)copies_project(copies, output);
    return scores_value(subject->pipeline, subject->task, output, subject->target);
}

static StudyAnswer copies_answer(const Copies *copies, const float *output)
{
    StudyAnswer answer = {.score = copies_score(copies, output)};
    if (copies->whole_wins) {
        answer.agrees = copies_are_won(copies, output);
    } else {
        float middle = copies_middle(copies);
        answer.agrees = (answer.score >= middle) == (copies->whole.score >= middle);
    }
    return answer;
}

void copies_set_whole(Copies *copies, const PipelineItem *item)
{
    const ExplainSubject *subject = copies->subject;
    const float *output = item->output;
    if (item->embed) {
        copies->embed = *item->embed;
        copies->embed.return_tokens = copies->embed.return_chunks = false;
    }
    copies->whole_output = output;
    if (subject->task == TASK_EMBED) {
        copies->whole_norm = 1;
        copies->whole_norm = sqrt(copies_project(copies, output));
    }
    bool one_of_several = subject->task == TASK_CLASSIFY &&
                          scores_function(subject->pipeline, TASK_CLASSIFY) == SCORE_SOFTMAX &&
                          pipeline_label_count(subject->pipeline) > 1;
    copies->whole_wins = one_of_several && copies_are_won(copies, output);
    copies->whole.score = copies_score(copies, output);
    copies->whole.agrees = true;
}

StudyAnswer copies_whole(const Copies *copies)
{
    return copies->whole;
}

uint32_t copies_batch_max(const Copies *copies)
{
    return copies->count_max;
}

/* ---- Copies ---- */

static bool copy_lacks(const Copies *copies, const uint8_t *kept, uint32_t token)
{
    uint32_t feature = copies->token_features[token];
    assert(feature == EXPLAIN_NO_FEATURE || feature < copies->feature_count);
    return feature != EXPLAIN_NO_FEATURE && !kept[feature];
}

static void copy_mask(const Copies *copies, const uint8_t *kept, Prepared *copy)
{
    const Prepared *whole = copies->subject->prepared;
    for (uint32_t i = 0; i < whole->encoding.count; i++)
        copy->encoding.ids[i] = copy_lacks(copies, kept, i) ? copies->mask_id : whole->encoding.ids[i];
    memcpy(copy->encoding.type_ids, whole->encoding.type_ids, whole->encoding.count);
    if (whole->global_count == 0) return;
    memcpy((uint32_t *)(uintptr_t)copy->global_positions, whole->global_positions,
           whole->global_count * sizeof *whole->global_positions);
}

/* Whoever stood behind what is left out moves up, global tokens too. A copy keeps a token at least: where there is no
 * template, and nothing is kept, the last. */
static void copy_delete(const Copies *copies, const uint8_t *kept, Prepared *copy)
{
    const Prepared *whole = copies->subject->prepared;
    uint32_t *globals = (uint32_t *)(uintptr_t)copy->global_positions;
    uint32_t count = 0;
    uint32_t global = 0;
    copy->global_count = 0;
    for (uint32_t i = 0; i < whole->encoding.count; i++) {
        bool is_global = global < whole->global_count && whole->global_positions[global] == i;
        bool last_resort = i + 1 == whole->encoding.count && count <= whole->prompt_token_count;
        global += is_global;
        if (copy_lacks(copies, kept, i) && !last_resort) continue;
        if (is_global) globals[copy->global_count++] = count;
        copy->encoding.ids[count] = whole->encoding.ids[i];
        copy->encoding.type_ids[count] = whole->encoding.type_ids[i];
        count++;
    }
    copy->encoding.count = count;
}

Status copies_run(Copies *copies, PipelineWorkspace *workspace, const Crew *crew, const uint8_t *kept,
                  uint32_t count, StudyAnswer *out_answers, Error *out_error)
{
    const ExplainSubject *subject = copies->subject;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *own = kept + (size_t)i * copies->feature_count;
        if (copies->removal == EXPLAIN_MASK)
            copy_mask(copies, own, &copies->prepared[i]);
        else
            copy_delete(copies, own, &copies->prepared[i]);
    }
    pipeline_run(subject->pipeline, workspace, crew, copies->item_list, count);
    for (uint32_t i = 0; i < count; i++) {
        if (copies->items[i].status) {
            return error_set(out_error, copies->items[i].status,
                             "the model's answer to a copy of the text is not finite");
        }
        out_answers[i] = copies_answer(copies, copies->items[i].output);
    }
    return STATUS_OK;
}
