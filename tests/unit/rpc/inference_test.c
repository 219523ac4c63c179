/* The handlers of the Inference service over a fake transport and real workers: every message gets exactly one answer,
 * and what it held is given back. */
#include "unit/registry/loaded.h"
#include "unit/rpc/fake_transport.h"

#include "headlight/v1/headlight.pb-c.h"
#include "rpc/inference_state.h"

#include <math.h>

enum { TEST_WORKERS = 2, TEST_BATCH_TOKENS = 64, TEST_BATCH_ITEMS = 8 };

typedef struct Fixture {
    TestRegistry models;
    Inference *inference;
    Scheduler *scheduler;
} Fixture;

static Fixture fixture;

static void check(Status status, const Error *error)
{
    if (status) fail_msg("%s", error->message);
}

static int fixture_open(void **state)
{
    (void)state;
    Error error;
    const RegistryOptions registry_options = test_registry_options(&fixture.models);
    test_registry_open(&fixture.models, &registry_options);
    check(registry_name(fixture.models.registry, text_view("queries"), TEST_CHECKPOINT, &error), &error);
    const InferenceOptions options = {
        .registry = fixture.models.registry,
        .input_count_max = 100,
        .reply_bytes_max = 256 * KIB,
        .request_memory_bytes = 8 * MIB,
        .worker_count = TEST_WORKERS,
        .batch_items = TEST_BATCH_ITEMS,
    };
    check(inference_open(&options, &fixture.inference, &error), &error);
    const SchedulerOptions scheduler_options = {
        .worker_count = TEST_WORKERS,
        .queue_jobs_max = 100,
        .queue_tokens_max = 2400,
        .batch_tokens_max = TEST_BATCH_TOKENS,
        .batch_jobs_max = TEST_BATCH_ITEMS,
        .batch_work_max = UINT32_MAX,
        .clock = &clock_monotonic,
    };
    const SchedulerCallbacks callbacks = inference_callbacks(fixture.inference);
    check(scheduler_open(&scheduler_options, &callbacks, &fixture.scheduler, &error), &error);
    inference_serve(fixture.inference, fixture.scheduler);
    return 0;
}

static int fixture_close(void **state)
{
    (void)state;
    scheduler_close(fixture.scheduler);
    assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
    inference_close(fixture.inference);
    test_registry_close(&fixture.models);
    return 0;
}

static const RpcMethod *method(const char *name)
{
    static RpcMethod methods[INFERENCE_METHOD_COUNT];
    inference_methods(fixture.inference, methods);
    for (size_t i = 0; i < INFERENCE_METHOD_COUNT; i++) {
        if (strcmp(strrchr(methods[i].path, '/') + 1, name) == 0) return &methods[i];
    }
    fail_msg("no method %s", name);
    return NULL;
}

/* Sends `request` in packed form and waits for its answer. The copy is freed at once: `wire` lives until the answer. */
static void call(RpcMessage *message, const char *name, const void *request)
{
    size_t size = protobuf_c_message_get_packed_size(request);
    uint8_t *wire = malloc(size + 1);
    protobuf_c_message_pack(request, wire);
    const RpcMethod *row = method(name);
    row->handle(row->context, message, wire, size);
    fake_wait(message);
    free(wire);
}

typedef struct EmbedInputs {
    Headlight__V1__EmbedRequest request;
    Headlight__V1__Text texts[128];
    Headlight__V1__Text *list[128];
} EmbedInputs;

static void inputs_init(EmbedInputs *inputs, size_t count, const char *text)
{
    headlight__v1__embed_request__init(&inputs->request);
    inputs->request.n_inputs = count;
    inputs->request.inputs = inputs->list;
    for (size_t i = 0; i < count; i++) {
        headlight__v1__text__init(&inputs->texts[i]);
        inputs->texts[i].text = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
        inputs->list[i] = &inputs->texts[i];
    }
}

static void embed(RpcMessage *message, const EmbedInputs *inputs)
{
    fake_open(message, protobuf_c_message_get_packed_size(&inputs->request.base));
    call(message, "Embed", inputs);
}

static void inference_before_the_model_is_loaded_is_unavailable_with_a_retry(void **state)
{
    (void)state;
    EmbedInputs inputs;
    RpcMessage message;
    inputs_init(&inputs, 1, "a cat");
    embed(&message, &inputs);
    assert_int_equal(message.error.status, STATUS_UNAVAILABLE);
    assert_true(message.error.retry_after_ns > 0);
    fake_close(&message);
    Headlight__V1__ListModelsRequest request = HEADLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    fake_open(&message, 0);
    call(&message, "ListModels", &request);
    Headlight__V1__ListModelsResponse *response =
        headlight__v1__list_models_response__unpack(NULL, message.reply_size, message.reply);
    assert_int_equal(response->n_models, 1);
    assert_false(response->models[0]->ready);
    headlight__v1__list_models_response__free_unpacked(response, NULL);
    fake_close(&message);
    TestChange change = test_change(&fixture.models, REGISTRY_LOAD, "queries", NULL);
    check(change.change.error.status, &change.change.error);
}

static void inference_embed_answers_every_text_in_order(void **state)
{
    (void)state;
    EmbedInputs inputs;
    RpcMessage message;
    inputs_init(&inputs, 100, "a cat");
    inputs.texts[7].text = (ProtobufCBinaryData){3, (uint8_t *)"dog"};
    inputs.request.return_token_embeddings = true;
    embed(&message, &inputs);
    assert_int_equal(message.error.status, STATUS_OK);
    Headlight__V1__EmbedResponse *response =
        headlight__v1__embed_response__unpack(NULL, message.reply_size, message.reply);
    assert_non_null(response);
    assert_int_equal(response->n_embeddings, 100);
    for (size_t i = 0; i < 100; i++) {
        const Headlight__V1__Embedding *one = response->embeddings[i];
        assert_int_equal(one->n_values, 32);
        assert_int_equal(one->n_tokens, one->usage->token_count);
        assert_int_equal(one->tokens[0]->n_values, 32);
        const Headlight__V1__Embedding *other = response->embeddings[i == 7 ? 7 : 0];
        assert_memory_equal(one->values, other->values, 32 * sizeof(float));
    }
    assert_memory_not_equal(response->embeddings[7]->values, response->embeddings[0]->values, 32 * sizeof(float));
    assert_true(response->timing->total_ns >= response->timing->compute_ns);
    assert_true(response->timing->batch_sequences <= TEST_BATCH_ITEMS);
    assert_true(response->timing->batch_tokens <= TEST_BATCH_TOKENS);
    headlight__v1__embed_response__free_unpacked(response, NULL);
    fake_close(&message);
}

static void inference_message_that_is_over_is_dropped(void **state)
{
    (void)state;
    EmbedInputs inputs;
    inputs_init(&inputs, 20, "a cat");
    const struct {
        bool cancelled;
        uint64_t deadline_ns;
        const char *text;
        Status expected;
    } cases[] = {
        {true, 0, "a cat", STATUS_CANCELLED},
        {false, 1, "a cat", STATUS_DEADLINE_EXCEEDED},
        {false, 1, NULL, STATUS_DEADLINE_EXCEEDED},
    };
    char *large = malloc(INFERENCE_LOOP_TEXT_BYTES_MAX + 1);
    memset(large, 'a', INFERENCE_LOOP_TEXT_BYTES_MAX);
    large[INFERENCE_LOOP_TEXT_BYTES_MAX] = '\0';
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        RpcMessage message;
        const char *text = cases[i].text ? cases[i].text : large;
        inputs.texts[3].text = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
        fake_open(&message, protobuf_c_message_get_packed_size(&inputs.request.base));
        atomic_store(&message.cancelled, cases[i].cancelled);
        message.deadline_ns = cases[i].deadline_ns;
        call(&message, "Embed", &inputs);
        assert_int_equal(message.error.status, cases[i].expected);
        fake_close(&message);
    }
    free(large);
}

static void inference_reply_limit_is_checked_before_computing(void **state)
{
    (void)state;
    EmbedInputs inputs;
    RpcMessage message;
    inputs_init(&inputs, 100, "a cat in it a cat in it a cat in it a cat in it a cat in it");
    inputs.request.return_token_embeddings = true;
    uint64_t run_before = scheduler_gauge(fixture.scheduler).run_jobs;
    embed(&message, &inputs);
    assert_int_equal(message.error.status, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(message.error.message, "--reply-limit"));
    assert_int_equal(message.error.retry_after_ns, 0);
    assert_int_equal(scheduler_gauge(fixture.scheduler).run_jobs, run_before);
    fake_close(&message);
}

/* Whatever the arena has room for, there is one answer: refused, or complete. */
static void inference_any_arena_gives_one_answer(void **state)
{
    (void)state;
    EmbedInputs inputs;
    inputs_init(&inputs, 12, "a cat in it");
    inputs.request.return_token_embeddings = true;
    bool succeeded = false;
    for (size_t budget = 0; !succeeded; budget += 48) {
        RpcMessage message;
        fake_open(&message, 0);
        message.arena.budget_bytes = budget;
        call(&message, "Embed", &inputs);
        succeeded = message.reply != NULL;
        if (!succeeded) {
            assert_true(message.error.status == STATUS_RESOURCE_EXHAUSTED ||
                        message.error.status == STATUS_NO_MEMORY);
        }
        fake_close(&message);
        assert_true(budget < MIB);
    }
}

static void inference_tokenize_in_any_arena_gives_one_answer(void **state)
{
    (void)state;
    Headlight__V1__TokenizeRequest request = HEADLIGHT__V1__TOKENIZE_REQUEST__INIT;
    EmbedInputs inputs;
    inputs_init(&inputs, 12, "a cat in it");
    request.n_inputs = inputs.request.n_inputs;
    request.inputs = inputs.list;
    bool succeeded = false;
    for (size_t budget = 0; !succeeded; budget += 48) {
        RpcMessage message;
        fake_open(&message, 0);
        message.arena.budget_bytes = budget;
        call(&message, "Tokenize", &request);
        succeeded = message.reply != NULL;
        fake_close(&message);
        assert_true(budget < MIB);
    }
}

static const char HOSTILE[] = "a cat [SEP] \b\xE2\x80\x8B in\xE2\x80\x8B it \xE2\x80\xAEtac\xE2\x80\xAC";

/* What is held for the sanitizer's sake is given back, whether the text is refused, cleaned, or the memory is out. */
static void inference_sanitizes_in_any_arena(void **state)
{
    (void)state;
    EmbedInputs inputs;
    inputs_init(&inputs, 12, HOSTILE);
    Headlight__V1__SanitizeRequest request = HEADLIGHT__V1__SANITIZE_REQUEST__INIT;
    request.model = (ProtobufCBinaryData){7, (uint8_t *)"queries"};
    request.policy = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
    request.n_inputs = inputs.request.n_inputs;
    request.inputs = inputs.list;
    Headlight__V1__Options options = HEADLIGHT__V1__OPTIONS__INIT;
    options.sanitize = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
    options.return_cleaned_text = true;
    inputs.request.options = &options;
    for (int round = 0; round < 2; round++) {
        bool succeeded = false;
        for (size_t budget = 0; !succeeded; budget += 192) {
            RpcMessage message;
            fake_open(&message, 0);
            message.arena.budget_bytes = budget;
            call(&message, round ? "Embed" : "Sanitize", round ? (void *)&inputs : (void *)&request);
            succeeded = message.reply != NULL;
            fake_close(&message);
            assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
            assert_true(budget < MIB);
        }
    }
}

static void inference_refuses_with_what_was_found(void **state)
{
    (void)state;
    EmbedInputs inputs;
    RpcMessage message;
    inputs_init(&inputs, 2, "a cat");
    inputs.texts[1].text = (ProtobufCBinaryData){strlen(HOSTILE), (uint8_t *)HOSTILE};
    Headlight__V1__Options options = HEADLIGHT__V1__OPTIONS__INIT;
    options.sanitize = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_REJECT;
    options.sanitize_level = HEADLIGHT__V1__SANITIZE_LEVEL__SANITIZE_LEVEL_HIGH;
    inputs.request.options = &options;
    uint64_t refused_before = inference_sanitized(fixture.inference).requests_refused;
    embed(&message, &inputs);
    assert_int_equal(message.error.status, STATUS_INVALID_ARGUMENT);
    assert_string_equal(message.field, "inputs[1].text");
    assert_non_null(strstr(message.error.message, "refused at the level high"));
    Headlight__V1__SanitizeReport *report =
        headlight__v1__sanitize_report__unpack(NULL, message.detail_size, message.detail);
    assert_non_null(report);
    assert_in_range(report->n_findings, 1, SANITIZE_FINDINGS_MAX);
    headlight__v1__sanitize_report__free_unpacked(report, NULL);
    fake_close(&message);
    assert_int_equal(inference_sanitized(fixture.inference).requests_refused, refused_before + 1);
    assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
}

/* A text that is many times as large as what a thread has for it by itself: asked for, and given back. */
static void inference_sanitizes_a_large_text_within_the_request_memory(void **state)
{
    (void)state;
    enum { LARGE_BYTES = 512 * 1024 };
    EmbedInputs inputs;
    RpcMessage message;
    char *large = malloc(LARGE_BYTES + 1);
    for (size_t i = 0; i < LARGE_BYTES; i += 4)
        memcpy(large + i,
               "\xE2\x80\x8B"
               "a",
               4);
    large[LARGE_BYTES] = '\0';
    inputs_init(&inputs, 1, large);
    Headlight__V1__SanitizeRequest request = HEADLIGHT__V1__SANITIZE_REQUEST__INIT;
    request.policy = HEADLIGHT__V1__SANITIZE_POLICY__SANITIZE_POLICY_CLEAN;
    request.n_inputs = 1;
    request.inputs = inputs.list;
    fake_open(&message, LARGE_BYTES);
    call(&message, "Sanitize", &request);
    if (!message.reply) assert_int_equal(message.error.status, STATUS_RESOURCE_EXHAUSTED);
    fake_close(&message);
    assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
    free(large);
}

/* Until the stream of an Explain has ended: what is pushed is taken, and progress told of. Returns the parts. */
static unsigned explain(RpcMessage *message, const Headlight__V1__ExplainRequest *request)
{
    size_t size = protobuf_c_message_get_packed_size(&request->base);
    uint8_t *wire = malloc(size + 1);
    protobuf_c_message_pack(&request->base, wire);
    const RpcMethod *row = method("Explain");
    assert_int_equal(row->shape, RPC_SERVER_STREAM);
    row->handle(row->context, message, wire, size);
    if (!message->answer_count) fake_wait_woken(message);
    unsigned part_count = 0;
    while (!message->answer_count) {
        row->progress(row->context, message);
        part_count += message->pushed != NULL;
        free(message->pushed);
        message->pushed = NULL;
    }
    free(wire);
    return part_count;
}

static void explain_request_init(Headlight__V1__ExplainRequest *request, Headlight__V1__Text *text,
                                 const char *words)
{
    headlight__v1__explain_request__init(request);
    headlight__v1__text__init(text);
    text->text = (ProtobufCBinaryData){strlen(words), (uint8_t *)words};
    request->input = text;
}

static void inference_explain_in_any_arena_ends_its_stream_once(void **state)
{
    (void)state;
    Headlight__V1__ExplainRequest request;
    Headlight__V1__Text text;
    explain_request_init(&request, &text, "a cat in it");
    bool succeeded = false;
    for (size_t budget = 0; !succeeded; budget += 48) {
        RpcMessage message;
        fake_open(&message, 0);
        message.arena.budget_bytes = budget;
        unsigned part_count = explain(&message, &request);
        succeeded = message.error.status == STATUS_OK;
        assert_int_equal(part_count, succeeded);
        if (!succeeded)
            assert_true(message.error.status == STATUS_RESOURCE_EXHAUSTED ||
                        message.error.status == STATUS_NO_MEMORY);
        fake_close(&message);
        assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
        assert_true(budget < MIB);
    }
}

/* Whether nothing was computed yet, or all of it was. */
static void inference_explain_that_is_cancelled_ends(void **state)
{
    (void)state;
    Headlight__V1__ExplainRequest request;
    Headlight__V1__Text text;
    explain_request_init(&request, &text, "a cat in it");
    const RpcMethod *row = method("Explain");
    for (int computed = 0; computed < 2; computed++) {
        RpcMessage message;
        fake_open(&message, 64);
        if (!computed) atomic_store(&message.cancelled, true);
        uint8_t wire[64];
        size_t size = protobuf_c_message_pack(&request.base, wire);
        row->handle(row->context, &message, wire, size);
        fake_wait_woken(&message);
        atomic_store(&message.cancelled, true);
        row->progress(row->context, &message);
        assert_null(message.pushed);
        assert_int_equal(message.error.status, STATUS_CANCELLED);
        fake_close(&message);
        assert_int_equal(atomic_load(&fixture.inference->admission.bytes), 0);
    }
}

static void inference_task_that_the_model_lacks_is_refused_with_those_it_has(void **state)
{
    (void)state;
    EmbedInputs inputs;
    inputs_init(&inputs, 1, "a cat");
    Headlight__V1__ClassifyRequest classify = HEADLIGHT__V1__CLASSIFY_REQUEST__INIT;
    classify.n_inputs = 1;
    classify.inputs = inputs.list;
    Headlight__V1__RerankRequest rerank = HEADLIGHT__V1__RERANK_REQUEST__INIT;
    rerank.query = inputs.texts[0].text;
    rerank.n_texts = 1;
    rerank.texts = &inputs.texts[0].text;
    Headlight__V1__AnswerRequest answer = HEADLIGHT__V1__ANSWER_REQUEST__INIT;
    answer.question = answer.context = inputs.texts[0].text;
    const struct {
        const char *name;
        const void *request;
        const char *task;
    } cases[] = {
        {"Classify", &classify, "classify"},  {"ClassifyStream", &classify, "classify"},
        {"Rerank", &rerank, "rerank"},        {"TagTokens", &classify, "tag"},
        {"FillMask", &classify, "fill_mask"}, {"Answer", &answer, "answer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        RpcMessage message;
        fake_open(&message, 0);
        call(&message, cases[i].name, cases[i].request);
        assert_int_equal(message.error.status, STATUS_FAILED_PRECONDITION);
        assert_non_null(strstr(message.error.message, cases[i].task));
        assert_non_null(strstr(message.error.message, "embed"));
        fake_close(&message);
    }
}

static void inference_shutdown_fails_what_still_waits(void **state)
{
    (void)state;
    EmbedInputs inputs;
    RpcMessage message;
    scheduler_stop(fixture.scheduler);
    inputs_init(&inputs, 5, "a cat");
    embed(&message, &inputs);
    assert_int_equal(message.error.status, STATUS_UNAVAILABLE);
    fake_close(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_before_the_model_is_loaded_is_unavailable_with_a_retry),
        cmocka_unit_test(inference_embed_answers_every_text_in_order),
        cmocka_unit_test(inference_message_that_is_over_is_dropped),
        cmocka_unit_test(inference_reply_limit_is_checked_before_computing),
        cmocka_unit_test(inference_any_arena_gives_one_answer),
        cmocka_unit_test(inference_tokenize_in_any_arena_gives_one_answer),
        cmocka_unit_test(inference_sanitizes_in_any_arena),
        cmocka_unit_test(inference_refuses_with_what_was_found),
        cmocka_unit_test(inference_sanitizes_a_large_text_within_the_request_memory),
        cmocka_unit_test(inference_explain_in_any_arena_ends_its_stream_once),
        cmocka_unit_test(inference_explain_that_is_cancelled_ends),
        cmocka_unit_test(inference_task_that_the_model_lacks_is_refused_with_those_it_has),
        cmocka_unit_test(inference_shutdown_fails_what_still_waits),
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
