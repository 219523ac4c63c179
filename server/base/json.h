/* The one door to the JSON library: bounded parsing of untrusted files, typed look-ups, and writing.
 * Base holds it because model/, tokenizer/ and the client all read or write JSON. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct JsonDocument JsonDocument;
typedef struct JsonValue JsonValue; /* a node of a document; never allocated by itself */

typedef enum JsonType {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonType;

/* Parses `text`, which is no longer needed afterwards. On success the caller owns *out_document
 * (json_document_close); on failure it is untouched and out_error names line, column and cause. Refuses more than
 * JSON_BYTES_MAX bytes, nesting beyond JSON_DEPTH_MAX, more than JSON_VALUE_COUNT_MAX values, invalid UTF-8, the
 * character \u0000, and anything after the value. Any thread. Fails with CORRUPT, RESOURCE_EXHAUSTED (a limit),
 * NO_MEMORY. */
CHECKED Status json_document_parse(TextView text, JsonDocument **out_document, Error *out_error);
/* Reads and parses the file at `path`; messages start with the path. Fails as json_document_parse, and with
 * NOT_FOUND, IO. */
CHECKED Status json_document_open(const char *path, JsonDocument **out_document, Error *out_error);
void json_document_close(JsonDocument *document); /* NULL is a no-op */
const JsonValue *json_document_root(const JsonDocument *document);

/* Every reader accepts NULL as "absent", so that look-ups chain: json_type(NULL) is JSON_NULL. */
JsonType json_type(const JsonValue *value);
/* The member of an object, the last one when a key repeats (as Python reads it); NULL when absent, or when
 * `object` is none. Looks at every member: iterate over a large object instead of asking it often. */
const JsonValue *json_member(const JsonValue *object, const char *key);
/* Whole numbers only (1e3 and 2.0 count): false when absent, fractional or out of [min, max]. Exact up to 2^53,
 * beyond that rounded as a double is. */
bool json_integer(const JsonValue *value, int64_t min, int64_t max, int64_t *out_integer);
/* False when absent, no number, or too large for a double. */
bool json_number(const JsonValue *value, double *out_number);
bool json_boolean(const JsonValue *value, bool *out_boolean);
/* The view lives as long as the document; is valid UTF-8 and terminated, and holds no NUL. */
bool json_string(const JsonValue *value, TextView *out_text);

/* Arrays and objects share one iteration, in file order, each step O(1); `json_next` gives NULL at the end. An
 * object's repeated keys all appear: the last one counts. `json_size` counts the items, repeated keys included.
 *     for (const JsonValue *item = json_first(list); item; item = json_next(item)) */
size_t json_size(const JsonValue *container);
const JsonValue *json_first(const JsonValue *container);
const JsonValue *json_next(const JsonValue *item);
TextView json_key(const JsonValue *member); /* empty for an array's item */

/* Appends `text` as a quoted JSON string to the open `stream`; invalid UTF-8 becomes U+FFFD. False when writing
 * failed. */
bool json_write_string(void *stream_file, TextView text);
