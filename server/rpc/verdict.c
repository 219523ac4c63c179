#include "rpc/verdict.h"

#include "base/text.h"
#include "rpc/codec_details.h"

#include <stdio.h>
#include <string.h>

/* The messages are ours, nearly always ASCII, but may quote a file's or a model's name. */
static void rpc_verdict_clean(char *text)
{
    const char *end = text + strlen(text);
    for (char *byte = text; byte < end;) {
        size_t size = text_utf8_size(byte, (size_t)(end - byte));
        if (size == 0 || (unsigned char)*byte < 0x20 || *byte == 0x7F) *byte = '?';
        byte += size ? size : 1;
    }
}

RpcVerdict rpc_verdict_of(const Error *error, const char *field)
{
    return rpc_verdict_detailed(error, field, NULL);
}

RpcVerdict rpc_verdict_detailed(const Error *error, const char *field, const RpcDetail *detail)
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
    size_t size = codec_details_pack(&clean, clean_field, detail, details);
    if (size) verdict.details = grpc_slice_from_copied_buffer((const char *)details, size);
    return verdict;
}

void rpc_verdict_release(RpcVerdict *verdict)
{
    grpc_slice_unref(verdict->text);
    grpc_slice_unref(verdict->details);
    *verdict = (RpcVerdict){.code = GRPC_STATUS_OK};
}
