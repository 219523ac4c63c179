/* SHA-256 against the vectors of FIPS 180-2, appendix B. */
#include "base/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_hash(const char *text, size_t repeats, const char *expected)
{
    Sha256 *hash = NULL;
    Error error;
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(sha256_open(&hash, &error), STATUS_OK);
    for (size_t i = 0; i < repeats; i++) sha256_update(hash, text, strlen(text));
    sha256_finish(hash, hex);
    sha256_close(hash);
    assert_string_equal(hex, expected);
}

static void sha256_equals_the_published_vectors(void **state)
{
    (void)state;
    assert_hash("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hash("aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void sha256_close_takes_an_unfinished_hash(void **state)
{
    (void)state;
    Sha256 *hash = NULL;
    Error error;
    assert_int_equal(sha256_open(&hash, &error), STATUS_OK);
    sha256_update(hash, "x", 1);
    sha256_close(hash);
    sha256_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_equals_the_published_vectors),
        cmocka_unit_test(sha256_close_takes_an_unfinished_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
