/* Links headlight_rpc. Any bytes as an EmbedRequest: refused with a reason, or embedded and packed. */
#include "request_fuzz.h"

static PipelineWorkspace *embed_workspace(void)
{
    static PipelineWorkspace *workspace;
    Error error;
    if (!workspace && pipeline_workspace_open(request_pipeline(), REQUEST_BATCH_TOKENS, 1, &workspace, &error))
        abort();
    return workspace;
}

static Status embed_item(const CodecEmbedRequest *request, const CodecText *input, Arena *arena,
                         PipelineItem *item, CodecFault *fault)
{
    const Pipeline *pipeline = request_pipeline();
    Prepared *prepared = arena_allocate_zeroed(arena, 1, sizeof *prepared);
    assert(prepared);
    Status status = pipeline_prepare(pipeline, input->text, input->has_pair ? &input->pair : NULL,
                                     &request->inputs.prepare, arena, prepared, &fault->error);
    if (status) return status;
    assert(prepared->encoding.count <= pipeline_token_count_max(pipeline));
    size_t row_size = pipeline_row_size(pipeline);
    *item = (PipelineItem){.prepared = prepared, .embed = &request->embed};
    item->output = arena_allocate(arena, pipeline_vector_size(pipeline) * sizeof *item->output);
    item->tokens = arena_allocate(arena, prepared->encoding.count * row_size * sizeof *item->tokens);
    assert(item->output && item->tokens);
    pipeline_run(pipeline, embed_workspace(), &item, 1);
    assert(item->status == STATUS_OK);
    return STATUS_OK;
}

static Status embed_request(const CodecEmbedRequest *request, Arena *arena, CodecFault *fault)
{
    const Pipeline *pipeline = request_pipeline();
    const PipelineItem *items[REQUEST_INPUT_COUNT_MAX];
    PipelineItem storage[REQUEST_INPUT_COUNT_MAX];
    Status status = pipeline_check_prompt(pipeline, request->inputs.prepare.prompt_name, &fault->error);
    if (!status) status = pipeline_check_embed(pipeline, &request->embed, &fault->error);
    for (uint32_t i = 0; i < request->inputs.count && !status; i++) {
        items[i] = &storage[i];
        arena->budget_bytes += MIB; /* results are the server's to spend */
        status = embed_item(request, &request->inputs.texts[i], arena, &storage[i], fault);
    }
    if (status) return status;
    CodecReply reply;
    arena->budget_bytes += MIB * request->inputs.count;
    const CodecHead head = {.model = request->inputs.model, .timing = {.total_ns = 1}};
    const CodecVectors vectors = {
        .size = request->embed.dimensions ? request->embed.dimensions : pipeline_vector_size(pipeline),
        .row_size = pipeline_row_size(pipeline),
    };
    bool built = codec_reply_embed(arena, &head, &vectors, items, request->inputs.count, &reply);
    assert(built);
    request_pack(reply);
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Arena arena;
    request_arena(&arena, size);
    CodecEmbedRequest request;
    CodecFault fault = {.field = ""};
    Status status = codec_request_embed(&arena, bytes, size, REQUEST_INPUT_COUNT_MAX, &request, &fault);
    if (!status) status = embed_request(&request, &arena, &fault);
    if (status) request_check_fault(status, &fault);
    arena_free(&arena);
    return 0;
}
