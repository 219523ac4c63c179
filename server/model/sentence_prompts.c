/* The prompts of config_sentence_transformers.json. */
#include "model/field.h"
#include "model/head.h"
#include "model/sentence.h"

static Status sentence_fail_memory(const char *path, Error *out_error)
{
    return error_set(out_error, STATUS_NO_MEMORY, "%s: no memory for its prompts", path);
}

/* Whether a later member of the same object has the key of `member`: the later one counts. */
static bool sentence_is_overridden(const JsonValue *object, const JsonValue *member)
{
    return json_member(object, json_key(member).bytes) != member;
}

/* A prompt that is null is an empty one. */
static Status sentence_read_prompt(const char *path, const JsonValue *member, Arena *arena, Prompt *out_prompt,
                                   Error *out_error)
{
    TextView name = json_key(member);
    TextView text = text_view("");
    if (!json_string(member, &text) && json_type(member) != JSON_NULL) {
        return error_set(out_error, STATUS_CORRUPT, "%s: the prompt \"%.64s\" must be a string", path, name.bytes);
    }
    if (text.size > PROMPT_BYTES_MAX || name.size > MODEL_NAME_BYTES_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED,
                         "%s: the prompt \"%.64s\" is longer than the limit of %llu bytes (%d for its name)", path,
                         name.bytes, (unsigned long long)PROMPT_BYTES_MAX, MODEL_NAME_BYTES_MAX);
    }
    const char *name_copy = arena_copy_text(arena, name);
    const char *text_copy = arena_copy_text(arena, text);
    if (!name_copy || !text_copy) return sentence_fail_memory(path, out_error);
    *out_prompt = (Prompt){{name_copy, name.size}, {text_copy, text.size}};
    return STATUS_OK;
}

static Status sentence_read_prompt_list(const char *path, const JsonValue *object, Arena *arena,
                                        SentenceConfig *config, Error *out_error)
{
    if (json_type(object) == JSON_NULL) return STATUS_OK;
    size_t count = json_size(object);
    if (json_type(object) != JSON_OBJECT) {
        return error_set(out_error, STATUS_CORRUPT, "%s: \"prompts\" must be an object", path);
    }
    if (count > PROMPT_COUNT_MAX) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s: %zu prompts; the limit is %d", path, count,
                         PROMPT_COUNT_MAX);
    }
    Prompt *prompts = arena_allocate_zeroed(arena, count, sizeof *prompts);
    if (!prompts) return sentence_fail_memory(path, out_error);
    uint32_t used = 0;
    for (const JsonValue *member = json_first(object); member; member = json_next(member)) {
        if (sentence_is_overridden(object, member)) continue;
        Status status = sentence_read_prompt(path, member, arena, &prompts[used], out_error);
        if (status != STATUS_OK) return status;
        used++;
    }
    config->prompts = prompts;
    config->prompt_count = used;
    return STATUS_OK;
}

bool model_prompt_is_implied(TextView name)
{
    return text_equal(name, text_view("query")) || text_equal(name, text_view("document"));
}

static Status sentence_find_default_prompt(const char *path, TextView name, SentenceConfig *config,
                                           Error *out_error)
{
    for (uint32_t i = 0; i < config->prompt_count; i++) {
        if (!text_equal(config->prompts[i].name, name)) continue;
        config->default_prompt = &config->prompts[i];
        return STATUS_OK;
    }
    if (model_prompt_is_implied(name)) return STATUS_OK;
    return error_set(out_error, STATUS_CORRUPT, "%s: default_prompt_name \"%.64s\" is none of its %u prompts",
                     path, name.bytes, config->prompt_count);
}

static Status sentence_check_kind(const FieldReader *reader, Error *out_error)
{
    static const char *const kinds[] = {"SentenceTransformer", "CrossEncoder", "SparseEncoder"};
    TextView kind = text_view(kinds[0]);
    Status status = field_string(reader, "model_type", &kind, out_error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (text_equal(kind, text_view(kinds[i]))) return STATUS_OK;
    }
    return error_set(out_error, STATUS_UNSUPPORTED,
                     "%s: model_type \"%.64s\" is not supported; supported: SentenceTransformer, CrossEncoder, "
                     "SparseEncoder",
                     reader->path, kind.bytes);
}

Status sentence_read_prompts(const char *path, const JsonValue *root, Arena *arena, SentenceConfig *config,
                             Error *out_error)
{
    FieldReader reader;
    TextView default_name = {0};
    TextView activation = {0};
    Status status = field_open(path, root, &reader, out_error);
    if (status == STATUS_OK) status = sentence_check_kind(&reader, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "default_prompt_name", &default_name, out_error);
    if (status == STATUS_OK) status = field_string(&reader, "activation_fn", &activation, out_error);
    if (status == STATUS_OK && activation.bytes) {
        status = head_read_score(path, "activation_fn", activation, &config->rank, out_error);
    }
    if (status != STATUS_OK) return status;
    status = sentence_read_prompt_list(path, json_member(root, "prompts"), arena, config, out_error);
    if (status != STATUS_OK || !default_name.bytes) return status;
    return sentence_find_default_prompt(path, default_name, config, out_error);
}
