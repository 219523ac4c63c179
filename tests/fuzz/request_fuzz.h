/* What the fuzz targets of requests share: a small pipeline, opened once, and an arena with a message's budget. */
#pragma once

#include "fuzz.h"

#include "base/limits.h"
#include "rpc/codec_reply.h"
#include "rpc/codec_request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUEST_INPUT_COUNT_MAX = 64, REQUEST_BATCH_TOKENS = 64 };

static inline const Pipeline *request_pipeline(void)
{
    static Pipeline *pipeline;
    if (pipeline) return pipeline;
    const PipelineOptions options = {
        .directory = TESTS_DATA "/golden/pipeline/queries",
        .kernels = kernels_select(KERNELS_ALL),
    };
    Error error;
    if (pipeline_open(&options, &pipeline, &error)) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    return pipeline;
}

static inline void request_arena(Arena *arena, size_t wire_size)
{
    arena_init(arena, REQUEST_ARENA_BASE_BYTES + REQUEST_ARENA_FACTOR * wire_size +
                          codec_report_bytes(REQUEST_INPUT_COUNT_MAX, 0));
}

/* A refusal has a status that a client may get, and says why. */
static inline void request_check_fault(Status status, const CodecFault *fault)
{
    assert(status == fault->error.status && fault->error.message[0]);
    assert(status == STATUS_INVALID_ARGUMENT || status == STATUS_UNIMPLEMENTED ||
           status == STATUS_RESOURCE_EXHAUSTED || status == STATUS_UNSUPPORTED);
}

/* Prepares the chunks of a text that is cut; they lie in the arena behind each other. NULL: *out_error says why. */
static inline Prepared *request_chunks(const CodecInputs *inputs, const Prepared *whole, Arena *arena,
                                       Error *out_error)
{
    uint32_t count = whole->chunks.count;
    assert(count >= 1 && count <= CHUNK_COUNT_MAX);
    arena->budget_bytes += pipeline_chunk_bytes(whole) + count * sizeof(Prepared) + 64 * KIB;
    Prepared *chunks = arena_allocate_zeroed(arena, count, sizeof *chunks);
    assert(chunks);
    for (uint32_t i = 0; i < count; i++) {
        ByteRange range = pipeline_chunk_range(whole, i);
        assert(range.begin <= range.end);
        Status status =
            pipeline_chunk(request_pipeline(), &inputs->prepare, whole, i, arena, &chunks[i], out_error);
        assert(status == STATUS_OK || status == STATUS_INVALID_ARGUMENT); /* the memory is as it was said */
        if (status) return NULL;
        assert(chunks[i].encoding.count <= pipeline_token_count_max(request_pipeline()));
    }
    return chunks;
}

/* Prepares each text, or pair, of a request. */
static inline Status request_prepare(const CodecInputs *inputs, Arena *arena, Prepared *out_prepared,
                                     CodecFault *out_fault)
{
    assert(inputs->count >= 1 && inputs->count <= REQUEST_INPUT_COUNT_MAX);
    const Pipeline *pipeline = request_pipeline();
    Status status = pipeline_check_chunk_size(pipeline, &inputs->prepare.chunking, &out_fault->error);
    if (status) return status;
    for (uint32_t i = 0; i < inputs->count; i++) {
        const CodecText *input = &inputs->texts[i];
        out_prepared[i] = (Prepared){0};
        status = pipeline_prepare(pipeline, input->text, input->has_pair ? &input->pair : NULL, &inputs->prepare,
                                  arena, &out_prepared[i], &out_fault->error);
        if (!status && pipeline_is_cut(&out_prepared[i]) &&
            !request_chunks(inputs, &out_prepared[i], arena, &out_fault->error)) {
            status = out_fault->error.status;
        }
        if (status) return codec_request_fault(inputs, i, input->has_pair, out_fault);
    }
    return STATUS_OK;
}

/* Packs as a reply is packed; the sanitizer sees what the size does not cover. */
static inline void request_pack(CodecReply reply)
{
    size_t size = codec_reply_size(reply);
    uint8_t *bytes = malloc(size + 1);
    assert(bytes);
    codec_reply_pack(reply.message, bytes);
    free(bytes);
}
