#include "rpc/inference_sources.h"

#include "base/clock.h"
#include "unicode/utf8.h"

#include <stdio.h>

/* What the sanitizer needs on its way. Few texts need more than the first, which a thread has without asking; who does
 * is counted for as long as it takes. */
#define SOURCES_ARENA_BYTES (4 * MIB)
#define SOURCES_ARENA_BYTES_MAX(size) (MIB + 64 * (uint64_t)(size))

/* ---- Reading ---- */

static Status source_sanitize(InferenceCall *call, const Pipeline *pipeline, Task task,
                              const SanitizeOptions *options, TextView sent, Arena *arena, AdmissionHold *hold,
                              Sanitized *out_sanitized, Error *out_error)
{
    arena_init(arena, SOURCES_ARENA_BYTES);
    Status status = pipeline_sanitize(pipeline, task, sent, options, arena, out_sanitized, out_error);
    if (status != STATUS_NO_MEMORY && status != STATUS_RESOURCE_EXHAUSTED) return status;
    arena_free(arena);
    uint64_t bytes = SOURCES_ARENA_BYTES_MAX(sent.size);
    status = admission_hold(&call->inference->admission, hold, bytes, out_error);
    if (status) return status;
    arena_init(arena, bytes);
    return pipeline_sanitize(pipeline, task, sent, options, arena, out_sanitized, out_error);
}

/* A reply must be UTF-8, and its ranges those of the text as it came: each malformed byte is one '?'. */
static const char *source_quotable(Arena *arena, TextView sent)
{
    char *bytes = arena_copy_text(arena, sent);
    for (size_t at = 0; bytes && at < sent.size;) {
        size_t size = text_utf8_size(bytes + at, sent.size - at);
        if (size == 0) bytes[at] = '?';
        at += size ? size : 1;
    }
    return bytes;
}

/* From the sanitizer's arena to the call's. */
static bool source_copy(Arena *arena, TextView sent, bool malformed, Sanitized *sanitized, Source *out_source)
{
    *out_source = (Source){.sent = sent, .text = sent, .changed = sanitized->changed};
    if (malformed) out_source->sent.bytes = source_quotable(arena, sent);
    if (malformed && !out_source->sent.bytes) return false;
    if (!sanitized->changed) return true;
    const char *bytes = arena_copy_text(arena, sanitized->text);
    out_source->text = (TextView){bytes, sanitized->text.size};
    out_source->map = offset_map_store(sanitized->map, arena);
    return bytes && out_source->map;
}

static Status source_take_over(InferenceCall *call, TextView sent, Sanitized *sanitized, Source *out_source,
                               Error *out_error)
{
    size_t position;
    bool malformed = sanitized->totals[RULE_ENC_INVALID_UTF8] && !utf8_valid(sent, &position);
    if (malformed || sanitized->changed) {
        uint64_t bytes = (malformed ? sent.size : 0) + sanitized->text.size + 8 * KIB;
        if (sanitized->map) bytes += offset_map_bytes(sanitized->map);
        Status status = inference_call_admit(call, bytes, out_error);
        if (status) return status;
    }
    if (!source_copy(call->arena, sent, malformed, sanitized, out_source))
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory is used up");
    sanitized->text = sanitized->cleaned = out_source->text;
    sanitized->map = sanitized->cleaned_map = out_source->map;
    return STATUS_OK;
}

static Status source_read(InferenceCall *call, const Pipeline *pipeline, Task task, const SanitizeOptions *options,
                          TextView sent, Sanitized *sanitized, Source *out_source, Error *out_error)
{
    AdmissionHold hold = 0;
    Arena arena;
    Status status = source_sanitize(call, pipeline, task, options, sent, &arena, &hold, sanitized, out_error);
    if (!status) status = source_take_over(call, sent, sanitized, out_source, out_error);
    arena_free(&arena);
    admission_release(&call->inference->admission, &hold);
    return status;
}

/* ---- Findings ---- */

static uint32_t totals_count(const Sanitized *sanitized)
{
    uint32_t count = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++) count += sanitized->totals[rule] > 0;
    return count;
}

static Status source_keep(InferenceCall *call, const Sanitized *sanitized, Source *source, Error *out_error)
{
    uint32_t total_count = totals_count(sanitized);
    source->findings = (CodecFindings){0};
    if (total_count == 0) return STATUS_OK;
    uint64_t bytes = sanitized->finding_count * sizeof(Finding) + total_count * sizeof(CodecTotal);
    Status status = inference_call_admit(call, bytes, out_error);
    if (status) return status;
    Finding *items = arena_allocate(call->arena, sanitized->finding_count * sizeof *items);
    CodecTotal *totals = arena_allocate(call->arena, total_count * sizeof *totals);
    if (!items || !totals)
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "the request's memory is used up");
    memcpy(items, sanitized->findings, sanitized->finding_count * sizeof *items);
    source->findings = (CodecFindings){items, totals, sanitized->finding_count, total_count};
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        if (sanitized->totals[rule]) *totals++ = (CodecTotal){(SanitizeRule)rule, sanitized->totals[rule]};
    }
    return STATUS_OK;
}

static void source_count(InferenceCall *call, const SanitizeOptions *options, const Source *source)
{
    InferenceCounters *counters = &call->inference->counters;
    atomic_fetch_add_explicit(&counters->texts[options->policy], 1, memory_order_relaxed);
    if (source->changed) atomic_fetch_add_explicit(&counters->texts_changed, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < source->findings.total_count; i++) {
        const CodecTotal *total = &source->findings.totals[i];
        atomic_fetch_add_explicit(&counters->findings[total->rule], total->count, memory_order_relaxed);
    }
}

static Status sources_keep(InferenceCall *call, const SanitizeOptions *options, SourcesDraft *draft,
                           Sources *sources, Error *out_error)
{
    if (!draft->text_kept) {
        if (source_keep(call, &draft->text, &sources->text, out_error)) return out_error->status;
        source_count(call, options, &sources->text);
    }
    if (sources->has_pair) {
        if (source_keep(call, &draft->pair, &sources->pair, out_error)) return out_error->status;
        source_count(call, options, &sources->pair);
    }
    return STATUS_OK;
}

/* ---- Refusals ---- */

/* Adds what was found to a fault that has its message. */
static Status sources_refuse(InferenceCall *call, const SanitizeOptions *options, const CodecInputs *inputs,
                             uint32_t index, bool of_pair, const Sources *sources, CodecFault *fault)
{
    CodecReport *report = NULL;
    if (sources->text.findings.count || sources->pair.findings.count)
        report = arena_allocate(call->arena, sizeof *report);
    if (report) *report = inference_sources_report(options, sources, false);
    fault->report = report;
    atomic_fetch_add_explicit(&call->inference->counters.requests_refused, 1, memory_order_relaxed);
    return codec_request_fault(inputs, index, of_pair, fault);
}

/* The gravest finding that the level refuses; what it is about is in the report, its text is not told. */
static void refusal_write(const Sanitized *sanitized, const SanitizeOptions *options, Error *out_error)
{
    const Finding *gravest = NULL;
    uint32_t count = 0;
    for (int rule = 0; rule < RULE_COUNT; rule++) count += sanitized->totals[rule];
    for (uint32_t i = 0; i < sanitized->finding_count && !gravest; i++) {
        Sanitized one = {.finding_count = 1};
        one.totals[sanitized->findings[i].rule] = 1;
        if (sanitizer_refuses(&one, options)) gravest = &sanitized->findings[i];
    }
    if (!gravest) gravest = &sanitized->findings[0];
    error_set(out_error, STATUS_INVALID_ARGUMENT, "refused at the level %s: %s, %s, at bytes %u to %u; %u in all",
              sanitizer_level_names[options->level], rules_info(gravest->rule)->code,
              rules_info(gravest->rule)->title, gravest->range.begin, gravest->range.end, count);
}

/* ---- Both texts ---- */

static void draft_clear(SourcesDraft *draft)
{
    draft->text.finding_count = draft->pair.finding_count = 0;
    memset(draft->text.totals, 0, sizeof draft->text.totals);
    memset(draft->pair.totals, 0, sizeof draft->pair.totals);
}

Status inference_sources_read(InferenceCall *call, const Pipeline *pipeline, Task task,
                              const SanitizeOptions *options, const CodecInputs *inputs, uint32_t index,
                              const Sources *shared, SourcesDraft *draft, Sources *out_sources,
                              CodecFault *out_fault)
{
    const CodecText *input = &inputs->texts[index];
    *out_sources = (Sources){
        .text = {.sent = input->text, .text = input->text},
        .pair = {.sent = input->pair, .text = input->pair},
        .has_pair = input->has_pair,
    };
    if (options->policy == SANITIZE_OFF) return STATUS_OK;
    uint64_t started_ns = clock_now_ns(&clock_monotonic);
    bool of_pair = false;
    Status status = STATUS_OK;
    draft_clear(draft);
    draft->text_kept = shared != NULL;
    if (shared) {
        out_sources->text = shared->text;
        draft->text.text = shared->text.text;
        draft->text.map = shared->text.map;
    } else {
        status = source_read(call, pipeline, task, options, input->text, &draft->text, &out_sources->text,
                             &out_fault->error);
    }
    if (!status && input->has_pair) {
        of_pair = true;
        status = source_read(call, pipeline, task, options, input->pair, &draft->pair, &out_sources->pair,
                             &out_fault->error);
    }
    draft->spent_ns += clock_now_ns(&clock_monotonic) - started_ns;
    if (status == STATUS_OK) return STATUS_OK;
    Error kept;
    if (status != STATUS_INVALID_ARGUMENT || sources_keep(call, options, draft, out_sources, &kept))
        return codec_request_fault(inputs, index, of_pair, out_fault);
    return sources_refuse(call, options, inputs, index, of_pair, out_sources, out_fault);
}

Status inference_sources_finish(InferenceCall *call, const SanitizeOptions *options, const CodecInputs *inputs,
                                uint32_t index, SourcesDraft *draft, Sources *sources, CodecFault *out_fault)
{
    if (options->policy == SANITIZE_OFF) return STATUS_OK;
    Status status = sources_keep(call, options, draft, sources, &out_fault->error);
    if (status || options->policy != SANITIZE_REJECT) return status;
    bool text_refused = sanitizer_refuses(&draft->text, options);
    if (!text_refused && !sanitizer_refuses(&draft->pair, options)) return STATUS_OK;
    refusal_write(text_refused ? &draft->text : &draft->pair, options, &out_fault->error);
    return sources_refuse(call, options, inputs, index, !text_refused, sources, out_fault);
}

Status inference_sources_add(InferenceCall *call, Source *source, const Finding *finding, Error *out_error)
{
    const CodecFindings *known = &source->findings;
    Sanitized all = {.finding_count = known->count};
    if (known->count) memcpy(all.findings, known->items, known->count * sizeof *known->items);
    for (uint32_t i = 0; i < known->total_count; i++) all.totals[known->totals[i].rule] = known->totals[i].count;
    sanitizer_add_finding(&all, finding);
    InferenceCounters *counters = &call->inference->counters;
    atomic_fetch_add_explicit(&counters->findings[finding->rule], 1, memory_order_relaxed);
    return source_keep(call, &all, source, out_error);
}

CodecReport inference_sources_report(const SanitizeOptions *options, const Sources *sources, bool return_cleaned)
{
    return (CodecReport){
        .policy = options->policy,
        .level = options->level,
        .changed = sources->text.changed || sources->pair.changed,
        .has_cleaned = return_cleaned && options->policy == SANITIZE_CLEAN,
        .has_pair = sources->has_pair,
        .text = sources->text.findings,
        .pair = sources->pair.findings,
        .cleaned_text = sources->text.text,
        .cleaned_pair = sources->pair.text,
    };
}
