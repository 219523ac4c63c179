#include "rpc/inflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    INFLATE_WINDOW_BITS = 15,
    INFLATE_GZIP_FLAG = 16, /* zlib: expect gzip's header instead of zlib's */
    INFLATE_FIRST_BYTES = 16 * 1024,
};

typedef struct InflateOutput {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    size_t size_max;
} InflateOutput;

static Status inflate_too_large(size_t size_max, Error *out_error)
{
    return error_set(
        out_error, STATUS_RESOURCE_EXHAUSTED,
        "the compressed message is larger than %zu bytes when inflated, the limit of a message: send less in one "
        "message",
        size_max);
}

/* Doubles the room; one byte beyond the limit is never needed, since a stream that fits ends before it asks for
 * more. */
static Status inflate_grow(InflateOutput *output, Error *out_error)
{
    if (output->capacity >= output->size_max + 1) return inflate_too_large(output->size_max, out_error);
    size_t capacity = output->capacity ? output->capacity * 2 : INFLATE_FIRST_BYTES;
    if (capacity > output->size_max + 1) capacity = output->size_max + 1;
    uint8_t *bytes = realloc(output->bytes, capacity);
    if (!bytes) return error_set(out_error, STATUS_NO_MEMORY, "no memory to inflate a compressed message");
    output->bytes = bytes;
    output->capacity = capacity;
    return STATUS_OK;
}

/* Takes in what `stream` has as its input; *out_ended when the compressed stream said that it ends. */
static Status inflate_piece(z_stream *stream, InflateOutput *output, bool *out_ended, Error *out_error)
{
    for (;;) {
        if (output->size == output->capacity) {
            Status status = inflate_grow(output, out_error);
            if (status != STATUS_OK) return status;
        }
        size_t room = output->capacity - output->size;
        stream->next_out = output->bytes + output->size;
        stream->avail_out = room > UINT_MAX ? UINT_MAX : (uInt)room;
        uInt before = stream->avail_out;
        int result = inflate(stream, Z_NO_FLUSH);
        output->size += before - stream->avail_out;
        if (output->size > output->size_max) return inflate_too_large(output->size_max, out_error);
        if (result == Z_STREAM_END) {
            *out_ended = true;
            return STATUS_OK;
        }
        if (result == Z_MEM_ERROR) return error_set(out_error, STATUS_NO_MEMORY, "no memory to inflate a message");
        if (result != Z_OK && result != Z_BUF_ERROR) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "the compressed message is damaged: %s",
                             stream->msg ? stream->msg : "unknown cause");
        }
        if (stream->avail_out > 0) return STATUS_OK; /* it wants more input */
    }
}

static Status inflate_pieces(z_stream *stream, const InflatePiece *pieces, size_t count, InflateOutput *output,
                             Error *out_error)
{
    bool ended = false;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size == 0) continue;
        if (ended || pieces[i].size > UINT_MAX) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "the compressed message goes on after its end");
        }
        stream->next_in = (Bytef *)pieces[i].bytes;
        stream->avail_in = (uInt)pieces[i].size;
        Status status = inflate_piece(stream, output, &ended, out_error);
        if (status != STATUS_OK) return status;
        if (stream->avail_in) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "the compressed message goes on after its end");
        }
    }
    return ended ? STATUS_OK : error_set(out_error, STATUS_INVALID_ARGUMENT, "the compressed message is cut off");
}

Status rpc_inflate(InflateFormat format, const InflatePiece *pieces, size_t count, size_t size_max,
                   uint8_t **out_bytes, size_t *out_size, Error *out_error)
{
    z_stream stream = {.zalloc = Z_NULL};
    int bits = INFLATE_WINDOW_BITS + (format == INFLATE_GZIP ? INFLATE_GZIP_FLAG : 0);
    if (inflateInit2(&stream, bits) != Z_OK) return error_set(out_error, STATUS_NO_MEMORY, "no memory for zlib");
    InflateOutput output = {.size_max = size_max};
    Status status = inflate_pieces(&stream, pieces, count, &output, out_error);
    inflateEnd(&stream);
    if (status != STATUS_OK) {
        free(output.bytes);
        return status;
    }
    *out_bytes = output.bytes;
    *out_size = output.size;
    return STATUS_OK;
}
