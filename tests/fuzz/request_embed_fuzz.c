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

static float *floats(Arena *arena, size_t count)
{
    arena->budget_bytes += count * sizeof(float) + 64 * KIB; /* results are the server's to spend */
    float *values = arena_allocate(arena, count * sizeof *values);
    assert(values);
    return values;
}

static float *embed_run(const CodecEmbedRequest *request, const Prepared *prepared, Arena *arena)
{
    const Pipeline *pipeline = request_pipeline();
    size_t size = pipeline_vector_size(pipeline);
    PipelineItem item = {.prepared = prepared, .embed = &request->embed};
    item.output = floats(arena, size);
    item.tokens = floats(arena, (size_t)prepared->encoding.count * pipeline_row_size(pipeline));
    if (prepared->chunks.late) item.chunks = floats(arena, prepared->chunks.count * size);
    PipelineItem *list[] = {&item};
    pipeline_run(pipeline, embed_workspace(), NULL, list, 1);
    assert(item.status == STATUS_OK);
    return item.output;
}

/* The text's vector, and of one that is cut its chunks' as well. */
static Status embed_text(const CodecEmbedRequest *request, const CodecText *input, const Prepared *whole,
                         Arena *arena, CodecEmbedding *out_embedding, CodecFault *fault)
{
    const Pipeline *pipeline = request_pipeline();
    *out_embedding = (CodecEmbedding){.text = whole->chunks.of_pair ? input->pair : input->text};
    if (!pipeline_is_cut(whole)) {
        assert(whole->encoding.count <= pipeline_token_count_max(pipeline));
        out_embedding->values = embed_run(request, whole, arena);
        return STATUS_OK;
    }
    uint32_t count = whole->chunks.count;
    const Prepared *prepared = request_chunks(&request->inputs, whole, arena, &fault->error);
    if (!prepared) return fault->error.status;
    arena->budget_bytes += count * (sizeof(CodecChunk) + sizeof(float *)) + 64 * KIB;
    CodecChunk *chunks = arena_allocate_zeroed(arena, count, sizeof *chunks);
    const float **vectors = arena_allocate(arena, count * sizeof *vectors);
    assert(chunks && vectors);
    for (uint32_t i = 0; i < count; i++) {
        chunks[i] = (CodecChunk){.range = pipeline_chunk_range(whole, i)};
        chunks[i].values = embed_run(request, &prepared[i], arena);
        vectors[i] = chunks[i].values;
    }
    out_embedding->values = floats(arena, pipeline_vector_size(pipeline));
    pipeline_merge_vectors(pipeline, &request->embed, request->inputs.prepare.chunking.aggregate, whole, vectors,
                           floats(arena, count), out_embedding->values);
    out_embedding->chunks = chunks;
    out_embedding->chunk_count = count;
    return STATUS_OK;
}

static Status embed_request(const CodecEmbedRequest *request, Arena *arena, CodecFault *fault)
{
    const Pipeline *pipeline = request_pipeline();
    const CodecInputs *inputs = &request->inputs;
    CodecEmbedding embeddings[REQUEST_INPUT_COUNT_MAX];
    Prepared prepared[REQUEST_INPUT_COUNT_MAX];
    uint64_t chunk_count = 0;
    Status status = pipeline_check_prompt(pipeline, inputs->prepare.prompt_name, &fault->error);
    if (!status) status = pipeline_check_embed(pipeline, &request->embed, &fault->error);
    if (!status) status = pipeline_check_chunk_vectors(pipeline, &inputs->prepare, &fault->error);
    if (!status) status = request_prepare(inputs, arena, prepared, fault);
    for (uint32_t i = 0; i < inputs->count && !status; i++) {
        status = embed_text(request, &inputs->texts[i], &prepared[i], arena, &embeddings[i], fault);
        chunk_count += prepared[i].chunks.count;
    }
    if (status) return status;
    CodecReply reply;
    const CodecHead head = {.model = inputs->model, .timing = {.total_ns = 1}};
    const CodecVectors vectors = {
        .size = request->embed.dimensions ? request->embed.dimensions : pipeline_vector_size(pipeline),
        .row_size = pipeline_row_size(pipeline),
    };
    arena->budget_bytes += codec_reply_embed_bytes(&vectors, inputs->count, 0, chunk_count) + 64 * KIB;
    bool built = codec_reply_embed(arena, &head, &vectors, embeddings, inputs->count, &reply);
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
