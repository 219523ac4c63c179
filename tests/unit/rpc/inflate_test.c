/* Inflating: whole streams in any pieces, never more than the limit. */
#include "rpc/inflate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include <cmocka.h>

enum { LIMIT = 100000 };

/* What `size` bytes become; the caller frees. */
static uint8_t *deflated(InflateFormat format, const uint8_t *bytes, size_t size, size_t *out_size)
{
    z_stream stream = {.zalloc = Z_NULL};
    int bits = 15 + (format == INFLATE_GZIP ? 16 : 0);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t capacity = deflateBound(&stream, size) + 64;
    uint8_t *result = malloc(capacity);
    assert_non_null(result);
    stream.next_in = (Bytef *)bytes;
    stream.avail_in = (uInt)size;
    stream.next_out = result;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *out_size = stream.total_out;
    deflateEnd(&stream);
    return result;
}

static void inflate_gives_back_what_was_deflated_in_any_pieces(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int round = 0; round < 300; round++) {
        InflateFormat format = round % 2 ? INFLATE_GZIP : INFLATE_DEFLATE;
        size_t size = round < 20 ? (size_t)round : (size_t)rand_r(&seed) % (LIMIT + 1);
        if (round == 20) size = LIMIT;
        uint8_t *bytes = malloc(size + 1);
        for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(rand_r(&seed) % (round % 5 + 1));
        size_t packed_size;
        uint8_t *packed = deflated(format, bytes, size, &packed_size);
        size_t cut = (size_t)rand_r(&seed) % (packed_size + 1);
        InflatePiece pieces[] = {{packed, cut}, {packed, 0}, {packed + cut, packed_size - cut}};
        uint8_t *result;
        size_t result_size;
        Error error;
        assert_int_equal(rpc_inflate(format, pieces, 3, LIMIT, &result, &result_size, &error), STATUS_OK);
        assert_int_equal(result_size, size);
        assert_memory_equal(result, bytes, size);
        free(result);
        free(packed);
        free(bytes);
    }
}

static Status inflate_status(InflateFormat format, const uint8_t *packed, size_t size, size_t limit)
{
    InflatePiece piece = {packed, size};
    uint8_t *result;
    size_t result_size;
    Error error;
    Status status = rpc_inflate(format, &piece, 1, limit, &result, &result_size, &error);
    if (status == STATUS_OK) free(result);
    return status;
}

static void inflate_refuses_one_byte_beyond_the_limit(void **state)
{
    (void)state;
    static uint8_t zeros[50 * LIMIT];
    static const size_t sizes[] = { LIMIT + 1, LIMIT + 2, 2 * LIMIT, sizeof zeros };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t packed_size;
        uint8_t *packed = deflated(INFLATE_GZIP, zeros, sizes[i], &packed_size);
        assert_int_equal(inflate_status(INFLATE_GZIP, packed, packed_size, LIMIT), STATUS_RESOURCE_EXHAUSTED);
        assert_int_equal(inflate_status(INFLATE_GZIP, packed, packed_size, sizes[i]), STATUS_OK);
        free(packed);
    }
}

static void inflate_refuses_what_is_cut_off_damaged_or_too_long(void **state)
{
    (void)state;
    const uint8_t text[] = "a text that is a little longer than nothing, a text that repeats";
    size_t size;
    uint8_t *packed = deflated(INFLATE_GZIP, text, sizeof text, &size);
    uint8_t *longer = malloc(2 * size);
    memcpy(longer, packed, size);
    memcpy(longer + size, packed, size);
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(inflate_status(INFLATE_GZIP, packed, cut, LIMIT), STATUS_INVALID_ARGUMENT);
    }
    assert_int_equal(inflate_status(INFLATE_DEFLATE, packed, size, LIMIT), STATUS_INVALID_ARGUMENT);
    assert_int_equal(inflate_status(INFLATE_GZIP, longer, size + 1, LIMIT), STATUS_INVALID_ARGUMENT);
    assert_int_equal(inflate_status(INFLATE_GZIP, longer, 2 * size, LIMIT), STATUS_INVALID_ARGUMENT);
    packed[size - 6] ^= 1; /* the checksum */
    assert_int_equal(inflate_status(INFLATE_GZIP, packed, size, LIMIT), STATUS_INVALID_ARGUMENT);
    free(packed);
    free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inflate_gives_back_what_was_deflated_in_any_pieces),
        cmocka_unit_test(inflate_refuses_one_byte_beyond_the_limit),
        cmocka_unit_test(inflate_refuses_what_is_cut_off_damaged_or_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
