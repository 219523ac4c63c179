#include "base/sha256.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

enum { SHA256_BYTES = 32 };

struct Sha256 {
    EVP_MD_CTX *context;
};

Status sha256_open(Sha256 **out_hash, Error *out_error)
{
    Sha256 *hash = calloc(1, sizeof *hash);
    if (!hash) return error_set(out_error, STATUS_NO_MEMORY, "no memory for a SHA-256 state");
    Status status = STATUS_OK;
    hash->context = EVP_MD_CTX_new();
    if (!hash->context) {
        status = error_set(out_error, STATUS_NO_MEMORY, "no memory for a SHA-256 state");
        goto fail;
    }
    if (EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        status = error_set(out_error, STATUS_INTERNAL, "libcrypto offers no SHA-256");
        goto fail;
    }
    *out_hash = hash;
    return STATUS_OK;
fail:
    sha256_close(hash);
    return status;
}

/* Once initialized, libcrypto's SHA-256 neither allocates nor fails. */
void sha256_update(Sha256 *hash, const void *bytes, size_t size)
{
    int updated = EVP_DigestUpdate(hash->context, bytes, size);
    assert(updated == 1);
    (void)updated;
}

void sha256_finish(Sha256 *hash, char out_hex[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[SHA256_BYTES];
    unsigned size = 0;
    int finished = EVP_DigestFinal_ex(hash->context, digest, &size);
    assert(finished == 1 && size == SHA256_BYTES);
    (void)finished;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out_hex[2 * i] = digits[digest[i] >> 4];
        out_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    out_hex[SHA256_HEX_BYTES - 1] = '\0';
}

void sha256_close(Sha256 *hash)
{
    if (!hash) return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}
