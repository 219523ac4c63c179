/* The names of a head's outputs: id2label of config.json. */
#pragma once

#include "base/arena.h"
#include "model/field.h"

/* Reads "id2label", or counts "num_labels" (else 2) and names them LABEL_0, LABEL_1, as transformers does. The names
 * lie in `arena`; *out_labels has *out_count >= 1 of them. Fails with CORRUPT (ids that are not 0, 1, 2 ... or appear
 * twice, a name that is no text or that two ids share, a contradiction between the two fields), UNSUPPORTED
 * (num_labels is no count), RESOURCE_EXHAUSTED (MODEL_LABEL_COUNT_MAX, LABEL_BYTES_MAX), NO_MEMORY; outputs are
 * untouched then. */
CHECKED Status labels_read(const FieldReader *reader, Arena *arena, const TextView **out_labels,
                           uint32_t *out_count, Error *out_error);
