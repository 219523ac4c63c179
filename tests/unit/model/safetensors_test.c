/* The safetensors header: accepted and refused as the Rust library does, and fast whatever it claims. */
#include "model/safetensors.h"

#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Builds a file of `header` and `data_size` zero bytes and appends it; the file's bytes are exactly its size. */
static Status append_claiming(uint64_t header_size, const char *header, size_t data_size, SafetensorsTable *table,
                              Error *error)
{
    size_t text_size = strlen(header);
    size_t size = 8 + text_size + data_size;
    unsigned char *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(header_size >> 8 * i);
    memcpy(bytes + 8, header, text_size);
    Status status = safetensors_append(table, "m.safetensors", 0, bytes, size, error);
    for (size_t i = 0; i < table->count; i++) {
        const SafetensorsEntry *entry = &table->entries[i];
        assert_true(entry->data >= bytes && entry->data + (entry->end - entry->begin) <= bytes + size);
    }
    free(bytes);
    return status;
}

static void assert_accepted(const char *header, size_t data_size, size_t count)
{
    SafetensorsTable table = {0};
    const SafetensorsEntry *duplicate = NULL;
    Error error;
    Status status = append_claiming(strlen(header), header, data_size, &table, &error);
    if (status != STATUS_OK) fail_msg("%s: %s", header, error.message);
    assert_int_equal(table.count, count);
    assert_int_equal(safetensors_sort(&table, &duplicate), STATUS_OK);
    safetensors_free(&table);
}

static void assert_refused(const char *header, size_t data_size, Status expected, const char *reason)
{
    SafetensorsTable table = {0};
    Error error = {.message = ""};
    Status status = append_claiming(strlen(header), header, data_size, &table, &error);
    if (status != expected || !strstr(error.message, reason) ||
        strncmp(error.message, "m.safetensors: ", 15) != 0) {
        fail_msg("%s: status \"%s\", message \"%s\", expected \"%s\"", header, status_name(status), error.message,
                 reason);
    }
    assert_int_equal(table.count, 0);
    safetensors_free(&table);
}

#define TENSOR(name, dtype, shape, begin, end) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void safetensors_accepts_what_the_library_accepts(void **state)
{
    (void)state;
    assert_accepted("{}", 0, 0);
    assert_accepted("{}      ", 0, 0);
    assert_accepted(" {" TENSOR("a", "F32", "[1]", 0, 4) "}\n", 4, 1);
    assert_accepted("{" TENSOR("a", "F32", "[]", 0, 4) "}", 4, 1);
    assert_accepted("{" TENSOR("a", "F32", "[0,7]", 0, 0) "," TENSOR("b", "F16", "[2,2]", 0, 8) "}", 8, 2);
    assert_accepted("{" TENSOR("b", "BF16", "[1]", 4, 6) "," TENSOR("a", "F32", "[1]", 0, 4) "}", 6, 2);
    assert_accepted("{\"__metadata__\":{\"format\":\"pt\"}," TENSOR("a", "I64", "[1,2]", 0, 16) "}", 16, 1);
    assert_accepted("{\"__metadata__\":null," TENSOR("a", "BOOL", "[3]", 0, 3) "}", 3, 1);
    assert_accepted("{" TENSOR("a", "F4", "[2]", 0, 1) "}", 1, 1);
    assert_accepted("{" TENSOR("a", "F6_E2M3", "[4]", 0, 3) "}", 3, 1);
    assert_accepted("{" TENSOR("a", "U8", "[1,1,1,1,1,1]", 0, 1) "}", 1, 1);
    assert_accepted("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"extra\":[{}]}}", 1, 1);
}

static void safetensors_refuses_wrong_offsets(void **state)
{
    (void)state;
    assert_refused("{" TENSOR("a", "F32", "[1]", 4, 8) "}", 8, STATUS_CORRUPT, "\"a\" starts at byte 4");
    assert_refused("{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 8, 12) "}", 12,
                   STATUS_CORRUPT, "\"b\" starts at byte 8 of the data, expected 4");
    assert_refused("{" TENSOR("a", "F32", "[2]", 0, 8) "," TENSOR("b", "F32", "[1]", 4, 8) "}", 8, STATUS_CORRUPT,
                   "must not overlap");
    assert_refused("{" TENSOR("a", "F32", "[1]", 0, 4) "," TENSOR("b", "F32", "[1]", 0, 4) "}", 4, STATUS_CORRUPT,
                   "must not overlap");
    assert_refused("{" TENSOR("a", "F32", "[1]", 0, 4) "}", 8, STATUS_CORRUPT, "cover 4 bytes of data");
    assert_refused("{" TENSOR("a", "F32", "[1]", 0, 4) "}", 3, STATUS_CORRUPT, "it is truncated");
    assert_refused("{" TENSOR("a", "F32", "[1]", 4, 0) "}", 4, STATUS_CORRUPT, "no valid data_offsets");
    assert_refused("{" TENSOR("a", "F32", "[1]", -4, 0) "}", 4, STATUS_CORRUPT, "no valid data_offsets");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, STATUS_CORRUPT,
                   "data_offsets");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, STATUS_CORRUPT,
                   "data_offsets");
    assert_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"x\":0,\"y\":4}}}", 4,
                   STATUS_CORRUPT, "data_offsets");
    assert_refused("{" TENSOR("a", "F32", "[1]", 0, 1e300) "}", 4, STATUS_CORRUPT, "data_offsets");
}

static void safetensors_refuses_a_size_that_is_not_the_shape(void **state)
{
    (void)state;
    assert_refused("{" TENSOR("a", "F32", "[2]", 0, 4) "}", 4, STATUS_CORRUPT,
                   "\"a\" has 2 elements of type F32, but its data_offsets span 4 bytes");
    assert_refused("{" TENSOR("a", "F32", "[4294967296,4294967296]", 0, 4) "}", 4, STATUS_CORRUPT,
                   "no valid shape");
    assert_refused("{" TENSOR("a", "F32", "[4611686018427387905]", 0, 4) "}", 4, STATUS_CORRUPT, "elements");
    assert_refused("{" TENSOR("a", "F64", "[2305843009213693952]", 0, 0) "}", 0, STATUS_CORRUPT, "elements");
    assert_refused("{" TENSOR("a", "F4", "[1]", 0, 1) "}", 1, STATUS_CORRUPT, "elements");
    assert_refused("{" TENSOR("a", "F32", "[-1]", 0, 4) "}", 4, STATUS_CORRUPT, "no valid shape");
    assert_refused("{" TENSOR("a", "F32", "[1.5]", 0, 4) "}", 4, STATUS_CORRUPT, "no valid shape");
    assert_refused("{" TENSOR("a", "F32", "{\"x\":1}", 0, 4) "}", 4, STATUS_CORRUPT, "no valid shape");
}

static void safetensors_refuses_wrong_entries(void **state)
{
    (void)state;
    assert_refused("{" TENSOR("a", "Q4_0", "[1]", 0, 4) "}", 4, STATUS_UNSUPPORTED, "unknown dtype \"Q4_0\"");
    assert_refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, STATUS_CORRUPT, "has no dtype");
    assert_refused("{\"a\":null}", 0, STATUS_CORRUPT, "has no dtype");
    assert_refused("{\"a\":[]}", 0, STATUS_CORRUPT, "has no dtype");
    assert_refused("{\"__metadata__\":{\"x\":1}}", 0, STATUS_CORRUPT, "__metadata__");
    assert_refused("{\"__metadata__\":[]}", 0, STATUS_CORRUPT, "__metadata__");
    assert_refused("[]", 0, STATUS_CORRUPT, "no JSON object");
    assert_refused("", 0, STATUS_CORRUPT, "header: line 1, column 1");
    assert_refused("{\"a\":", 0, STATUS_CORRUPT, "header: line 1, column");
    assert_refused("{\"\xFF\":1}", 0, STATUS_CORRUPT, "invalid UTF-8");
}

static void safetensors_refuses_a_header_longer_than_the_file(void **state)
{
    (void)state;
    SafetensorsTable table = {0};
    Error error;
    static const uint64_t claims[] = {3, 10ULL << 30, UINT64_MAX, UINT64_MAX - 7, 1ULL << 63};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        assert_int_equal(append_claiming(claims[i], "{}", 0, &table, &error), STATUS_CORRUPT);
        assert_non_null(strstr(error.message, "the header claims"));
    }
    for (size_t size = 0; size < 8; size++) {
        assert_int_equal(
            safetensors_append(&table, "m", 0, (const unsigned char *)"\2\0\0\0\0\0\0\0", size, &error),
            STATUS_CORRUPT);
    }
    safetensors_free(&table);
}

static void safetensors_refuses_a_header_over_the_limit(void **state)
{
    (void)state;
    SafetensorsTable table = {0};
    Error error;
    size_t size = 8 + SAFETENSORS_HEADER_BYTES_MAX + 1;
    unsigned char *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((size - 8) >> 8 * i);
    assert_int_equal(safetensors_append(&table, "m", 0, bytes, size, &error), STATUS_RESOURCE_EXHAUSTED);
    free(bytes);
    safetensors_free(&table);
}

static void safetensors_refuses_too_many_tensors(void **state)
{
    (void)state;
    char *header = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&header, &size);
    assert_non_null(stream);
    for (int i = 0; i <= SAFETENSORS_TENSOR_COUNT_MAX; i++) fprintf(stream, "%c\"%d\":0", i ? ',' : '{', i);
    fputc('}', stream);
    fclose(stream);
    assert_refused(header, 0, STATUS_RESOURCE_EXHAUSTED, "more than 65536 tensors");
    free(header);
}

static void safetensors_refuses_a_name_that_appears_twice(void **state)
{
    (void)state;
    SafetensorsTable table = {0};
    const SafetensorsEntry *duplicate = NULL;
    Error error;
    const char *header = "{" TENSOR("x", "U8", "[1]", 0, 1) "," TENSOR("b", "U8", "[1]", 1, 2) "," //
        TENSOR("x", "U8", "[1]", 2, 3) "}";
    assert_int_equal(append_claiming(strlen(header), header, 3, &table, &error), STATUS_OK);
    assert_int_equal(safetensors_sort(&table, &duplicate), STATUS_CORRUPT);
    assert_string_equal(duplicate->name, "x");
    safetensors_free(&table);
}

static void safetensors_finds_every_tensor_by_name(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    SafetensorsTable table = {0};
    const SafetensorsEntry *duplicate = NULL;
    char *header = NULL;
    char name[32];
    size_t size = 0;
    Error error;
    FILE *stream = open_memstream(&header, &size);
    assert_non_null(stream);
    for (int i = 0; i < COUNT; i++) {
        fprintf(stream, "%c\"t%d\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", i ? ',' : '{', i,
                COUNT - 1 - i, COUNT - i);
    }
    fputc('}', stream);
    fclose(stream);
    assert_int_equal(append_claiming(size, header, COUNT, &table, &error), STATUS_OK);
    assert_int_equal(safetensors_sort(&table, &duplicate), STATUS_OK);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "t%d", i);
        const SafetensorsEntry *entry = safetensors_find(&table, name);
        assert_non_null(entry);
        assert_int_equal(entry->begin, COUNT - 1 - i);
    }
    assert_null(safetensors_find(&table, "t"));
    assert_null(safetensors_find(&table, "t5000"));
    safetensors_free(&table);
    assert_null(safetensors_find(&table, "t0"));
    free(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_accepts_what_the_library_accepts),
        cmocka_unit_test(safetensors_refuses_wrong_offsets),
        cmocka_unit_test(safetensors_refuses_a_size_that_is_not_the_shape),
        cmocka_unit_test(safetensors_refuses_wrong_entries),
        cmocka_unit_test(safetensors_refuses_a_header_longer_than_the_file),
        cmocka_unit_test(safetensors_refuses_a_header_over_the_limit),
        cmocka_unit_test(safetensors_refuses_too_many_tensors),
        cmocka_unit_test(safetensors_refuses_a_name_that_appears_twice),
        cmocka_unit_test(safetensors_finds_every_tensor_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
