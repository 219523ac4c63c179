/* Which tasks a checkpoint serves, and how large their results are. */
#include "encoder/head_run.h"
#include "pipeline/pipeline_state.h"

#include <assert.h>

enum { TASK_LIST_BYTES = 128 }; /* six names are shorter */

static const char *const task_names[TASK_COUNT] = {
    [TASK_EMBED] = "embed", [TASK_CLASSIFY] = "classify", [TASK_RERANK] = "rerank",
    [TASK_TAG] = "tag",     [TASK_FILL] = "fill_mask",    [TASK_ANSWER] = "answer",
};

const char *task_name(Task task)
{
    assert(task < TASK_COUNT);
    return task_names[task];
}

bool pipeline_has_task(const Pipeline *pipeline, Task task)
{
    HeadKind head = encoder_head(pipeline->encoder);
    switch (task) {
    case TASK_EMBED:
        return true;
    case TASK_CLASSIFY:
        return head == HEAD_CLASSIFY;
    case TASK_RERANK:
        return head == HEAD_CLASSIFY && pipeline_label_count(pipeline) == 1 && pipeline->takes_pairs;
    case TASK_TAG:
        return head == HEAD_TAG;
    case TASK_FILL:
        return head == HEAD_FILL && tokenizer_mask_id(pipeline->tokenizer) != TOKENIZER_NO_ID;
    case TASK_ANSWER:
        return head == HEAD_ANSWER && pipeline->takes_pairs;
    case TASK_COUNT:
        break;
    }
    return false;
}

Status pipeline_check_task(const Pipeline *pipeline, Task task, Error *out_error)
{
    if (pipeline_has_task(pipeline, task)) return STATUS_OK;
    char names[TASK_LIST_BYTES] = "";
    for (int own = 0; own < TASK_COUNT; own++) {
        if (pipeline_has_task(pipeline, (Task)own)) text_list_add(names, sizeof names, text_view(task_names[own]));
    }
    return error_set(out_error, STATUS_FAILED_PRECONDITION, "the model does not serve %s; its tasks: %s",
                     task_name(task), names);
}

uint32_t pipeline_label_count(const Pipeline *pipeline)
{
    return encoder_head(pipeline->encoder) == HEAD_NONE
               ? 0
               : checkpoint_head_config(pipeline->checkpoint)->label_count;
}

TextView pipeline_label(const Pipeline *pipeline, uint32_t label)
{
    const HeadConfig *head = checkpoint_head_config(pipeline->checkpoint);
    assert(label < head->label_count);
    return head->labels[label];
}

uint64_t pipeline_output_size(const Pipeline *pipeline, Task task, const Prepared *prepared, uint32_t dimensions)
{
    uint64_t token_count = prepared->encoding.count;
    switch (task) {
    case TASK_EMBED:
        return dimensions ? dimensions : pipeline_vector_size(pipeline);
    case TASK_CLASSIFY:
    case TASK_RERANK:
        return pipeline_label_count(pipeline);
    case TASK_TAG:
        return token_count * pipeline_label_count(pipeline);
    case TASK_ANSWER:
        return 2 * token_count;
    case TASK_FILL:
    case TASK_COUNT:
        break;
    }
    return 0;
}

uint64_t task_work(const Pipeline *pipeline, Task task, const Prepared *prepared)
{
    uint64_t work = encoder_work(pipeline->encoder, prepared->encoding.count, prepared->global_count);
    if (task == TASK_EMBED && !pipeline_is_sparse(pipeline)) return work;
    uint32_t row_count = task == TASK_FILL ? prepared->mask_count : prepared->encoding.count;
    return work + head_run_work(pipeline->encoder, row_count);
}

bool task_is_mask(const Pipeline *pipeline, const Encoding *encoding, uint32_t token)
{
    return encoding->ids[token] == tokenizer_mask_id(pipeline->tokenizer);
}
