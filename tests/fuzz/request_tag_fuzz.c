/* Links headlight_rpc. Any bytes as a TagTokensRequest: refused with a reason, or every token an entity and packed. The
 * entities' edges lie anywhere, within characters as well. */
#include "request_fuzz.h"

static void tag_reply(const CodecTagRequest *request, const Prepared *prepared, Arena *arena)
{
    CodecTagging taggings[REQUEST_INPUT_COUNT_MAX];
    uint64_t entity_count = 0;
    for (uint32_t i = 0; i < request->inputs.count; i++) {
        const Encoding *encoding = &prepared[i].encoding;
        Entity *entities = arena_allocate_zeroed(arena, encoding->count, sizeof *entities);
        assert(entities);
        TextView text = request->inputs.texts[i].text;
        for (uint32_t token = 0; token < encoding->count; token++) {
            uint32_t begin = text.size ? (encoding->ids[token] + token) % (uint32_t)text.size : 0;
            uint32_t end = text.size ? begin + (uint32_t)(text.size - begin) / (token + 1) : 0;
            entities[token] = (Entity){.label = text_view("X"), .range = {begin, end}};
        }
        taggings[i] = (CodecTagging){.usage = {.token_count = encoding->count},
                                     .text = text,
                                     .entities = entities,
                                     .entity_count = encoding->count};
        entity_count += encoding->count;
    }
    arena->budget_bytes += codec_reply_tag_bytes(request->inputs.count, entity_count) + 64 * KIB;
    const CodecHead head = {.model = request->inputs.model};
    CodecReply reply;
    bool built = codec_reply_tag(arena, &head, taggings, request->inputs.count, &reply);
    assert(built);
    request_pack(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecTagRequest request;
    CodecFault fault = {.field = ""};
    Prepared prepared[REQUEST_INPUT_COUNT_MAX];
    Status status = codec_request_tag(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) status = request_prepare(&request.inputs, &arena, prepared, &fault);
    arena.budget_bytes += MIB; /* results are the server's to spend */
    if (status)
        request_check_fault(status, &fault);
    else
        tag_reply(&request, prepared, &arena);
    arena_free(&arena);
    return 0;
}
