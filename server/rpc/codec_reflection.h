/* grpc.reflection.v1 and v1alpha, which are the same on the wire: questions about the .proto files that are built
 * in. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

typedef struct CodecReflection CodecReflection;

/* Reads the files in `set` ([size], a FileDescriptorSet, which must outlive it) and indexes their symbols. The
 * caller owns *out_reflection (codec_reflection_close). Fails with CORRUPT, NO_MEMORY. */
CHECKED Status codec_reflection_open(const uint8_t *set, size_t size, CodecReflection **out_reflection,
                                     Error *out_error);
void codec_reflection_close(CodecReflection *reflection); /* NULL is a no-op */
/* A service that list_services names, once however often it is added; `name` is copied. Before any answer. Fails
 * with NO_MEMORY. */
CHECKED Status codec_reflection_add_service(CodecReflection *reflection, TextView name, Error *out_error);

/* An answer, in the arena of its request. */
typedef struct CodecReflectionAnswer CodecReflectionAnswer;

/* Answers one request; what is not found is an answer too. Any thread that owns the arena. Fails as codec_unpack.
 */
CHECKED Status codec_reflection_answer(const CodecReflection *reflection, const uint8_t *wire, size_t size,
                                       Arena *arena, CodecReflectionAnswer **out_answer, Error *out_error);
size_t codec_reflection_size(const CodecReflectionAnswer *answer);
void codec_reflection_pack(void *answer, uint8_t *buffer);
