/* Buckets and slopes against what transformers computes, on both sides of every kind of border. */
#include "attention/buckets.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DISTANCES = 40 };

/* Distances query - key. */
static const int32_t distances[DISTANCES] = {
    -600, -517, -516, -512, -511, -510, -400, -256, -130, -129, -128, -127, -17, -16, -5,  -3,  -1,  0,   1,  2, 4,
    5,    8,    9,    16,   19,   20,   127,  128,  129,  130,  131,  200,  256, 400, 509, 510, 511, 512, 600};

/* Rows by make_log_bucket_position of transformers 5.24, clamped to the table. */
static const struct BucketCase {
    uint32_t bucket_count, maximum;
    uint32_t rows[DISTANCES];
} bucket_cases[] = {
    {256, 512, {0,   0,   0,   0,   1,   1,   23,  64,  126, 127, 128, 129, 239, 240,
                251, 253, 255, 256, 257, 258, 260, 261, 264, 265, 272, 275, 276, 383,
                384, 385, 386, 387, 425, 448, 489, 511, 511, 511, 511, 511}},
    {32, 20, {0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  10, 16, 27, 29, 31, 32, 33, 34,
              36, 37, 40, 41, 48, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63}},
    {7, 40, {0,  0,  0,  0,  0,  0,  0,  0,  1,  1,  1,  1,  2,  2,  3,  4,  6,  7,  8,  9,
             11, 11, 11, 11, 12, 12, 12, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13}},
    {2, 10, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3,
             3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}},
};

static uint32_t row_of(const AttentionBuckets *buckets, int64_t distance)
{
    int64_t reach = buckets->reach;
    int64_t clamped = distance < -reach ? -reach : distance > reach ? reach : distance;
    return buckets->rows[reach - clamped];
}

static void buckets_have_the_rows_of_transformers(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof bucket_cases / sizeof *bucket_cases; c++) {
        const struct BucketCase *test = &bucket_cases[c];
        AttentionBuckets *buckets;
        Error error;
        assert_int_equal(attention_buckets_open(test->bucket_count, test->maximum, 4096, &buckets, &error),
                         STATUS_OK);
        assert_int_equal(buckets->row_count, 2 * test->bucket_count);
        for (int i = 0; i < DISTANCES; i++) assert_int_equal(row_of(buckets, distances[i]), test->rows[i]);
        attention_buckets_close(buckets);
    }
}

static void buckets_without_a_count_are_the_distances(void **state)
{
    (void)state;
    AttentionBuckets *buckets;
    Error error;
    assert_int_equal(attention_buckets_open(0, 300, 300, &buckets, &error), STATUS_OK);
    assert_int_equal(buckets->row_count, 600);
    for (int32_t distance = -700; distance <= 700; distance++) {
        int32_t row = distance + 300;
        assert_int_equal(row_of(buckets, distance), row < 0 ? 0 : row > 599 ? 599 : row);
    }
    attention_buckets_close(buckets);
}

/* A small model with the usual 256 buckets: no text is long enough for a logarithmic one. */
static void buckets_beyond_every_text_are_the_distances(void **state)
{
    (void)state;
    AttentionBuckets *buckets;
    Error error;
    assert_int_equal(attention_buckets_open(256, 128, 128, &buckets, &error), STATUS_OK);
    assert_int_equal(buckets->row_count, 512);
    for (int32_t distance = -127; distance <= 127; distance++)
        assert_int_equal(row_of(buckets, distance), 256 + distance);
    attention_buckets_close(buckets);
}

static void buckets_that_are_not_defined_are_refused(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {{1, 512}, {0, 0}, {8, 0}, {8, 5}, {8, 4}, {256, 129}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AttentionBuckets *buckets = NULL;
        Error error;
        assert_int_equal(attention_buckets_open(cases[i][0], cases[i][1], 4096, &buckets, &error),
                         STATUS_UNSUPPORTED);
        assert_null(buckets);
    }
}

/* The distances at which MPNet's bucket changes. */
static void relative_buckets_have_the_borders_of_transformers(void **state)
{
    (void)state;
    static const uint32_t borders[] = {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
    float embeddings[ATTENTION_RELATIVE_BUCKETS * 3];
    float table[3][2 * ATTENTION_RELATIVE_REACH + 1];
    for (int i = 0; i < ATTENTION_RELATIVE_BUCKETS * 3; i++) embeddings[i] = (float)i;
    attention_relative_expand(embeddings, 3, table[0]);
    for (int head = 0; head < 3; head++)
        for (int distance = -ATTENTION_RELATIVE_REACH; distance <= ATTENTION_RELATIVE_REACH; distance++) {
            int bucket = 0;
            while (bucket < 15 && (uint32_t)abs(distance) >= borders[bucket]) bucket++;
            if (distance > 0) bucket += 16;
            assert_true(table[head][ATTENTION_RELATIVE_REACH + distance] == (float)(3 * bucket + head));
        }
}

static void alibi_slopes_are_powers_and_those_between(void **state)
{
    (void)state;
    float slopes[12];
    attention_alibi_slopes(8, slopes);
    for (int i = 0; i < 8; i++) assert_true(slopes[i] == ldexpf(1.0f, -(i + 1)));
    attention_alibi_slopes(12, slopes);
    for (int i = 0; i < 8; i++) assert_true(slopes[i] == ldexpf(1.0f, -(i + 1)));
    for (int i = 0; i < 4; i++) assert_true(slopes[8 + i] == (float)pow(2.0, -0.5 - i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_have_the_rows_of_transformers),
        cmocka_unit_test(buckets_without_a_count_are_the_distances),
        cmocka_unit_test(buckets_beyond_every_text_are_the_distances),
        cmocka_unit_test(buckets_that_are_not_defined_are_refused),
        cmocka_unit_test(relative_buckets_have_the_borders_of_transformers),
        cmocka_unit_test(alibi_slopes_are_powers_and_those_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
