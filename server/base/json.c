/* cJSON reads an XLM-R tokenizer.json of 17 MB in 70 ms where json-c takes 128 and jansson 194, and its list of
 * items needs no second tree; its nodes live in an arena, since a million of them are freed as slowly as they are
 * read. But it is lax: it takes invalid UTF-8, control bytes, bad \u escapes and numbers
 * like 01 or 1., and cuts strings at \u0000. So a text is scanned first (17 ms more): bytes, strings, numbers,
 * depth and count are proved here, cJSON proves the grammar. */
#include "base/json.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/limits.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSON_NUMBER_BYTES_MAX = 62 }; /* cJSON copies a number into 64 bytes and cuts the rest */

struct JsonDocument {
    cJSON *root; /* a JsonValue is one of its nodes */
    Arena arena; /* the nodes and their strings */
};

static _Thread_local Arena *json_arena; /* of the document that this thread parses */
/* Whether cJSON failed for want of memory, which it does not tell from a wrong text. */
static _Thread_local bool json_memory_failed;
static pthread_once_t json_hooks_once = PTHREAD_ONCE_INIT;

static void *json_allocate(size_t size)
{
    void *bytes = arena_allocate(json_arena, size);
    if (!bytes) json_memory_failed = true;
    return bytes;
}

static void json_release(void *bytes)
{
    (void)bytes; /* with the arena */
}

/* What a text of so many values takes at most: a node and the ends of two strings each, the strings' bytes, and twice
 * that for what is left over at the ends of the arena's chunks. */
static size_t json_arena_bytes(size_t text_size, size_t value_count)
{
    return 2 * (text_size + value_count * (sizeof(cJSON) + 64)) + 64 * KIB;
}

static void json_install_hooks(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){json_allocate, json_release});
}

/* A walk over the text's tokens. The text is terminated: reading the byte at `size` is allowed and gives 0. */
typedef struct JsonScan {
    TextView text;
    size_t position;
    size_t depth;
    size_t value_count; /* an upper bound: every value is the root or follows '[', '{' or ',' */
    Status status;
    const char *problem; /* at `position`; NULL: none */
} JsonScan;

static bool json_scan_fail(JsonScan *scan, Status status, const char *problem)
{
    scan->status = status;
    scan->problem = problem;
    return false;
}

static bool json_scan_unicode_escape(JsonScan *scan)
{
    const char *digits = scan->text.bytes + scan->position + 2;
    if (strspn(digits, "0123456789abcdefABCDEF") < 4) {
        return json_scan_fail(scan, STATUS_CORRUPT, "\\u needs four hexadecimal digits");
    }
    if (memcmp(digits, "0000", 4) == 0) {
        return json_scan_fail(scan, STATUS_CORRUPT, "the character \\u0000 is not supported");
    }
    scan->position += 6;
    return true;
}

/* The first byte from `byte` on that needs a look: not plain ASCII, or the end of a string, or an escape. */
static const unsigned char *json_skip_plain(const unsigned char *byte, const unsigned char *end)
{
    while (byte < end && *byte >= 0x20 && *byte < 0x80 && *byte != '"' && *byte != '\\') byte++;
    return byte;
}

static bool json_scan_string(JsonScan *scan)
{
    const unsigned char *bytes = (const unsigned char *)scan->text.bytes;
    const unsigned char *end = bytes + scan->text.size;
    for (scan->position++; scan->position < scan->text.size;) {
        const unsigned char *byte = json_skip_plain(bytes + scan->position, end);
        size_t size = byte < end ? text_utf8_size((const char *)byte, (size_t)(end - byte)) : 0;
        scan->position = (size_t)(byte - bytes);
        if (byte == end) break;
        if (size == 0) return json_scan_fail(scan, STATUS_CORRUPT, "invalid UTF-8");
        if (*byte < 0x20)
            return json_scan_fail(scan, STATUS_CORRUPT, "a control byte in a string must be escaped");
        if (*byte == '\\' && byte[1] == 'u') {
            if (!json_scan_unicode_escape(scan)) return false;
        } else {
            scan->position += *byte == '\\' ? 2 : size;
        }
        if (*byte == '"') return true;
    }
    scan->position = scan->text.size;
    return json_scan_fail(scan, STATUS_CORRUPT, "the text ends within a string");
}

static const char *json_skip_digits(const char *byte)
{
    while (*byte >= '0' && *byte <= '9') byte++;
    return byte;
}

/* number = [ "-" ] ( "0" | digit1-9 *digit ) [ "." 1*digit ] [ ( "e" | "E" ) [ "+" | "-" ] 1*digit ] */
static bool json_scan_number(JsonScan *scan)
{
    const char *start = scan->text.bytes + scan->position;
    const char *whole = start + (*start == '-');
    const char *end = json_skip_digits(whole);
    bool valid = end > whole && (*whole != '0' || end == whole + 1);
    if (*end == '.') {
        const char *fraction = end + 1;
        end = json_skip_digits(fraction);
        valid = valid && end > fraction;
    }
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1 + (end[1] == '+' || end[1] == '-');
        end = json_skip_digits(exponent);
        valid = valid && end > exponent;
    }
    if (!valid) return json_scan_fail(scan, STATUS_CORRUPT, "not a number as JSON writes it");
    if (end - start > JSON_NUMBER_BYTES_MAX) {
        return json_scan_fail(scan, STATUS_RESOURCE_EXHAUSTED, "a number of more than 62 characters");
    }
    scan->position += (size_t)(end - start);
    return true;
}

static bool json_scan_structure(JsonScan *scan)
{
    char byte = scan->text.bytes[scan->position];
    if (byte == '[' || byte == '{') {
        if (++scan->depth > JSON_DEPTH_MAX) {
            return json_scan_fail(scan, STATUS_RESOURCE_EXHAUSTED, "nested deeper than the limit of 64 levels");
        }
    } else if (byte == ']' || byte == '}') {
        if (scan->depth-- == 0) return json_scan_fail(scan, STATUS_CORRUPT, "closes what was never opened");
    }
    if ((byte == '[' || byte == '{' || byte == ',') && ++scan->value_count > JSON_VALUE_COUNT_MAX) {
        return json_scan_fail(scan, STATUS_RESOURCE_EXHAUSTED, "more values than the limit of 4194304");
    }
    scan->position++;
    return true;
}

static_assert(JSON_DEPTH_MAX == 64 && JSON_VALUE_COUNT_MAX == 4194304, "the messages above name the limits");

static bool json_scan_token(JsonScan *scan)
{
    char byte = scan->text.bytes[scan->position];
    switch (byte) {
    case '"':
        return json_scan_string(scan);
    case '[':
    case ']':
    case '{':
    case '}':
    case ',':
        return json_scan_structure(scan);
    case ':':
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        scan->position++;
        return true;
    default:
        break;
    }
    if (byte == '-' || (byte >= '0' && byte <= '9')) return json_scan_number(scan);
    if (byte < 'a' || byte > 'z')
        return json_scan_fail(scan, STATUS_CORRUPT, "a byte that JSON does not allow here");
    scan->position++; /* of true, false or null */
    return true;
}

static Status json_fail_at(TextView text, size_t position, Status status, const char *problem, Error *out_error)
{
    size_t line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < position && i < text.size; i++) {
        if (text.bytes[i] != '\n') continue;
        line++;
        line_start = i + 1;
    }
    return error_set(out_error, status, "line %zu, column %zu: %s", line, position - line_start + 1, problem);
}

static Status json_scan_text(TextView text, size_t *out_value_count, Error *out_error)
{
    if (text.size > JSON_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%zu bytes of JSON are more than the limit of %llu",
                         text.size, (unsigned long long)JSON_BYTES_MAX);
    }
    JsonScan scan = {.text = text, .value_count = 1};
    while (scan.position < text.size) {
        if (!json_scan_token(&scan))
            return json_fail_at(text, scan.position, scan.status, scan.problem, out_error);
    }
    *out_value_count = scan.value_count;
    return STATUS_OK;
}

/* `text` is terminated. */
static Status json_parse_terminated(TextView text, JsonDocument **out_document, Error *out_error)
{
    size_t value_count = 0;
    Status status = json_scan_text(text, &value_count, out_error);
    if (status != STATUS_OK) return status;
    JsonDocument *document = calloc(1, sizeof *document);
    if (!document) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a JSON document");
    pthread_once(&json_hooks_once, json_install_hooks);
    json_memory_failed = false;
    const char *end = NULL;
    arena_init(&document->arena, json_arena_bytes(text.size, value_count));
    json_arena = &document->arena;
    document->root = cJSON_ParseWithLengthOpts(text.bytes, text.size + 1, &end, true);
    json_arena = NULL;
    if (document->root) {
        *out_document = document;
        return STATUS_OK;
    }
    json_document_close(document);
    if (json_memory_failed) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a JSON document");
    size_t position = end ? (size_t)(end - text.bytes) : 0;
    return json_fail_at(text, position, STATUS_CORRUPT, "JSON syntax error", out_error);
}

Status json_document_parse(TextView text, JsonDocument **out_document, Error *out_error)
{
    size_t value_count;
    if (text.size > JSON_BYTES_MAX) return json_scan_text(text, &value_count, out_error);
    char *copy = malloc(text.size + 1);
    if (!copy) return error_set(out_error, STATUS_NO_MEMORY, "no memory for %zu bytes of JSON", text.size);
    if (text.size > 0) memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    Status status = json_parse_terminated((TextView){copy, text.size}, out_document, out_error);
    free(copy);
    return status;
}

Status json_document_open(const char *path, JsonDocument **out_document, Error *out_error)
{
    char *bytes = NULL;
    size_t size = 0;
    Status status = file_read(path, JSON_BYTES_MAX, &bytes, &size, out_error);
    if (status != STATUS_OK) return status;
    status = json_parse_terminated((TextView){bytes, size}, out_document, out_error);
    free(bytes);
    if (status != STATUS_OK && out_error) return error_prefix(out_error, "%s", path);
    return status;
}

void json_document_close(JsonDocument *document)
{
    if (!document) return;
    arena_free(&document->arena);
    free(document);
}

const JsonValue *json_document_root(const JsonDocument *document)
{
    return (const JsonValue *)document->root;
}

static const cJSON *json_node(const JsonValue *value)
{
    return (const cJSON *)value;
}

JsonType json_type(const JsonValue *value)
{
    if (!value) return JSON_NULL;
    switch (json_node(value)->type & 0xFF) {
    case cJSON_True:
    case cJSON_False:
        return JSON_BOOLEAN;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

const JsonValue *json_member(const JsonValue *object, const char *key)
{
    const cJSON *found = NULL;
    if (json_type(object) != JSON_OBJECT) return NULL;
    for (const cJSON *member = json_node(object)->child; member; member = member->next) {
        if (strcmp(member->string, key) == 0) found = member;
    }
    return (const JsonValue *)found;
}

bool json_integer(const JsonValue *value, int64_t min, int64_t max, int64_t *out_integer)
{
    double number;
    if (!json_number(value, &number) || number != trunc(number)) return false;
    if (number < -0x1p63 || number >= 0x1p63) return false;
    int64_t integer = (int64_t)number;
    if (integer < min || integer > max) return false;
    *out_integer = integer;
    return true;
}

bool json_number(const JsonValue *value, double *out_number)
{
    if (json_type(value) != JSON_NUMBER || !isfinite(json_node(value)->valuedouble)) return false;
    *out_number = json_node(value)->valuedouble;
    return true;
}

bool json_boolean(const JsonValue *value, bool *out_boolean)
{
    if (json_type(value) != JSON_BOOLEAN) return false;
    *out_boolean = (json_node(value)->type & 0xFF) == cJSON_True;
    return true;
}

bool json_string(const JsonValue *value, TextView *out_text)
{
    if (json_type(value) != JSON_STRING) return false;
    *out_text = text_view(json_node(value)->valuestring);
    return true;
}

size_t json_size(const JsonValue *container)
{
    size_t count = 0;
    for (const JsonValue *item = json_first(container); item; item = json_next(item)) count++;
    return count;
}

const JsonValue *json_first(const JsonValue *container)
{
    JsonType type = json_type(container);
    if (type != JSON_ARRAY && type != JSON_OBJECT) return NULL;
    return (const JsonValue *)json_node(container)->child;
}

const JsonValue *json_next(const JsonValue *item)
{
    return item ? (const JsonValue *)json_node(item)->next : NULL;
}

TextView json_key(const JsonValue *member)
{
    const char *key = member ? json_node(member)->string : NULL;
    return text_view(key ? key : "");
}

/* Writes the sequence of `size` bytes (0: an invalid one) at `bytes` as JSON. */
static void json_write_character(FILE *stream, const char *bytes, size_t size)
{
    if (size == 0) {
        fputs("\xEF\xBF\xBD", stream);
    } else if (*bytes == '"' || *bytes == '\\') {
        fprintf(stream, "\\%c", *bytes);
    } else if (*bytes == '\n') {
        fputs("\\n", stream);
    } else if (size == 1 && ((unsigned char)*bytes < 0x20 || *bytes == 0x7F)) {
        fprintf(stream, "\\u%04x", (unsigned char)*bytes);
    } else {
        fwrite(bytes, 1, size, stream);
    }
}

bool json_write_string(void *stream_file, TextView text)
{
    FILE *stream = stream_file;
    fputc('"', stream);
    for (size_t i = 0; i < text.size;) {
        size_t size = text_utf8_size(text.bytes + i, text.size - i);
        json_write_character(stream, text.bytes + i, size);
        i += size ? size : 1;
    }
    fputc('"', stream);
    return !ferror(stream);
}
