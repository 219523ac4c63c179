/* What does not show and is out of place is dropped; what it spelled out is told. */
#include "sanitizer/invisible_rules.h"
#include "unicode/property.h"
#include "unicode/utf8.h"

enum {
    TAG_SPACE = 0xE0020, /* tags are ASCII that far up */
    TAG_TILDE = 0xE007E,
    TAG_BASE = 0xE0000,
    SELECTOR_FIRST = 0xFE00, /* the first 16 bytes; the others follow elsewhere */
    SELECTOR_LAST = 0xFE0F,
    SELECTOR_MORE_FIRST = 0xE0100,
    SELECTOR_MORE_LAST = 0xE01EF,
    PAYLOAD_BYTES_MAX = FINDING_DETAIL_BYTES_MAX + UTF8_BYTES_MAX, /* so that what is cut is cut on a border */
};

static size_t decode_tags(const SanitizeRun *run, uint32_t begin, uint32_t end, char out[PAYLOAD_BYTES_MAX])
{
    size_t size = 0;
    for (uint32_t at = begin; at < end && size < PAYLOAD_BYTES_MAX; at++) {
        uint32_t code_point = run->items[at].code_point;
        if (code_point >= TAG_SPACE && code_point <= TAG_TILDE) out[size++] = (char)(code_point - TAG_BASE);
    }
    return size;
}

/* The bytes that selectors stand for: by their number, or with `ascii` by how far the later ones are from the first of
 * them, as those who hide ASCII do. */
static size_t decode_selectors(const SanitizeRun *run, uint32_t begin, uint32_t end, bool ascii,
                               char out[PAYLOAD_BYTES_MAX])
{
    const uint32_t more = ascii ? 0 : SELECTOR_LAST - SELECTOR_FIRST + 1;
    size_t size = 0;
    for (uint32_t at = begin; at < end && size < PAYLOAD_BYTES_MAX; at++) {
        uint32_t code_point = run->items[at].code_point;
        if (code_point >= SELECTOR_FIRST && code_point <= SELECTOR_LAST) {
            out[size++] = (char)(code_point - SELECTOR_FIRST);
        } else if (code_point >= SELECTOR_MORE_FIRST && code_point <= SELECTOR_MORE_LAST) {
            out[size++] = (char)(code_point - SELECTOR_MORE_FIRST + more);
        }
    }
    return size;
}

/* The size of the longest beginning that is text, if that is all but a sequence that was cut; otherwise 0. */
static size_t text_size(const char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t code_point;
        size_t step = utf8_read(bytes + at, size - at, &code_point);
        if (step == 0) return size == PAYLOAD_BYTES_MAX && size - at < UTF8_BYTES_MAX ? at : 0;
        if (unicode_category(code_point) & (UNICODE_CC | UNICODE_CN) && code_point != '\n' && code_point != '\t') {
            return 0;
        }
        at += step;
    }
    return at;
}

static size_t write_hex(const char *bytes, size_t size, char out[FINDING_DETAIL_BYTES_MAX])
{
    static const char digits[] = "0123456789abcdef";
    size_t written = 0;
    for (size_t i = 0; i < size && written < FINDING_DETAIL_BYTES_MAX; i++) {
        out[written++] = digits[(unsigned char)bytes[i] >> 4];
        out[written++] = digits[(unsigned char)bytes[i] & 15];
    }
    return written;
}

/* One selector alone says nothing. */
static void find_selectors(SanitizeRun *run, uint32_t begin, uint32_t end)
{
    char bytes[PAYLOAD_BYTES_MAX], hex[FINDING_DETAIL_BYTES_MAX];
    TextView detail = {NULL, 0};
    for (int ascii = 0; end - begin > 1 && ascii < 2 && detail.size == 0; ascii++) {
        size_t size = decode_selectors(run, begin, end, ascii, bytes);
        detail = (TextView){bytes, text_size(bytes, size)};
    }
    if (end - begin > 1 && detail.size == 0) {
        size_t size = decode_selectors(run, begin, end, false, bytes);
        detail = (TextView){hex, write_hex(bytes, size, hex)};
    }
    run_find_detail(run, RULE_INV_VARSEL, begin, end, end - begin, detail);
}

/* Items of one rule, side by side. */
static void drop_group(SanitizeRun *run, SanitizeRule rule, uint32_t begin, uint32_t end)
{
    if (rule == INVISIBLE_KEPT || begin == end) return;
    if (rule == RULE_INV_TAG) {
        char bytes[PAYLOAD_BYTES_MAX];
        run_find_detail(run, rule, begin, end, end - begin,
                        (TextView){bytes, decode_tags(run, begin, end, bytes)});
    } else if (rule == RULE_INV_VARSEL) {
        find_selectors(run, begin, end);
    } else {
        run_find(run, rule, begin, end, end - begin);
    }
    for (uint32_t at = begin; at < end; at++) rewrite_drop(run, at);
}

/* Drops what of the run is out of place. Returns the rules that it breaks, as bits. */
static uint64_t judge_run(SanitizeRun *run, InvisibleJudge *judge, uint32_t begin, uint32_t end)
{
    SanitizeRule rule = INVISIBLE_KEPT;
    uint64_t broken = 0;
    uint32_t group = begin;
    for (uint32_t at = begin; at < end; at++) {
        SanitizeRule next = invisible_judge(judge, at);
        if (next == rule) continue;
        drop_group(run, rule, group, at);
        rule = next;
        group = at;
        broken |= UINT64_C(1) << next;
    }
    drop_group(run, rule, group, end);
    return broken;
}

/* In a line that hides something, nothing hidden is given the benefit of the doubt. */
static void drop_doubtful(SanitizeRun *run, bool selectors)
{
    bool thai = false;
    for (uint32_t at = 0; at < run->count && !thai; at++) thai = invisible_is_thai(run->items[at].code_point);
    for (uint32_t at = 0; at < run->count; at++) {
        const Item *item = &run->items[at];
        if (!(item->classes & CLASS_INVISIBLE) || !invisible_is_doubtful(item, selectors, thai)) continue;
        bool selector = item->classes & CLASS_MARK;
        drop_group(run, selector ? RULE_INV_VARSEL : RULE_INV_ZERO_WIDTH, at, at + 1);
    }
}

void invisible_pass(SanitizeRun *run)
{
    const uint64_t selectors = UINT64_C(1) << RULE_INV_VARSEL;
    const uint64_t evidence = UINT64_C(1) << RULE_INV_ZERO_WIDTH | UINT64_C(1) << RULE_INV_TAG | selectors;
    InvisibleJudge judge = {.items = run->items, .count = run->count};
    uint64_t broken = 0;
    if (!(run->seen & (CLASS_INVISIBLE | CLASS_BIDI))) return;
    for (uint32_t at = 0; at < run->count; at++) {
        if (!invisible_is_hidden(&run->items[at])) continue;
        uint32_t end = invisible_begin_run(&judge, at);
        broken |= judge_run(run, &judge, at, end);
        at = end;
    }
    if (broken & evidence) drop_doubtful(run, (broken & selectors) != 0);
}
