#include "page.h"

#include "base/sha256.h"
#include "base64.h"
#include "explanation_json.h"
#include "output.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The files of client/page: see page.S. */
extern const char page_html_begin[], page_html_end[];
extern const char page_style_begin[], page_style_end[];
extern const char page_script_begin[], page_script_end[];

typedef enum PageSlot {
    PAGE_STYLE,
    PAGE_STYLE_HASH,
    PAGE_SCRIPT,
    PAGE_SCRIPT_HASH,
    PAGE_VERSION,
    PAGE_DATA
} PageSlot;
static const char *const page_slots[] = {"@STYLE@",       "@STYLE_HASH@", "@SCRIPT@",
                                         "@SCRIPT_HASH@", "@VERSION@",    "@DATA@"};

static TextView page_file(const char *begin, const char *end)
{
    return (TextView){begin, (size_t)(end - begin)};
}

static TextView page_style(void)
{
    return page_file(page_style_begin, page_style_end);
}

static TextView page_script(void)
{
    return page_file(page_script_begin, page_script_end);
}

/* ---- The frame ---- */

/* As the page's content security policy names what may run. */
static Status page_print_hash(TextView file, Error *out_error)
{
    Sha256 *hash;
    Status status = sha256_open(&hash, out_error);
    if (status != STATUS_OK) return status;
    char hex[SHA256_HEX_BYTES];
    sha256_update(hash, file.bytes, file.size);
    sha256_finish(hash, hex);
    sha256_close(hash);
    Base64 base64 = {.stream = stdout};
    for (size_t index = 0; index + 1 < SHA256_HEX_BYTES; index += 2) {
        char digits[3] = {hex[index], hex[index + 1], '\0'};
        uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);
        base64_write(&base64, &byte, 1);
    }
    base64_end(&base64);
    return STATUS_OK;
}

/* The first slot of the template behind `at`; `rest` if there is none. */
static const char *page_find_slot(TextView rest, PageSlot *out_slot)
{
    for (const char *at = rest.bytes; at < rest.bytes + rest.size; at++) {
        size_t left = (size_t)(rest.bytes + rest.size - at);
        for (size_t slot = 0; *at == '@' && slot < sizeof page_slots / sizeof *page_slots; slot++) {
            size_t size = strlen(page_slots[slot]);
            if (size > left || memcmp(at, page_slots[slot], size) != 0) continue;
            *out_slot = (PageSlot)slot;
            return at;
        }
    }
    return NULL;
}

static void page_print(TextView text)
{
    fwrite(text.bytes, 1, text.size, stdout);
}

Status page_begin(Error *out_error)
{
    TextView rest = page_file(page_html_begin, page_html_end);
    PageSlot slot;
    Status status = STATUS_OK;
    for (const char *at; status == STATUS_OK && (at = page_find_slot(rest, &slot));) {
        page_print((TextView){rest.bytes, (size_t)(at - rest.bytes)});
        if (slot == PAGE_DATA) break;
        if (slot == PAGE_STYLE) page_print(page_style());
        if (slot == PAGE_STYLE_HASH) status = page_print_hash(page_style(), out_error);
        if (slot == PAGE_SCRIPT_HASH) status = page_print_hash(page_script(), out_error);
        if (slot == PAGE_VERSION) page_print(text_view(HEADLIGHT_VERSION));
        at += strlen(page_slots[slot]);
        rest = page_file(at, page_html_end);
    }
    return status;
}

void page_end(void)
{
    TextView rest = page_file(page_html_begin, page_html_end);
    PageSlot slot = PAGE_STYLE;
    for (const char *at; slot != PAGE_DATA && (at = page_find_slot(rest, &slot));)
        rest = page_file(at + strlen(page_slots[slot]), page_html_end);
    for (const char *at; (at = page_find_slot(rest, &slot));) {
        page_print((TextView){rest.bytes, (size_t)(at - rest.bytes)});
        if (slot == PAGE_SCRIPT) page_print(page_script());
        rest = page_file(at + strlen(page_slots[slot]), page_html_end);
    }
    page_print(rest);
}

/* ---- Data ---- */

/* JSON between the tags of a script: a "<" of a text, which stands in strings only, must not end it. */
static void page_print_json(TextView json)
{
    for (size_t index = 0; index < json.size; index++) {
        if (json.bytes[index] == '<')
            fputs("\\u003c", stdout);
        else
            putchar(json.bytes[index]);
    }
}

static void page_print_bytes(const char *name, const void *bytes, size_t size)
{
    printf(",\"%s\":\"", name);
    Base64 base64 = {.stream = stdout};
    base64_write(&base64, bytes, size);
    base64_end(&base64);
    putchar('"');
}

/* What the page draws of a head: each weight as the root of its share of its row's greatest one, in 255 steps, so
 * that small weights are told apart beside a large one. The arrays have room for the head's rows and weights. */
typedef struct PageMap {
    uint32_t *rows;  /* [row_count]; of a pooled row 0 */
    float *tops;     /* [row_count] */
    float *dropped;  /* [row_count] */
    uint32_t *ends;  /* [row_count], into values and columns */
    uint8_t *values; /* [count] */
    uint32_t *columns;
    size_t row_count, count;
    bool dense, pooled;
} PageMap;

static void page_map_row(PageMap *map, const Headlight__V1__HeadAttention *piece, size_t row, size_t token_count)
{
    ByteRange range = explanation_row(piece, row, token_count);
    float top = 0;
    for (size_t index = range.begin; index < range.end; index++)
        top = fmaxf(top, explanation_weight(piece, token_count, index));
    if (!isfinite(top)) top = 0;
    for (size_t index = range.begin; index < range.end; index++) {
        float weight = explanation_weight(piece, token_count, index);
        map->columns[map->count] = piece->n_row_offsets ? piece->columns[index] : (uint32_t)(index - range.begin);
        map->values[map->count++] = top > 0 && weight > 0 ? (uint8_t)lrintf(255 * sqrtf(weight / top)) : 0;
    }
    map->rows[map->row_count] = piece->n_rows ? piece->rows[row] : 0;
    map->tops[map->row_count] = top;
    map->dropped[map->row_count] = piece->n_dropped_mass ? piece->dropped_mass[row] : 0;
    map->ends[map->row_count++] = (uint32_t)map->count;
}

/* In two bytes each, where all tokens have numbers that fit. */
static void page_print_columns(const PageMap *map, size_t token_count)
{
    fputs(",\"columns\":\"", stdout);
    Base64 base64 = {.stream = stdout};
    for (size_t index = 0; index < map->count; index++) {
        const uint16_t narrow = (uint16_t)map->columns[index];
        if (token_count <= UINT16_MAX)
            base64_write(&base64, &narrow, sizeof narrow);
        else
            base64_write(&base64, &map->columns[index], sizeof *map->columns);
    }
    base64_end(&base64);
    putchar('"');
}

/* Each token's, in order: then their numbers need not be said. */
static bool page_has_all_rows(const PageMap *map, size_t token_count)
{
    size_t row = 0;
    while (row < map->row_count && map->rows[row] == row) row++;
    return row == token_count && row == map->row_count;
}

static void page_print_map(const PageMap *map, const ExplanationHead *head, size_t token_count)
{
    printf("{\"layer\":%" PRIu32 ",\"head\":%" PRIu32 ",\"pooled\":%s", head->layer, head->head,
           map->pooled ? "true" : "false");
    if (!page_has_all_rows(map, token_count))
        page_print_bytes("rows", map->rows, map->row_count * sizeof *map->rows);
    page_print_bytes("tops", map->tops, map->row_count * sizeof *map->tops);
    page_print_bytes("dropped", map->dropped, map->row_count * sizeof *map->dropped);
    page_print_bytes("values", map->values, map->count);
    if (!map->dense) {
        page_print_bytes("ends", map->ends, map->row_count * sizeof *map->ends);
        page_print_columns(map, token_count);
    }
    putchar('}');
}

static Status page_add_map(const ExplanationHead *head, size_t token_count, Error *out_error)
{
    size_t row_count = 0, count = 0;
    PageMap map = {.dense = true, .pooled = head->pieces[0]->n_rows == 0};
    for (size_t piece = 0; piece < head->piece_count; piece++) {
        size_t rows = explanation_row_count(head->pieces[piece]);
        row_count += rows;
        count += explanation_row(head->pieces[piece], rows - 1, token_count).end;
        map.dense = map.dense && head->pieces[piece]->n_row_offsets == 0;
    }
    void *memory = calloc(row_count * 16 + count * 5 + 1, 1);
    if (!memory) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for a page");
    map.rows = memory;
    map.tops = (float *)(map.rows + row_count);
    map.dropped = map.tops + row_count;
    map.ends = (uint32_t *)(map.dropped + row_count);
    map.columns = map.ends + row_count;
    map.values = (uint8_t *)(map.columns + count);
    for (size_t piece = 0; piece < head->piece_count; piece++)
        for (size_t row = 0; row < explanation_row_count(head->pieces[piece]); row++)
            page_map_row(&map, head->pieces[piece], row, token_count);
    page_print_map(&map, head, token_count);
    free(memory);
    return STATUS_OK;
}

static Status page_add_maps(const Explanation *explanation, Error *out_error)
{
    const Headlight__V1__HeadAttention **pieces = NULL;
    size_t count, position = 0;
    Status status = explanation_sort(explanation, &pieces, &count, out_error);
    ExplanationHead head;
    fputs(",\"maps\":[", stdout);
    for (bool first = true; status == STATUS_OK && explanation_next_head(pieces, count, &position, &head);
         first = false) {
        if (!first) fputs(",\n", stdout);
        status = page_add_map(&head, explanation->token_count, out_error);
    }
    putchar(']');
    free(pieces);
    return status;
}

static void page_print_answer(FILE *stream, const PageAnswer *answer)
{
    fputs("{\"model\":", stream);
    output_json_text(stream, answer->model);
    fputs(",\"details\":", stream);
    output_json_text(stream, answer->details);
    fputs(",\"location\":", stream);
    output_json_text(stream, answer->location);
    fputs(",\"labels\":[", stream);
    for (size_t index = 0; index < answer->label_count; index++) {
        fputs(index ? ",{\"label\":" : "{\"label\":", stream);
        output_json_text(stream, codec_view(answer->labels[index]->label));
        fputs(",\"score\":", stream);
        output_float(stream, answer->labels[index]->score);
        putc('}', stream);
    }
    putc(']', stream);
}

Status page_add(const Explanation *explanation, TextView text, TextView pair, const PageAnswer *answer,
                Error *out_error)
{
    char *json = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&json, &size);
    if (!stream) return error_set(out_error, STATUS_NO_MEMORY, "out of memory for a page");
    page_print_answer(stream, answer);
    fprintf(stream, ",\"chunk\":%" PRIu32, explanation->chunk);
    explanation_print_members(stream, explanation);
    bool written = fclose(stream) == 0;
    Status status = STATUS_OK;
    if (written) {
        fputs("<script type=\"application/json\" class=\"explained\">", stdout);
        page_print_json((TextView){json, size});
        page_print_bytes("text", text.bytes, text.size);
        page_print_bytes("pair", pair.bytes, pair.size);
        status = page_add_maps(explanation, out_error);
        fputs("}</script>\n", stdout);
    } else {
        status = error_set(out_error, STATUS_NO_MEMORY, "out of memory for a page");
    }
    free(json);
    return status;
}
