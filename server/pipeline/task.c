/* Which tasks a checkpoint serves, and how large their results are. */
#include "pipeline/pipeline_state.h"

#include <assert.h>
#include <stdio.h>

enum { TASK_LIST_BYTES = 128 };

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
    (void)pipeline;
    return task == TASK_EMBED;
}

/* "embed, classify", cut where the buffer ends: six names are shorter. */
static const char *task_list(const Pipeline *pipeline, char *buffer, size_t capacity)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (int task = 0; task < TASK_COUNT && used < capacity; task++) {
        if (!pipeline_has_task(pipeline, (Task)task)) continue;
        int written = snprintf(buffer + used, capacity - used, "%s%s", used ? ", " : "", task_names[task]);
        if (written > 0) used += (size_t)written;
    }
    return buffer;
}

Status pipeline_check_task(const Pipeline *pipeline, Task task, Error *out_error)
{
    if (pipeline_has_task(pipeline, task)) return STATUS_OK;
    char names[TASK_LIST_BYTES];
    return error_set(out_error, STATUS_FAILED_PRECONDITION, "the model does not serve %s; its tasks: %s",
                     task_name(task), task_list(pipeline, names, sizeof names));
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

uint32_t pipeline_label_count(const Pipeline *pipeline)
{
    (void)pipeline;
    return 0;
}
