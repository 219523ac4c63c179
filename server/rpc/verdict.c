#include "rpc/verdict.h"

#include "base/text.h"
#include "rpc/codec_details.h"

#include <stdio.h>

RpcVerdict rpc_verdict_of(const Error *error)
{
    return rpc_verdict_detailed(error, NULL, NULL);
}

RpcVerdict rpc_verdict_detailed(const Error *error, const char *field, const RpcDetail *detail)
{
    RpcVerdict verdict = {.code = GRPC_STATUS_OK, .text = grpc_empty_slice(), .details = grpc_empty_slice()};
    if (!error || error->status == STATUS_OK) return verdict;
    Error clean = *error;
    text_clean(clean.message); /* ours, nearly always ASCII, but it may quote a file's or a model's name */
    char clean_field[CODEC_DETAILS_FIELD_BYTES_MAX];
    snprintf(clean_field, sizeof clean_field, "%s", field ? field : "");
    text_clean(clean_field);
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
