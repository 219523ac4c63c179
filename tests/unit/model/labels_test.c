/* id2label: what transformers reads is read, everything that could name a wrong label is refused. */
#include "model/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static Arena arena;
static const TextView *labels;
static uint32_t count;

static Status read_labels(const char *text, Error *error)
{
    JsonDocument *document = NULL;
    assert_int_equal(json_document_parse(text_view(text), &document, error), STATUS_OK);
    FieldReader reader = {0};
    assert_int_equal(field_open("m/config.json", json_document_root(document), &reader, error), STATUS_OK);
    arena_free(&arena);
    arena_init(&arena, 64 << 20);
    Status status = labels_read(&reader, &arena, &labels, &count, error);
    json_document_close(document);
    return status;
}

static void assert_labels(const char *text, uint32_t expected_count, const char *const *names)
{
    Error error;
    if (read_labels(text, &error)) fail_msg("%s: %s", text, error.message);
    assert_int_equal(count, expected_count);
    for (uint32_t i = 0; i < count; i++) {
        if (!text_equal(labels[i], text_view(names[i])))
            fail_msg("%s: label %u is '%s'", text, i, labels[i].bytes);
    }
}

static void assert_refused(const char *text, Status expected, const char *reason)
{
    Error error = {.message = ""};
    Status status = read_labels(text, &error);
    if (status == expected && strstr(error.message, reason)) return;
    fail_msg("%.80s: '%s', expected '%s'", text, error.message, reason);
}

static void labels_are_in_the_order_of_their_ids(void **state)
{
    (void)state;
    assert_labels("{\"id2label\": {\"2\": \"c\", \"0\": \"a\", \"1\": \"\"}}", 3,
                  (const char *const[]){"a", "", "c"});
    assert_labels("{\"id2label\": {\"0\": \"x\"}, \"num_labels\": 1}", 1, (const char *const[]){"x"});
}

static void labels_without_names_are_numbered_as_transformers_does(void **state)
{
    (void)state;
    assert_labels("{}", 2, (const char *const[]){"LABEL_0", "LABEL_1"});
    assert_labels("{\"id2label\": null, \"num_labels\": 3}", 3,
                  (const char *const[]){"LABEL_0", "LABEL_1", "LABEL_2"});
}

static void labels_refuse_what_names_nothing_or_two_things(void **state)
{
    (void)state;
    assert_refused("{\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}", STATUS_CORRUPT,
                   "expected the 2 ids from 0 to 1");
    assert_refused("{\"id2label\": {\"zero\": \"a\"}}", STATUS_CORRUPT, "the id \"zero\"");
    assert_refused("{\"id2label\": {\"\": \"a\"}}", STATUS_CORRUPT, "the id \"\"");
    assert_refused("{\"id2label\": {\"-1\": \"a\"}}", STATUS_CORRUPT, "the id \"-1\"");
    assert_refused("{\"id2label\": {\"99999999999999999999999999\": \"a\"}}", STATUS_CORRUPT, "ids from 0 to 0");
    assert_refused("{\"id2label\": {\"0\": \"a\", \"00\": \"b\"}}", STATUS_CORRUPT, "has the id 0 twice");
    assert_refused("{\"id2label\": {\"0\": \"a\", \"0\": \"b\"}}", STATUS_CORRUPT, "has the id 0 twice");
    assert_refused("{\"id2label\": {\"0\": \"a\", \"1\": \"a\"}}", STATUS_CORRUPT, "the label \"a\" twice");
    assert_refused("{\"id2label\": {\"0\": 0}}", STATUS_CORRUPT, "must be a string");
    assert_refused("{\"id2label\": {}}", STATUS_CORRUPT, "must be an object");
    assert_refused("{\"id2label\": [\"a\"]}", STATUS_CORRUPT, "must be an object");
    assert_refused("{\"id2label\": {\"0\": \"a\"}, \"num_labels\": 2}", STATUS_CORRUPT,
                   "\"num_labels\" is 2, \"id2label\" has 1 labels");
    assert_refused("{\"num_labels\": 0}", STATUS_UNSUPPORTED, "num_labels");
    assert_refused("{\"num_labels\": 1000000}", STATUS_UNSUPPORTED, "num_labels");
}

static void labels_are_bounded(void **state)
{
    (void)state;
    enum { COUNT = 1000000, MEMBER_BYTES = 24 };
    char *text = malloc((size_t)COUNT * MEMBER_BYTES);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "{\"id2label\": {");
    for (int i = 0; i < COUNT; i++) used += (size_t)sprintf(text + used, "%s\"%d\":\"%d\"", i ? "," : "", i, i);
    sprintf(text + used, "}}");
    assert_refused(text, STATUS_RESOURCE_EXHAUSTED, "1000000 labels; the limit is 65536");
    used = (size_t)sprintf(text, "{\"id2label\": {\"0\": \"");
    memset(text + used, 'x', 2000);
    sprintf(text + used + 2000, "\"}}");
    assert_refused(text, STATUS_RESOURCE_EXHAUSTED, "2000 bytes; the limit is 1024");
    free(text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_in_the_order_of_their_ids),
        cmocka_unit_test(labels_without_names_are_numbered_as_transformers_does),
        cmocka_unit_test(labels_refuse_what_names_nothing_or_two_things),
        cmocka_unit_test(labels_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
