/* PCRE2 behind one search function; literals, and the expressions that are known, are found without it. */
#include "tokenizer/pattern.h"

#include "base/limits.h"
#include "tokenizer/pattern_known.h"
#include "tokenizer/pattern_translate.h"
#include "unicode/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

struct Pattern {
    const PatternKnown *known; /* or NULL */
    pcre2_code *code;          /* or NULL */
    pcre2_match_context *context;
    char *literal; /* or NULL */
    size_t literal_size;
};

static Status pattern_compile(Pattern *pattern, const char *regex, Error *out_error)
{
    int code;
    PCRE2_SIZE position;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (!context || !pattern->context) {
        pcre2_compile_context_free(context);
        return error_set(out_error, STATUS_NO_MEMORY, "no memory for a regular expression");
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_match_limit(pattern->context, PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(pattern->context, PATTERN_HEAP_BYTES_MAX / KIB);
    uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    pattern->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, options, &code, &position, context);
    pcre2_compile_context_free(context);
    if (!pattern->code) {
        char message[128] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
        return error_set(out_error, code == PCRE2_ERROR_NOMEMORY ? STATUS_NO_MEMORY : STATUS_UNSUPPORTED,
                         "the regular expression is not supported: %s", message);
    }
    /* Where there is no JIT, the interpreter serves. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    return STATUS_OK;
}

Status pattern_open(TextView source, bool literal, Pattern **out_pattern, Error *out_error)
{
    size_t position;
    char *regex = NULL;
    if (source.size > PATTERN_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the regular expression has %zu bytes, at most %u are accepted", source.size,
                         PATTERN_BYTES_MAX);
    }
    if (!utf8_valid(source, &position) || (source.size && memchr(source.bytes, '\0', source.size))) {
        return error_set(out_error, STATUS_CORRUPT, "the regular expression is not UTF-8 or holds a NUL");
    }
    Status status = STATUS_OK;
    Pattern *pattern = calloc(1, sizeof *pattern);
    if (!pattern) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a regular expression");
    if (!literal) pattern->known = pattern_known_find(source);
    if (literal) {
        pattern->literal_size = source.size;
        pattern->literal = malloc(source.size + 1);
        if (!pattern->literal)
            status = error_set(out_error, STATUS_NO_MEMORY, "no memory for a pattern");
        else if (source.size)
            memcpy(pattern->literal, source.bytes, source.size);
    } else if (!pattern->known) {
        status = pattern_translate(source, &regex, out_error);
        if (!status) status = pattern_compile(pattern, regex, out_error);
        free(regex);
    }
    if (status) goto fail;
    *out_pattern = pattern;
    return STATUS_OK;
fail:
    pattern_close(pattern);
    return status;
}

void pattern_close(Pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->context);
    free(pattern->literal);
    free(pattern);
}

PatternScan pattern_scan(const Pattern *pattern, TextView text)
{
    return (PatternScan){.pattern = pattern, .text = text, .last_end = UINT32_MAX};
}

static bool scan_literal(const PatternScan *scan, ByteRange *out_range)
{
    const Pattern *pattern = scan->pattern;
    const char *from = scan->text.bytes + scan->from;
    const char *found = from;
    if (pattern->literal_size) {
        found = memmem(from, scan->text.size - scan->from, pattern->literal, pattern->literal_size);
        if (!found) return false;
    }
    out_range->begin = (uint32_t)(found - scan->text.bytes);
    out_range->end = out_range->begin + (uint32_t)pattern->literal_size;
    return true;
}

/* The compiled code works on a stack of 32 KiB; what needs more is interpreted, on the heap. */
static bool scan_regex(PatternScan *scan, ByteRange *out_range)
{
    const Pattern *pattern = scan->pattern;
    if (!scan->scratch) scan->scratch = pcre2_match_data_create(1, NULL);
    pcre2_match_data *data = scan->scratch;
    int found = PCRE2_ERROR_NOMEMORY;
    PCRE2_SPTR text = (PCRE2_SPTR)(scan->text.bytes ? scan->text.bytes : "");
    if (data) {
        found = pcre2_match(pattern->code, text, scan->text.size, scan->from, PCRE2_NO_UTF_CHECK, data,
                            pattern->context);
        if (found == PCRE2_ERROR_JIT_STACKLIMIT) {
            found = pcre2_match(pattern->code, text, scan->text.size, scan->from,
                                PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, pattern->context);
        }
    }
    if (found < 0) {
        scan->failed = found != PCRE2_ERROR_NOMATCH;
        return false;
    }
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(data);
    *out_range = (ByteRange){(uint32_t)bounds[0], (uint32_t)bounds[1]};
    return true;
}

static bool scan_find(PatternScan *scan, ByteRange *out_range)
{
    const Pattern *pattern = scan->pattern;
    if (pattern->literal) return scan_literal(scan, out_range);
    if (pattern->code) return scan_regex(scan, out_range);
    if (scan->from == scan->text.size) return false;
    *out_range = (ByteRange){scan->from, pattern_known_end(pattern->known, scan->text, scan->from)};
    return true;
}

bool pattern_next(PatternScan *scan, ByteRange *out_range)
{
    ByteRange range;
    while (scan->from <= scan->text.size && scan_find(scan, &range)) {
        if (range.begin == range.end && range.end == scan->last_end) {
            uint32_t code_point, at = scan->from;
            scan->from += at < scan->text.size ? (uint32_t)utf8_decode(scan->text.bytes + at, &code_point) : 1;
            continue;
        }
        scan->from = range.end;
        scan->last_end = range.end;
        *out_range = range;
        return true;
    }
    scan->from = (uint32_t)scan->text.size + 1;
    return false;
}

void pattern_scan_close(PatternScan *scan)
{
    pcre2_match_data_free(scan->scratch);
    scan->scratch = NULL;
}
