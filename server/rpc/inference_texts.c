/* A call's texts become sequences: one each, or one for each chunk of a text that is cut. */
#include "base/clock.h"
#include "pipeline/vote.h"
#include "rpc/inference_task.h"

enum { TASK_TOKEN_BYTES = 20, TASK_ENCODING_BYTES = 128 }; /* what an Encoding takes in an arena, at most */

/* The budget of a message is in proportion to its bytes, but a query's tokens are there for each text. */
static Status query_admit(TaskCall *call, Error *out_error)
{
    const CodecInputs *inputs = &call->request.inputs;
    if (inputs->shape != CODEC_SHAPE_PAIRS) return STATUS_OK;
    uint64_t token_count = inputs->texts[0].text.size;
    uint32_t limit = pipeline_token_count_max(call->base.pipeline);
    if (token_count > limit) token_count = limit;
    return inference_call_admit(&call->base,
                                inputs->count * (token_count * TASK_TOKEN_BYTES + TASK_ENCODING_BYTES), out_error);
}

/* The query of Rerank is the same text each time: it is looked at once. */
static Status text_read(TaskCall *call, uint32_t index, SourcesDraft *draft, CodecFault *out_fault)
{
    const CodecInputs *inputs = &call->request.inputs;
    bool shares = inputs->shape == CODEC_SHAPE_PAIRS && index > 0;
    return inference_sources_read(&call->base, call->base.pipeline, call->task, &call->sanitize, inputs, index,
                                  shares ? &call->texts[0].sources : NULL, draft, &call->texts[index].sources,
                                  out_fault);
}

static Status whole_prepare(TaskCall *call, uint32_t index, SourcesDraft *draft, CodecFault *out_fault)
{
    const CodecInputs *inputs = &call->request.inputs;
    TaskText *text = &call->texts[index];
    Status status = text_read(call, index, draft, out_fault);
    if (status) return status;
    const CodecText read = inference_sources_input(&text->sources);
    status = pipeline_prepare(call->base.pipeline, read.text, read.has_pair ? &read.pair : NULL, &inputs->prepare,
                              call->base.arena, &text->whole, &out_fault->error);
    if (status) return inference_input_fault(inputs, index, &read, out_fault);
    return inference_texts_finish(call, index, draft, out_fault);
}

static Status wholes_prepare(TaskCall *call, CodecFault *out_fault)
{
    SourcesDraft draft = {0};
    Status status = STATUS_OK;
    const atomic_bool *cancelled = rpc_message_cancelled(call->base.message);
    for (uint32_t i = 0; i < call->text_count && !status; i++) {
        if (atomic_load_explicit(cancelled, memory_order_relaxed)) {
            return error_set(&out_fault->error, STATUS_CANCELLED, "the client cancelled the request");
        }
        TaskText *text = &call->texts[i];
        status = whole_prepare(call, i, &draft, out_fault);
        text->first_job = call->job_count;
        text->job_count = pipeline_is_cut(&text->whole) ? text->whole.chunks.count : 1;
        text->sequence_count = text->job_count * (1 + inference_texts_votes(call));
        call->job_count += text->sequence_count;
    }
    call->sanitize_ns = draft.spent_ns;
    return status;
}

/* Chunks overlap and each repeats a query or a prompt, so they may pass the budget of a message; as may the copies that
 * vote, each of less than the chunks. */
static Status sequences_admit(TaskCall *call, Error *out_error)
{
    uint32_t vote_count = inference_texts_votes(call);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < call->text_count; i++) {
        const Prepared *whole = &call->texts[i].whole;
        uint64_t chunk_bytes = pipeline_is_cut(whole) ? pipeline_chunk_bytes(whole) : 0;
        bytes += chunk_bytes + vote_count * (chunk_bytes ? chunk_bytes : pipeline_vote_bytes(whole));
    }
    if (bytes == 0) return STATUS_OK;
    return inference_call_admit(&call->base, bytes + call->job_count * (uint64_t)sizeof *call->prepared,
                                out_error);
}

static Status chunks_prepare(TaskCall *call, uint32_t index, CodecFault *out_fault)
{
    const TaskText *text = &call->texts[index];
    Prepared *prepared = call->prepared + text->first_job;
    if (!pipeline_is_cut(&text->whole)) {
        *prepared = text->whole;
        return STATUS_OK;
    }
    const CodecInputs *inputs = &call->request.inputs;
    for (uint32_t i = 0; i < text->job_count; i++) {
        Status status = pipeline_chunk(call->base.pipeline, &inputs->prepare, &text->whole, i, call->base.arena,
                                       &prepared[i], &out_fault->error);
        if (status) {
            const CodecText read = inference_sources_input(&text->sources);
            return inference_input_fault(inputs, index, &read, out_fault);
        }
    }
    return STATUS_OK;
}

/* Copy after copy, each of all chunks. */
static Status votes_prepare(TaskCall *call, uint32_t index, CodecFault *out_fault)
{
    const TaskText *text = &call->texts[index];
    const Prepared *own = call->prepared + text->first_job;
    for (uint32_t i = text->job_count; i < text->sequence_count; i++) {
        Status status =
            pipeline_vote_copy(call->base.pipeline, &own[i % text->job_count], i / text->job_count - 1,
                               call->base.arena, &call->prepared[text->first_job + i], &out_fault->error);
        if (status) return codec_request_fault(&call->request.inputs, index, false, out_fault);
    }
    return STATUS_OK;
}

Status inference_texts_prepare(TaskCall *call, CodecFault *out_fault)
{
    uint32_t count = call->request.inputs.count;
    Arena *arena = call->base.arena;
    /* The arena's budget bounds what a client's bytes can cost. What we spend on the answer is bounded elsewhere:
     * here by the count of texts, then by sequences_admit and TaskSize. */
    arena->budget_bytes += count * (sizeof *call->texts + sizeof *call->prepared) + 64 * KIB;
    Status status = query_admit(call, &out_fault->error);
    if (status) return status;
    call->text_count = count;
    call->texts = arena_allocate_zeroed(arena, count, sizeof *call->texts);
    if (!call->texts) return inference_call_no_memory(out_fault);
    status = wholes_prepare(call, out_fault);
    if (!status) status = sequences_admit(call, &out_fault->error);
    if (status) return status;
    call->prepared = arena_allocate_zeroed(arena, call->job_count, sizeof *call->prepared);
    if (!call->prepared) return inference_call_no_memory(out_fault);
    for (uint32_t i = 0; i < count && !status; i++) {
        status = chunks_prepare(call, i, out_fault);
        if (!status) status = votes_prepare(call, i, out_fault);
    }
    return status;
}

/* ---- Findings ---- */

/* Bytes of one of the texts that no token is left of, as far as they are more than blanks. */
static ByteRange cut_range(const Prepared *whole, uint8_t segment, TextView text, bool left)
{
    const Encoding *encoding = &whole->encoding;
    uint32_t skipped = segment == 0 ? whole->prompt_bytes : 0;
    ByteRange kept = {(uint32_t)text.size, 0};
    for (uint32_t i = 0; i < encoding->count; i++) {
        ByteRange offsets = encoding->offsets[i];
        if (encoding->segments[i] != segment || offsets.end <= skipped) continue;
        uint32_t begin = offsets.begin > skipped ? offsets.begin - skipped : 0;
        if (begin < kept.begin) kept.begin = begin;
        if (offsets.end - skipped > kept.end) kept.end = offsets.end - skipped;
    }
    ByteRange cut = left ? (ByteRange){0, kept.begin} : (ByteRange){kept.end, (uint32_t)text.size};
    while (cut.begin < cut.end && strchr(" \t\r\n", text.bytes[cut.begin])) cut.begin++;
    return cut;
}

static void find_cut(const TaskCall *call, const TaskText *text, uint8_t segment, Sanitized *found)
{
    const Prepared *whole = &text->whole;
    const Source *source = segment ? &text->sources.pair : &text->sources.text;
    bool left = call->request.inputs.prepare.length_policy == LENGTH_TRUNCATE_LEFT;
    ByteRange cut = cut_range(whole, segment, source->text, left);
    if (cut.begin == cut.end) return;
    const Finding finding = {
        .rule = RULE_LEN_TRUNCATED,
        .range = sanitizer_original_range(source->map, cut),
        .count = whole->encoding.text_token_count - whole->encoding.count,
        .action = ACTION_TRUNCATED,
    };
    sanitizer_add_finding(found, &finding);
}

/* A text that does not fit is told of: what was cut, or all of it where it is read in chunks or windows. */
static void find_length(const TaskCall *call, const TaskText *text, SourcesDraft *draft)
{
    const Prepared *whole = &text->whole;
    bool of_pair = text->sources.has_pair && (whole->chunks.of_pair || call->task == TASK_ANSWER);
    if (text->job_count > 1 || pipeline_is_cut(whole)) {
        const Source *source = of_pair ? &text->sources.pair : &text->sources.text;
        const Finding finding = {
            .rule = RULE_LEN_TRUNCATED,
            .range = {0, (uint32_t)source->sent.size},
            .count = whole->encoding.text_token_count,
        };
        sanitizer_add_finding(of_pair ? &draft->pair : &draft->text, &finding);
    } else if (whole->encoding.truncated) {
        find_cut(call, text, 0, &draft->text);
        if (text->sources.has_pair) find_cut(call, text, 1, &draft->pair);
    }
}

Status inference_texts_finish(TaskCall *call, uint32_t index, SourcesDraft *draft, CodecFault *out_fault)
{
    TaskText *text = &call->texts[index];
    Sources *sources = &text->sources;
    if (call->sanitize.policy == SANITIZE_OFF) return STATUS_OK;
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    const Pipeline *pipeline = call->base.pipeline;
    pipeline_set_origin(&text->whole, &draft->text, sources->has_pair ? &draft->pair : NULL);
    if (!draft->text_kept) pipeline_check_tokens(pipeline, &text->whole, false, &call->sanitize, &draft->text);
    if (sources->has_pair) pipeline_check_tokens(pipeline, &text->whole, true, &call->sanitize, &draft->pair);
    find_length(call, text, draft);
    Status status = inference_sources_finish(&call->base, &call->sanitize, &call->request.inputs, index, draft,
                                             sources, out_fault);
    draft->spent_ns += clock_now_ns(&clock_monotonic) - started_ns;
    return status;
}

CodecReport inference_texts_report(const TaskCall *call, const TaskText *text)
{
    return inference_sources_report(&call->sanitize, &text->sources, call->request.inputs.sanitize.return_cleaned);
}

CodecUsage inference_texts_usage(const TaskCall *call, const TaskText *text)
{
    CodecUsage usage = {
        .text_token_count = text->whole.encoding.text_token_count,
        .chunk_count = text->job_count,
        .truncated = text->whole.encoding.truncated,
        .chunked = text->job_count > 1 || pipeline_is_cut(&text->whole),
    };
    for (uint32_t i = 0; i < text->job_count; i++) {
        usage.token_count += call->prepared[text->first_job + i].encoding.count;
    }
    return usage;
}
