#include "rpc/verdict.h"

#include "rpc/codec_details.h"

#include <stdio.h>
#include <string.h>

/* How many bytes the UTF-8 sequence at `byte` takes; 0 when it is none. The messages are ours, nearly always
 * ASCII, but may quote a file's or a model's name. */
static size_t rpc_verdict_sequence(const unsigned char *byte)
{
    if (byte[0] < 0x80) return 1;
    size_t size = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : 2;
    if (byte[0] < 0xC2 || byte[0] > 0xF4) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xC0) != 0x80) return 0; /* the terminator too */
    }
    bool overlong = (byte[0] == 0xE0 && byte[1] < 0xA0) || (byte[0] == 0xF0 && byte[1] < 0x90);
    bool surrogate = byte[0] == 0xED && byte[1] >= 0xA0;
    bool beyond = byte[0] == 0xF4 && byte[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : size;
}

static void rpc_verdict_clean(char *text)
{
    for (unsigned char *byte = (unsigned char *)text; *byte;) {
        size_t size = rpc_verdict_sequence(byte);
        if (size == 0 || *byte < 0x20 || *byte == 0x7F) *byte = '?';
        byte += size ? size : 1;
    }
}

RpcVerdict rpc_verdict_of(const Error *error, const char *field)
{
    RpcVerdict verdict = {.code = GRPC_STATUS_OK, .text = grpc_empty_slice(), .details = grpc_empty_slice()};
    if (!error || error->status == STATUS_OK) return verdict;
    Error clean = *error;
    rpc_verdict_clean(clean.message);
    char clean_field[CODEC_DETAILS_FIELD_BYTES_MAX];
    snprintf(clean_field, sizeof clean_field, "%s", field ? field : "");
    rpc_verdict_clean(clean_field);
    verdict.code = (grpc_status_code)status_grpc_code(clean.status);
    verdict.text = grpc_slice_from_copied_string(clean.message);
    uint8_t details[CODEC_DETAILS_BYTES_MAX];
    size_t size = codec_details_pack(&clean, clean_field, details);
    if (size) verdict.details = grpc_slice_from_copied_buffer((const char *)details, size);
    return verdict;
}

void rpc_verdict_release(RpcVerdict *verdict)
{
    grpc_slice_unref(verdict->text);
    grpc_slice_unref(verdict->details);
    *verdict = (RpcVerdict){.code = GRPC_STATUS_OK};
}
