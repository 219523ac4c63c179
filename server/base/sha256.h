/* SHA-256 of a stream of bytes: what `pull` checks and ListModels reports. The door to libcrypto. */
#pragma once

#include "base/status.h"

#include <stddef.h>

enum { SHA256_HEX_BYTES = 65 }; /* 64 digits and the terminator */

typedef struct Sha256 Sha256;

/* The caller owns *out_hash (sha256_close). Fails with NO_MEMORY, INTERNAL. */
CHECKED Status sha256_open(Sha256 **out_hash, Error *out_error);
void sha256_update(Sha256 *hash, const void *bytes, size_t size);
/* Writes the digest in lower-case hexadecimal. Once per hash. */
void sha256_finish(Sha256 *hash, char out_hex[SHA256_HEX_BYTES]);
void sha256_close(Sha256 *hash); /* NULL is a no-op */
