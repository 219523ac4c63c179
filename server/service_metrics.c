/* /metrics: gathers the numbers of the parts, each of which keeps its own. */
#include "base/log.h"
#include "service_state.h"

typedef enum Metric {
#define METRIC(name, type, labels, text) METRIC_##name,
#include "metrics.def"
#undef METRIC
    METRIC_COUNT
} Metric;

typedef struct MetricRow {
    const char *name;
    MetricsType type;
    const char *text;
} MetricRow;

static const MetricRow rows[METRIC_COUNT] = {
#define METRIC(name, type, labels, text) {"headlight_" #name, METRICS_##type, text},
#include "metrics.def"
#undef METRIC
};

static void begin(MetricsPage *page, Metric metric)
{
    metrics_begin(page, rows[metric].name, rows[metric].type, rows[metric].text);
}

static void add(MetricsPage *page, Metric metric, const MetricsLabel *label, uint64_t value)
{
    metrics_add(page, rows[metric].name, label, label ? 1 : 0, value);
}

static void write_one(MetricsPage *page, Metric metric, uint64_t value)
{
    begin(page, metric);
    add(page, metric, NULL, value);
}

static void write_duration(MetricsPage *page, Metric metric, uint64_t duration_ns)
{
    begin(page, metric);
    metrics_add_duration(page, rows[metric].name, NULL, 0, duration_ns);
}

/* Names of https://grpc.io/docs/guides/status-codes. */
static const char *const codes[RPC_CODE_COUNT] = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

/* "/headlight.v1.Inference/Embed" is "headlight.v1.Inference/Embed", as logs of gRPC's own have it. */
static MetricsLabel method_label(const RpcMethodGauge *gauge)
{
    return (MetricsLabel){"method", gauge->path + 1};
}

static void write_requests(MetricsPage *page, const RpcServer *server)
{
    begin(page, METRIC_requests_total);
    for (size_t i = 0; i < rpc_server_method_count(server); i++) {
        const RpcMethodGauge gauge = rpc_server_method_gauge(server, i);
        for (size_t code = 0; code < RPC_CODE_COUNT; code++) {
            const MetricsLabel labels[] = {method_label(&gauge), {"code", codes[code]}};
            if (code != 0 && gauge.codes[code] == 0) continue;
            metrics_add(page, rows[METRIC_requests_total].name, labels, 2, gauge.codes[code]);
        }
    }
    begin(page, METRIC_request_duration_seconds);
    for (size_t i = 0; i < rpc_server_method_count(server); i++) {
        const RpcMethodGauge gauge = rpc_server_method_gauge(server, i);
        const MetricsLabel label = method_label(&gauge);
        metrics_add_histogram(page, rows[METRIC_request_duration_seconds].name, &label, 1, gauge.durations);
    }
}

static void write_calls(MetricsPage *page, RpcServer *server)
{
    const RpcServerGauge gauge = rpc_server_gauge(server);
    write_one(page, METRIC_calls, gauge.calls_live);
    write_one(page, METRIC_calls_total, gauge.calls_total);
    write_one(page, METRIC_calls_rejected_total, gauge.calls_rejected);
    write_one(page, METRIC_calls_cancelled_total, gauge.calls_cancelled);
    write_one(page, METRIC_held_bytes, gauge.held_bytes);
}

static void write_sanitizer(MetricsPage *page, const Inference *inference)
{
    const InferenceSanitized sanitized = inference_sanitized(inference);
    begin(page, METRIC_sanitized_texts_total);
    for (int policy = SANITIZE_REPORT; policy <= SANITIZE_REJECT; policy++) {
        const MetricsLabel label = {"policy", sanitizer_policy_names[policy]};
        add(page, METRIC_sanitized_texts_total, &label, sanitized.texts[policy]);
    }
    write_one(page, METRIC_sanitized_texts_changed_total, sanitized.texts_changed);
    write_one(page, METRIC_sanitized_requests_refused_total, sanitized.requests_refused);
    begin(page, METRIC_sanitizer_findings_total);
    for (int rule = 0; rule < RULE_COUNT; rule++) {
        const MetricsLabel label = {"code", rules_info((SanitizeRule)rule)->code};
        add(page, METRIC_sanitizer_findings_total, &label, sanitized.findings[rule]);
    }
}

static void write_scheduler(MetricsPage *page, Scheduler *scheduler)
{
    const SchedulerGauge gauge = scheduler_gauge(scheduler);
    write_one(page, METRIC_queue_jobs, gauge.queued_jobs);
    write_one(page, METRIC_queue_tokens, gauge.queued_tokens);
    write_one(page, METRIC_workers_busy, gauge.busy_workers);
    write_one(page, METRIC_jobs_total, gauge.run_jobs);
    write_one(page, METRIC_batches_total, gauge.run_batches);
    write_one(page, METRIC_jobs_dropped_total, gauge.dropped_jobs);
    write_one(page, METRIC_jobs_refused_total, gauge.refused_jobs);
    write_one(page, METRIC_explanations, gauge.background_jobs);
    write_one(page, METRIC_explanation_steps_total, gauge.steps);
    write_duration(page, METRIC_explanation_steps_seconds_total, gauge.steps_ns);
    write_duration(page, METRIC_explanation_steps_ahead_seconds_total, gauge.steps_ahead_ns);
}

static uint64_t model_is_ready(const Model *model)
{
    return model != NULL;
}

static uint64_t model_bytes(const Model *model)
{
    return model ? model_memory_bytes(model) : 0;
}

/* What `read` says of each model, NULL where it is not ready. */
static void write_models(MetricsPage *page, const Registry *registry, Metric metric,
                         uint64_t (*read)(const Model *model))
{
    begin(page, metric);
    for (size_t i = 0; i < registry_count(registry); i++) {
        const RegistryView view = registry_view(registry, i);
        const MetricsLabel label = {"model", view.name};
        add(page, metric, &label, read(view.model));
    }
}

static bool service_is_ready(void *context)
{
    const Service *service = context;
    return service->serving && !service->stopping;
}

static void service_write_metrics(void *context, MetricsPage *page)
{
    Service *service = context;
    const MetricsLabel version = {"version", HEADLIGHT_VERSION};
    begin(page, METRIC_build_info);
    add(page, METRIC_build_info, &version, 1);
    write_one(page, METRIC_ready, service_is_ready(service));
    write_requests(page, service->server);
    write_calls(page, service->server);
    write_one(page, METRIC_request_memory_bytes, inference_memory_bytes(service->inference));
    write_sanitizer(page, service->inference);
    write_one(page, METRIC_workers, service->worker_count);
    write_scheduler(page, service->scheduler);
    write_models(page, service->registry, METRIC_model_ready, model_is_ready);
    write_models(page, service->registry, METRIC_model_memory_bytes, model_bytes);
}

Status service_open_admin(Service *service, Error *out_error)
{
    if (!service->options->metrics_listen[0]) return STATUS_OK;
    const AdminOptions options = {
        .address = service->options->metrics_listen,
        .ready = service_is_ready,
        .write_metrics = service_write_metrics,
        .context = service,
    };
    Status status = admin_open(&options, &service->loop, &service->admin, out_error);
    if (status) return error_prefix(out_error, "--metrics-listen");
    log_event(LOG_INFO, "metrics", "%s, port %d: /metrics, /livez and /readyz", options.address,
              admin_port(service->admin));
    return STATUS_OK;
}
