/* The messages of grpc.health.v1. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum CodecHealth {
    CODEC_HEALTH_UNKNOWN,
    CODEC_HEALTH_SERVING,
    CODEC_HEALTH_NOT_SERVING,
    CODEC_HEALTH_SERVICE_UNKNOWN,
} CodecHealth;

/* The name asked for, in the arena. Fails as codec_unpack. */
CHECKED Status codec_health_request(const uint8_t *wire, size_t size, Arena *arena, TextView *out_service,
                                    Error *out_error);
size_t codec_health_size(CodecHealth state);
void codec_health_pack(CodecHealth state, uint8_t *buffer);
