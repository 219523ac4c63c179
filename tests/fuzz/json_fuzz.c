/* Links headlight_base. Any bytes as JSON: what parses is walked whole and written back. */
#include "base/json.h"
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Walks every reader; recursion is bounded by the parser's own limit of depth. */
static size_t json_fuzz_walk(const JsonValue *value, FILE *stream)
{
    TextView text;
    double number;
    int64_t integer;
    bool boolean;
    size_t count = 1;
    bool scalar = json_number(value, &number) || json_boolean(value, &boolean);
    bool whole = json_integer(value, INT64_MIN, INT64_MAX, &integer);
    assert(!whole || json_type(value) == JSON_NUMBER);
    assert(!scalar || json_size(value) == 0);
    if (json_string(value, &text)) json_write_string(stream, text);
    size_t items = 0;
    for (const JsonValue *item = json_first(value); item; item = json_next(item)) {
        if (json_type(value) == JSON_OBJECT) {
            json_write_string(stream, json_key(item));
            if (items < 64) assert(json_member(value, json_key(item).bytes));
        }
        count += json_fuzz_walk(item, stream);
        items++;
    }
    assert(items == json_size(value));
    return count;
}

/* A string that was written must be read back as it was. */
static void json_fuzz_round_trip(TextView text)
{
    char *written = NULL;
    size_t written_size = 0;
    FILE *stream = open_memstream(&written, &written_size);
    assert(stream && json_write_string(stream, text));
    fclose(stream);
    JsonDocument *document = NULL;
    Error error;
    if (!memchr(text.bytes, 0, text.size)) {
        Status status = json_document_parse((TextView){written, written_size}, &document, &error);
        TextView read;
        assert(status == STATUS_OK);
        bool is_string = json_string(json_document_root(document), &read);
        assert(is_string && read.size >= text.size);
        json_document_close(document);
    }
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    TextView text = {size ? (const char *)bytes : "", size};
    json_fuzz_round_trip(text);
    JsonDocument *document = NULL;
    Error error;
    if (json_document_parse(text, &document, &error) != STATUS_OK) return 0;
    char *written = NULL;
    size_t written_size = 0;
    FILE *stream = open_memstream(&written, &written_size);
    assert(stream);
    size_t count = json_fuzz_walk(json_document_root(document), stream);
    assert(count <= size + 1);
    fclose(stream);
    free(written);
    json_document_close(document);
    return 0;
}
