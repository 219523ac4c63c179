#include "rpc/codec_details.h"

#include "base/clock.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <assert.h>
#include <string.h>

enum { CODEC_DETAIL_BYTES_MAX = ERROR_MESSAGE_BYTES + CODEC_DETAILS_FIELD_BYTES_MAX + 64 };

static ProtobufCBinaryData codec_details_text(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

/* One detail as an Any over `bytes` ([CODEC_DETAIL_BYTES_MAX]), which must live as long as it. */
static Google__Protobuf__Any codec_details_any(const char *type_url, const ProtobufCMessage *detail,
                                               uint8_t *bytes)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    assert(protobuf_c_message_get_packed_size(detail) <= CODEC_DETAIL_BYTES_MAX);
    any.type_url = (char *)type_url;
    any.value.len = protobuf_c_message_pack(detail, bytes);
    any.value.data = bytes;
    return any;
}

static Google__Protobuf__Any codec_details_retry(uint64_t retry_after_ns, uint8_t *bytes)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = (int64_t)(retry_after_ns / NS_PER_S);
    delay.nanos = (int32_t)(retry_after_ns % NS_PER_S);
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    retry.retry_delay = &delay;
    return codec_details_any("type.googleapis.com/google.rpc.RetryInfo", &retry.base, bytes);
}

static Google__Protobuf__Any codec_details_field(const char *field, const char *description, uint8_t *bytes)
{
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    violation.field = codec_details_text(field);
    if (violation.field.len > CODEC_DETAILS_FIELD_BYTES_MAX) violation.field.len = CODEC_DETAILS_FIELD_BYTES_MAX;
    violation.description = codec_details_text(description);
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    return codec_details_any("type.googleapis.com/google.rpc.BadRequest", &bad.base, bytes);
}

size_t codec_details_pack(const Error *error, const char *field, const RpcDetail *detail,
                          uint8_t buffer[CODEC_DETAILS_BYTES_MAX])
{
    Google__Protobuf__Any any[3];
    Google__Protobuf__Any *details[] = {&any[0], &any[1], &any[2]};
    uint8_t bytes[2][CODEC_DETAIL_BYTES_MAX];
    size_t count = 0;
    if (error->retry_after_ns) {
        any[count] = codec_details_retry(error->retry_after_ns, bytes[count]);
        count++;
    }
    if (field && *field) {
        any[count] = codec_details_field(field, error->message, bytes[count]);
        count++;
    }
    if (detail) {
        assert(detail->size <= RPC_DETAIL_BYTES_MAX);
        any[count] = (Google__Protobuf__Any)GOOGLE__PROTOBUF__ANY__INIT;
        any[count].type_url = (char *)detail->type_url;
        any[count].value = (ProtobufCBinaryData){.len = detail->size, .data = (uint8_t *)detail->bytes};
        count++;
    }
    if (count == 0) return 0;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = status_grpc_code(error->status);
    status.message = codec_details_text(error->message);
    status.n_details = count;
    status.details = details;
    assert(google__rpc__status__get_packed_size(&status) <= CODEC_DETAILS_BYTES_MAX);
    return google__rpc__status__pack(&status, buffer);
}
