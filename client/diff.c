#include "diff.h"

#include <stdlib.h>

/* Myers 1986, "An O(ND) Difference Algorithm and Its Variations": x counts characters of `before`, y of `after`; a
 * path of d edits ends on one of the diagonals k = x - y from -d to d, and reach[d][k] is the largest x there. A
 * stretch ends after DIFF_EDITS_MAX edits, and the next begins where the path that came farthest is. */
enum {
    DIFF_ROW = 2 * DIFF_EDITS_MAX + 1,
    DIFF_SIZE_SHIFT = 24,
    DIFF_MALFORMED = 0x800000,
};

typedef struct DiffText {
    uint32_t *units; /* a code point, or a byte that is not UTF-8; and its size in the upper byte */
    size_t count;
} DiffText;

typedef struct DiffRun {
    DiffText before, after;
    size_t x, y;       /* where the stretch begins */
    int32_t *reach;    /* [DIFF_EDITS_MAX + 1][DIFF_ROW], counted from there */
    DiffPiece *pieces; /* [capacity] */
    size_t count, capacity;
} DiffRun;

static Status diff_no_memory(Error *out_error)
{
    return error_set(out_error, STATUS_NO_MEMORY, "out of memory for what changed in a text");
}

static uint32_t diff_unit(const unsigned char *bytes, size_t size)
{
    if (size == 0) return (DIFF_MALFORMED | bytes[0]) | 1u << DIFF_SIZE_SHIFT;
    uint32_t point = size == 1 ? bytes[0] : bytes[0] & (0x7Fu >> size);
    for (size_t byte = 1; byte < size; byte++) point = point << 6 | (bytes[byte] & 0x3F);
    return point | (uint32_t)size << DIFF_SIZE_SHIFT;
}

static Status diff_read(TextView text, DiffText *out_text, Error *out_error)
{
    out_text->units = malloc((text.size + 1) * sizeof *out_text->units);
    if (!out_text->units) return diff_no_memory(out_error);
    for (size_t at = 0; at < text.size;) {
        size_t size = text_utf8_size(text.bytes + at, text.size - at);
        out_text->units[out_text->count++] = diff_unit((const unsigned char *)text.bytes + at, size);
        at += size ? size : 1;
    }
    return STATUS_OK;
}

/* ---- Pieces ---- */

/* Takes the next `removed` characters of before and `added` of after. */
static Status diff_take(DiffRun *run, bool same, size_t removed, size_t added, Error *out_error)
{
    if (removed == 0 && added == 0) return STATUS_OK;
    DiffPiece *last = run->count ? &run->pieces[run->count - 1] : NULL;
    if (!last || last->same != same) {
        if (run->count == run->capacity) {
            size_t capacity = 2 * run->capacity + 16;
            DiffPiece *grown = reallocarray(run->pieces, capacity, sizeof *grown);
            if (!grown) return diff_no_memory(out_error);
            run->pieces = grown;
            run->capacity = capacity;
        }
        ByteRange before = {0}, after = {0};
        if (run->count) {
            before.begin = before.end = run->pieces[run->count - 1].before.end;
            after.begin = after.end = run->pieces[run->count - 1].after.end;
        }
        last = &run->pieces[run->count++];
        *last = (DiffPiece){before, after, same};
    }
    for (size_t index = 0; index < removed; index++)
        last->before.end += run->before.units[run->x++] >> DIFF_SIZE_SHIFT;
    for (size_t index = 0; index < added; index++)
        last->after.end += run->after.units[run->y++] >> DIFF_SIZE_SHIFT;
    return STATUS_OK;
}

/* ---- A stretch ---- */

static int32_t *diff_reach(const DiffRun *run, int32_t edits, int32_t diagonal)
{
    return &run->reach[edits * DIFF_ROW + diagonal + DIFF_EDITS_MAX];
}

/* Whether the path of `edits` edits comes to `diagonal` by an addition, not by a removal. */
static bool diff_adds(const DiffRun *run, int32_t edits, int32_t diagonal)
{
    if (diagonal == -edits) return true;
    return diagonal != edits &&
           *diff_reach(run, edits - 1, diagonal - 1) < *diff_reach(run, edits - 1, diagonal + 1);
}

/* Where it is after its last edit. */
static int32_t diff_landing(const DiffRun *run, int32_t edits, int32_t diagonal)
{
    if (edits == 0) return 0;
    if (diff_adds(run, edits, diagonal)) return *diff_reach(run, edits - 1, diagonal + 1);
    return *diff_reach(run, edits - 1, diagonal - 1) + 1;
}

/* Finds the edits of the stretch; whether they come to the end of both texts. */
static bool diff_search(const DiffRun *run, int32_t *out_edits, int32_t *out_diagonal)
{
    const uint32_t *before = run->before.units + run->x, *after = run->after.units + run->y;
    int32_t width = (int32_t)(run->before.count - run->x), height = (int32_t)(run->after.count - run->y);
    int32_t farthest = -1;
    for (int32_t edits = 0; edits <= DIFF_EDITS_MAX; edits++) {
        for (int32_t diagonal = -edits; diagonal <= edits; diagonal += 2) {
            int32_t x = diff_landing(run, edits, diagonal);
            while (x < width && x - diagonal < height && before[x] == after[x - diagonal]) x++;
            *diff_reach(run, edits, diagonal) = x;
            if (x > width || x - diagonal > height) continue; /* beyond the edge, where nothing is */
            bool end = x == width && x - diagonal == height;
            /* Of equals, the last: it removes more, as cleaning does. */
            if (!end && (edits < DIFF_EDITS_MAX || 2 * x - diagonal < farthest)) continue;
            farthest = 2 * x - diagonal;
            *out_edits = edits;
            *out_diagonal = diagonal;
            if (end) return true;
        }
    }
    return false;
}

static Status diff_stretch(DiffRun *run, bool *out_end, Error *out_error)
{
    int32_t edits = 0, diagonal = 0;
    *out_end = diff_search(run, &edits, &diagonal);
    int32_t path[DIFF_EDITS_MAX + 1]; /* the diagonal after so many edits */
    for (int32_t edit = edits; edit >= 0; edit--) {
        path[edit] = diagonal;
        if (edit > 0) diagonal += diff_adds(run, edit, diagonal) ? 1 : -1;
    }
    Status status = STATUS_OK;
    for (int32_t edit = 0; edit <= edits && status == STATUS_OK; edit++) {
        bool adds = edit > 0 && path[edit] < path[edit - 1];
        if (edit > 0) status = diff_take(run, false, !adds, adds, out_error);
        size_t same = (size_t)(*diff_reach(run, edit, path[edit]) - diff_landing(run, edit, path[edit]));
        if (status == STATUS_OK) status = diff_take(run, true, same, same, out_error);
    }
    return status;
}

Status diff_texts(TextView before, TextView after, DiffPiece **out_pieces, size_t *out_count, Error *out_error)
{
    DiffRun run = {.reach = malloc(sizeof *run.reach * (DIFF_EDITS_MAX + 1) * DIFF_ROW)};
    Status status = run.reach ? STATUS_OK : diff_no_memory(out_error);
    if (status == STATUS_OK) status = diff_read(before, &run.before, out_error);
    if (status == STATUS_OK) status = diff_read(after, &run.after, out_error);
    for (bool end = false; !end && status == STATUS_OK;) status = diff_stretch(&run, &end, out_error);
    free(run.before.units);
    free(run.after.units);
    free(run.reach);
    if (status != STATUS_OK) {
        free(run.pieces);
        return status;
    }
    *out_pieces = run.pieces;
    *out_count = run.count;
    return STATUS_OK;
}
