#include "rpc/codec_health.h"

#include "grpc/health/v1/health.pb-c.h"
#include "rpc/codec_unpack.h"

#include <assert.h>

static_assert((int)CODEC_HEALTH_SERVICE_UNKNOWN ==
                  (int)GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
              "the states are numbered as on the wire");

Status codec_health_request(const uint8_t *wire, size_t size, Arena *arena, TextView *out_service,
                            Error *out_error)
{
    ProtobufCMessage *message;
    Status status =
        codec_unpack(&grpc__health__v1__health_check_request__descriptor, wire, size, arena, &message, out_error);
    if (status != STATUS_OK) return status;
    const Grpc__Health__V1__HealthCheckRequest *request = (const Grpc__Health__V1__HealthCheckRequest *)message;
    *out_service = (TextView){(const char *)request->service.data, request->service.len};
    return STATUS_OK;
}

static Grpc__Health__V1__HealthCheckResponse codec_health_response(CodecHealth state)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)state;
    return response;
}

size_t codec_health_size(CodecHealth state)
{
    Grpc__Health__V1__HealthCheckResponse response = codec_health_response(state);
    return grpc__health__v1__health_check_response__get_packed_size(&response);
}

void codec_health_pack(CodecHealth state, uint8_t *buffer)
{
    Grpc__Health__V1__HealthCheckResponse response = codec_health_response(state);
    (void)grpc__health__v1__health_check_response__pack(&response, buffer);
}
