/* What goes through the vocabulary: the masks of fill-mask items, and all tokens of sparse vectors; for the files of
 * pipeline/ only. */
#pragma once

#include "pipeline/pipeline_state.h"

/* Room for one worker's run, whose head takes `scratch`. *out_run is NULL when the pipeline's head fills no masks.
 * Fails with NO_MEMORY. */
CHECKED Status lexicon_open(const Pipeline *pipeline, float *scratch, LexiconRun **out_run, Error *out_error);
void lexicon_close(LexiconRun *run); /* NULL is a no-op */
/* What lexicon_open allocates. */
uint64_t lexicon_bytes(const Pipeline *pipeline);

/* Gathers an item's rows that go through the vocabulary, out of its [token count][hidden], and runs what is gathered
 * whenever the room is full. Item and rows must last until lexicon_finish, which runs the rest. */
void lexicon_add(LexiconRun *run, const float *rows, PipelineItem *item);
void lexicon_finish(LexiconRun *run);
