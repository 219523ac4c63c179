#include "rpc/reflection.h"

#include "descriptors.h"
#include "rpc/codec_reflection.h"

#include <assert.h>
#include <string.h>

/* There is no more to it than its index. */
static CodecReflection *reflection_codec(RpcReflection *reflection)
{
    return (CodecReflection *)reflection;
}

Status rpc_reflection_open(RpcReflection **out_reflection, Error *out_error)
{
    CodecReflection *codec;
    size_t size = (size_t)(proto_descriptors_end - proto_descriptors_begin);
    Status status = codec_reflection_open(proto_descriptors_begin, size, &codec, out_error);
    if (status == STATUS_OK) *out_reflection = (RpcReflection *)codec;
    return status;
}

void rpc_reflection_close(RpcReflection *reflection)
{
    codec_reflection_close(reflection_codec(reflection));
}

Status rpc_reflection_add(RpcReflection *reflection, const char *path, Error *out_error)
{
    const char *end = strrchr(path, '/');
    assert(path[0] == '/' && end > path);
    TextView name = {path + 1, (size_t)(end - path - 1)};
    return codec_reflection_add_service(reflection_codec(reflection), name, out_error);
}

static void reflection_handle(void *context, RpcMessage *message, const uint8_t *wire, size_t size)
{
    Error error;
    CodecReflectionAnswer *answer;
    if (codec_reflection_answer(context, wire, size, rpc_message_arena(message), &answer, &error) != STATUS_OK) {
        rpc_message_fail(message, &error, NULL);
        return;
    }
    rpc_message_reply(message, codec_reflection_size(answer), codec_reflection_pack, answer);
}

void rpc_reflection_methods(RpcReflection *reflection, RpcMethod out_methods[RPC_REFLECTION_METHOD_COUNT])
{
    static const char *const paths[RPC_REFLECTION_METHOD_COUNT] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };
    for (size_t i = 0; i < RPC_REFLECTION_METHOD_COUNT; i++) {
        out_methods[i] = (RpcMethod){paths[i], RPC_BIDI, reflection_handle, reflection, NULL};
    }
}
