/* Preparing a text: its prompt in front, tokens, the length policy, what its task needs. */
#include "pipeline/pipeline_state.h"

static Status prompt_find(const Pipeline *pipeline, TextView name, const Prompt **out_prompt, Error *out_error);
static bool text_join(Arena *arena, TextView front, TextView back, TextView *out_text);
static Status length_check(const Encoding *encoding, bool pair, uint32_t limit, Error *out_error);
static uint32_t prompt_left(uint32_t prompt_token_count, const Encoding *encoding, LengthPolicy policy);

Status pipeline_check_prompt(const Pipeline *pipeline, TextView prompt_name, Error *out_error)
{
    const Prompt *prompt;
    return prompt_find(pipeline, prompt_name, &prompt, out_error);
}

/* The tokens of a text, its prompt in front; *out_prompt_token_count of them are the prompt's. */
static CHECKED Status prepare_encode(const Pipeline *pipeline, TextView text, const TextView *pair,
                                     const PrepareOptions *options, Arena *arena, Prepared *prepared,
                                     Error *out_error)
{
    const Prompt *prompt = NULL;
    Status status = STATUS_OK;
    if (options->task == TASK_EMBED) status = prompt_find(pipeline, options->prompt_name, &prompt, out_error);
    if (status) return status;
    uint32_t prompt_bytes = prompt ? (uint32_t)prompt->text.size : 0;
    prepared->prompt_bytes = prompt_bytes;
    if (prompt_bytes && !text_join(arena, prompt->text, text, &text)) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "the request's memory does not hold text and prompt");
    }
    const EncodeOptions encode = {
        .token_count_max = options->length_policy >= LENGTH_AUTO ? 0 : pipeline->token_count_max,
        .side = options->length_policy == LENGTH_TRUNCATE_LEFT ? TRUNCATION_LEFT : TRUNCATION_RIGHT,
        .parse_mask = options->task == TASK_FILL,
    };
    status = pipeline_encode(pipeline, text, pair, &encode, arena, &prepared->encoding, out_error);
    if (!status) {
        status = chunks_plan(pipeline, options, &prepared->encoding, text, pair, prompt_bytes, arena,
                             &prepared->chunks, out_error);
    }
    if (status || !prompt) return status;
    size_t index = (size_t)(prompt - checkpoint_sentence_config(pipeline->checkpoint)->prompts);
    prepared->prompt_token_count =
        prompt_left(pipeline->prompt_token_counts[index], &prepared->encoding, options->length_policy);
    return STATUS_OK;
}

static CHECKED Status prepare_check_pair(const Pipeline *pipeline, Task task, Error *out_error)
{
    if (task == TASK_TAG) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "entities are found in one text, not in a pair");
    }
    if (pipeline->takes_pairs) return STATUS_OK;
    return error_set(out_error, STATUS_UNSUPPORTED, "the model takes one text, not a pair");
}

static CHECKED Status prepare_count_masks(const Pipeline *pipeline, Prepared *prepared, Error *out_error)
{
    for (uint32_t i = 0; i < prepared->encoding.count; i++) {
        prepared->mask_count += task_is_mask(pipeline, &prepared->encoding, i);
    }
    if (prepared->mask_count) return STATUS_OK;
    TextView mask = tokenizer_token_text(pipeline->tokenizer, tokenizer_mask_id(pipeline->tokenizer));
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "the text has no mask%s: put \"%.*s\" where a token is to be filled in",
                     prepared->encoding.truncated ? " within the limit" : "", (int)mask.size, mask.bytes);
}

Status pipeline_prepare(const Pipeline *pipeline, TextView text, const TextView *pair,
                        const PrepareOptions *options, Arena *arena, Prepared *out_prepared, Error *out_error)
{
    Prepared prepared = {0};
    Status status = STATUS_OK;
    if (pair) status = prepare_check_pair(pipeline, options->task, out_error);
    if (!status) status = prepare_encode(pipeline, text, pair, options, arena, &prepared, out_error);
    if (!status && options->length_policy == LENGTH_REFUSE) {
        status = length_check(&prepared.encoding, pair != NULL, pipeline->token_count_max, out_error);
    }
    if (status) return status;
    if (prepared.encoding.count == 0 || prepared.prompt_token_count >= prepared.encoding.count) {
        return chunks_fail_empty(out_error);
    }
    if (options->task == TASK_FILL) {
        status = prepare_count_masks(pipeline, &prepared, out_error);
        if (status) return status;
        chunks_keep_masks(pipeline, &prepared.encoding, &prepared.chunks);
    }
    if (!pipeline_is_cut(&prepared)) {
        status = globals_check(options, prepared.encoding.count, out_error);
        if (!status) status = globals_find(pipeline, options, arena, &prepared, out_error);
        prepared.work = task_work(pipeline, options->task, &prepared);
    }
    if (status) return status;
    *out_prepared = prepared;
    return STATUS_OK;
}

/* *out_prompt is NULL where nothing goes in front. */
static Status prompt_find(const Pipeline *pipeline, TextView name, const Prompt **out_prompt, Error *out_error)
{
    const SentenceConfig *sentence = checkpoint_sentence_config(pipeline->checkpoint);
    if (name.size == 0) {
        *out_prompt = sentence->default_prompt;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < sentence->prompt_count; i++) {
        if (!text_equal(sentence->prompts[i].name, name)) continue;
        *out_prompt = &sentence->prompts[i];
        return STATUS_OK;
    }
    if (model_prompt_is_implied(name)) {
        *out_prompt = NULL;
        return STATUS_OK;
    }
    if (sentence->prompt_count == 0) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT,
                         "the model has no prompts: leave prompt_name empty and put the prompt into the text");
    }
    char names[ERROR_MESSAGE_BYTES / 2] = "";
    for (uint32_t i = 0; i < sentence->prompt_count; i++)
        text_list_add(names, sizeof names, sentence->prompts[i].name);
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "unknown prompt '%.*s': the model has %s", (int)name.size,
                     name.bytes, names);
}

static bool text_join(Arena *arena, TextView front, TextView back, TextView *out_text)
{
    size_t size = front.size + back.size;
    char *bytes = arena_allocate(arena, size);
    if (!bytes) return false;
    memcpy(bytes, front.bytes, front.size);
    if (back.size) memcpy(bytes + front.size, back.bytes, back.size);
    *out_text = (TextView){bytes, size};
    return true;
}

static Status length_check(const Encoding *encoding, bool pair, uint32_t limit, Error *out_error)
{
    if (!encoding->truncated) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT,
                     "%s %u tokens, the model's limit is %u: set options.length_policy to CHUNK or "
                     "TRUNCATE_RIGHT or split the text",
                     pair ? "text and pair have" : "text has", encoding->text_token_count, limit);
}

/* Truncation from the left eats the prompt first, behind the leading special token. */
static uint32_t prompt_left(uint32_t prompt_token_count, const Encoding *encoding, LengthPolicy policy)
{
    if (policy != LENGTH_TRUNCATE_LEFT || prompt_token_count == 0) return prompt_token_count;
    uint32_t cut_count = encoding->text_token_count - encoding->count;
    return prompt_token_count > cut_count + 1 ? prompt_token_count - cut_count : 1;
}
