#include "pipeline/study_run.h"

static void study_run_begin(StudyRun *run, const PipelineItem *item)
{
    copies_set_whole(run->copies, item);
    run->study->text.whole = copies_whole(run->copies);
    run->study->next(run->study, NULL, &run->round);
    run->run_count = 0;
    run->begun = true;
}

Status study_run_step(StudyRun *run, const ExplainStep *step, bool *out_done, Error *out_error)
{
    if (!run->begun) study_run_begin(run, step->item);
    *out_done = run->round.copy_count == 0;
    if (*out_done) return STATUS_OK;
    Copies *copies = run->copies;
    uint32_t count = run->round.copy_count - run->run_count;
    uint32_t room = pipeline_workspace_items(step->workspace);
    if (count > copies_batch_max(copies)) count = copies_batch_max(copies);
    if (count > room) count = room;
    const uint8_t *kept = run->round.kept + (size_t)run->run_count * run->study->text.feature_count;
    Status status = copies_run(copies, step->workspace, step->crew, kept, count,
                               run->round.answers + run->run_count, out_error);
    if (status) return status;
    run->run_count += count;
    if (run->run_count < run->round.copy_count) return STATUS_OK;
    StudyRound last = run->round;
    run->study->next(run->study, &last, &run->round);
    run->run_count = 0;
    *out_done = run->round.copy_count == 0;
    return STATUS_OK;
}
