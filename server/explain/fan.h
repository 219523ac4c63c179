/* Several that look on as one. */
#pragma once

#include "encoder/probe.h"
#include "explain/explain.h"

enum { EXPLAIN_FAN_MAX = EXPLAIN_METHOD_COUNT };

/* Zeroed, it has nobody. Borrows its members. */
typedef struct ExplainFan {
    EncoderProbe probe; /* first */
    EncoderProbe *members[EXPLAIN_FAN_MAX];
    uint32_t count;
} ExplainFan;

/* Behind those before it, which are called first. NULL: nobody. */
void explain_fan_add(ExplainFan *fan, EncoderProbe *member);
/* All of them; NULL: there is nobody. */
EncoderProbe *explain_fan_probe(ExplainFan *fan);
