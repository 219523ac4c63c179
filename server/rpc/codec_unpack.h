/* The one way in for protobuf messages: bytes from the wire become a struct in a request's arena, within its
 * budget. */
#pragma once

#include "base/arena.h"
#include "base/status.h"

#include <protobuf-c/protobuf-c.h>

/* Unpacks `wire` ([size], may be NULL when 0) as a message of `descriptor` into `arena`, whose budget bounds what
 * hostile bytes make us allocate; nothing is to be freed by itself, and *out_message shares no bytes with `wire`.
 * Strings are counted, may hold NUL and are NOT proved to be UTF-8. The types are not recursive, so depth is
 * bounded by the schema (MESSAGE_DEPTH_MAX; a test walks every request type). Any thread that owns the arena.
 * Fails with INVALID_ARGUMENT (not such a message), RESOURCE_EXHAUSTED (the arena: message too complex for its
 * size). */
CHECKED Status codec_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *wire, size_t size,
                            Arena *arena, ProtobufCMessage **out_message, Error *out_error);
