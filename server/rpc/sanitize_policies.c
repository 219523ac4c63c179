#include "rpc/sanitize_policies.h"

#include <assert.h>
#include <stdio.h>

static_assert(RULE_COUNT <= 64, "a rule is a bit of SanitizeOptions.enabled");

SanitizePolicies sanitize_policies_default(void)
{
    return (SanitizePolicies){.server = {.policy = SANITIZE_REPORT, .level = SANITIZE_HIGH}};
}

SanitizeOptions sanitize_policies_tighten(SanitizeOptions a, SanitizeOptions b)
{
    return (SanitizeOptions){
        .policy = a.policy > b.policy ? a.policy : b.policy,
        .level = a.level > b.level ? a.level : b.level,
        .enabled = a.enabled | b.enabled,
    };
}

static bool policies_find(const SanitizePolicies *policies, TextView model, size_t *out_index)
{
    for (size_t i = 0; i < policies->model_count; i++) {
        if (!text_equal(text_view(policies->models[i].model), model)) continue;
        *out_index = i;
        return true;
    }
    return false;
}

SanitizeOptions sanitize_policies_of(const SanitizePolicies *policies, TextView model)
{
    size_t index;
    if (!policies_find(policies, model, &index)) return policies->server;
    return sanitize_policies_tighten(policies->server, policies->models[index].options);
}

/* The options of `model`, new ones if it has none yet. */
static Status policies_open(SanitizePolicies *policies, TextView model, SanitizeOptions **out_options,
                            Error *out_error)
{
    size_t index;
    if (!policies_find(policies, model, &index)) {
        if (model.size == 0 || model.size > MODEL_NAME_BYTES_MAX || policies->model_count == SANITIZE_MODELS_MAX) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT,
                             "'%.*s' is no model's name, or the models are more than %d", (int)model.size,
                             model.bytes, SANITIZE_MODELS_MAX);
        }
        index = policies->model_count++;
        policies->models[index] = (SanitizeModelPolicy){0};
        memcpy(policies->models[index].model, model.bytes, model.size);
    }
    *out_options = &policies->models[index].options;
    return STATUS_OK;
}

static bool name_find(const char *const *names, size_t count, TextView name, size_t *out_index)
{
    for (size_t i = 0; i < count; i++) {
        if (!text_equal(text_view(names[i]), name)) continue;
        *out_index = i;
        return true;
    }
    return false;
}

static Status options_set(SanitizeOptions *options, SanitizeSetting setting, TextView value, Error *out_error)
{
    enum {
        POLICY_COUNT = sizeof sanitizer_policy_names / sizeof sanitizer_policy_names[0],
        LEVEL_COUNT = sizeof sanitizer_level_names / sizeof sanitizer_level_names[0],
    };
    char codes[RULES_OPTIONAL_BYTES_MAX];
    const char *const known[] = {"off, report, clean and reject", "moderate, high and strict",
                                 rules_list_optional(codes)};
    size_t index;
    SanitizeRule rule;
    if (setting == SANITIZE_SET_POLICY && name_find(sanitizer_policy_names, POLICY_COUNT, value, &index)) {
        options->policy = (SanitizePolicy)index;
    } else if (setting == SANITIZE_SET_LEVEL && name_find(sanitizer_level_names, LEVEL_COUNT, value, &index)) {
        options->level = (SanitizeLevel)index;
    } else if (setting == SANITIZE_ENABLE && rules_find(value, &rule)) {
        options->enabled |= (uint64_t)1 << rule;
    } else {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "there is no '%.*s': there are %s", (int)value.size,
                         value.bytes, known[setting]);
    }
    return STATUS_OK;
}

/* A model's name may have a '=', a value has none. */
static Status policies_set_one(SanitizePolicies *policies, SanitizeSetting setting, TextView text,
                               Error *out_error)
{
    SanitizeOptions *options = &policies->server;
    const char *equals = memrchr(text.bytes, '=', text.size);
    if (equals) {
        TextView model = {text.bytes, (size_t)(equals - text.bytes)};
        Status status = policies_open(policies, model, &options, out_error);
        if (status) return status;
        text = (TextView){equals + 1, text.size - model.size - 1};
    }
    return options_set(options, setting, text, out_error);
}

Status sanitize_policies_set(SanitizePolicies *policies, SanitizeSetting setting, const char *text,
                             Error *out_error)
{
    Status status = STATUS_OK;
    for (const char *at = text; !status;) {
        size_t size = strcspn(at, ",");
        status = policies_set_one(policies, setting, (TextView){at, size}, out_error);
        if (at[size] == '\0') break;
        at += size + 1;
    }
    return status;
}
