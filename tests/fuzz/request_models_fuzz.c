/* Links headlight_rpc. Any bytes as a Load-, Unload- and ReloadModelRequest: each refused with a reason, or a name and
 * a path that end where the client said, and answered. */
#include "request_fuzz.h"

#include "rpc/codec_models.h"
#include "unicode/utf8.h"

typedef Status ModelsRead(Arena *arena, const uint8_t *wire, size_t size, CodecModelsRequest *out_request,
                          CodecFault *out_fault);
typedef bool ModelsReply(Arena *arena, const CodecModel *model, CodecReply *out_reply);

static bool models_unload(Arena *arena, const CodecModel *model, CodecReply *out_reply)
{
    (void)model;
    return codec_models_unload(arena, out_reply);
}

static bool models_reload(Arena *arena, const CodecModel *model, CodecReply *out_reply)
{
    return codec_models_reload(arena, model, true, out_reply);
}

static void models_reply(const CodecModelsRequest *request, Arena *arena, ModelsReply *reply_build)
{
    size_t position;
    assert(request->name.size <= MODEL_NAME_BYTES_MAX && utf8_valid(request->name, &position));
    assert(!request->directory || (request->directory[0] && utf8_valid(text_view(request->directory), &position)));
    const CodecModel model = {.name = request->name, .pipeline = request_pipeline()};
    arena->budget_bytes += codec_models_bytes(&model, 1);
    CodecReply reply;
    bool built = reply_build(arena, &model, &reply);
    assert(built);
    request_pack(reply);
}

static void models_request(const uint8_t *bytes, size_t size, ModelsRead *read, ModelsReply *reply_build)
{
    Arena arena;
    request_arena(&arena, size);
    CodecModelsRequest request;
    CodecFault fault = {.field = ""};
    Status status = read(&arena, bytes, size, &request, &fault);
    if (status)
        request_check_fault(status, &fault);
    else
        models_reply(&request, &arena, reply_build);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    models_request(bytes, size, codec_models_read_load, codec_models_load);
    models_request(bytes, size, codec_models_read_unload, models_unload);
    models_request(bytes, size, codec_models_read_reload, models_reload);
    return 0;
}
