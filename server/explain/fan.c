#include "explain/fan.h"

#include <assert.h>

static void fan_enter(EncoderProbe *probe, uint32_t run, const float *hidden)
{
    ExplainFan *fan = (ExplainFan *)probe;
    for (uint32_t i = 0; i < fan->count; i++)
        if (fan->members[i]->enter) fan->members[i]->enter(fan->members[i], run, hidden);
}

static void fan_attend(EncoderProbe *probe, const ProbedRows *rows)
{
    ExplainFan *fan = (ExplainFan *)probe;
    for (uint32_t i = 0; i < fan->count; i++)
        if (fan->members[i]->attend) fan->members[i]->attend(fan->members[i], rows);
}

static void fan_attend_globals(EncoderProbe *probe, const ProbedGlobals *globals)
{
    ExplainFan *fan = (ExplainFan *)probe;
    for (uint32_t i = 0; i < fan->count; i++)
        if (fan->members[i]->attend_globals) fan->members[i]->attend_globals(fan->members[i], globals);
}

static void fan_leave(EncoderProbe *probe, uint32_t run, const AttentionRows *rows)
{
    ExplainFan *fan = (ExplainFan *)probe;
    for (uint32_t i = 0; i < fan->count; i++)
        if (fan->members[i]->leave) fan->members[i]->leave(fan->members[i], run, rows);
}

void explain_fan_add(ExplainFan *fan, EncoderProbe *member)
{
    if (!member) return;
    assert(fan->count < EXPLAIN_FAN_MAX);
    fan->members[fan->count++] = member;
}

EncoderProbe *explain_fan_probe(ExplainFan *fan)
{
    if (fan->count < 2) return *fan->members;
    fan->probe = (EncoderProbe){fan_enter, fan_attend, fan_attend_globals, fan_leave};
    return &fan->probe;
}
