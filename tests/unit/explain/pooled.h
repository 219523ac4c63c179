/* Whoever reads the pooled row, and the row in front of it, as one probe. */
#pragma once

#include "explain/fan.h"
#include "explain/pooled_row.h"
#include "unit/encoder/golden.h"

typedef struct PooledFan {
    ExplainFan fan;
    PooledRow *pooled; /* NULL: other rows are asked for */
} PooledFan;

static inline bool pooled_fan_is_read(const ExplainAsked *asked)
{
    return asked->spec->rows == EXPLAIN_ROWS_POOLED;
}

/* Of exactly what the row and its reader take. */
static inline void pooled_fan_arena(const ExplainAsked *asked, uint64_t reader_bytes, Arena *out_arena)
{
    uint64_t bytes = reader_bytes + (pooled_fan_is_read(asked) ? pooled_row_bytes(asked) : 0);
    arena_init(out_arena, bytes);
    assert_true(arena_reserve(out_arena, bytes - ARENA_CHUNK_HEADER_BYTES_MAX));
}

static inline void pooled_fan_open(const ExplainAsked *asked, Arena *arena, PooledFan *out_fan)
{
    Error error = {0};
    *out_fan = (PooledFan){0};
    if (!pooled_fan_is_read(asked)) return;
    out_fan->pooled = pooled_row_open(asked, arena, &error);
    golden_check(error.status, &error);
    explain_fan_add(&out_fan->fan, pooled_row_probe(out_fan->pooled));
}

static inline EncoderProbe *pooled_fan_probe(PooledFan *fan, EncoderProbe *reader)
{
    explain_fan_add(&fan->fan, reader);
    return explain_fan_probe(&fan->fan);
}
