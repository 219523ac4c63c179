/* What is sanitized, and how strictly: what the server does with every text, what it does beyond that for some models,
 * and what a request asks for. The tightest of them holds. */
#pragma once

#include "base/limits.h"
#include "sanitizer/sanitizer.h"

enum { SANITIZE_MODELS_MAX = 32 };

typedef struct SanitizeModelPolicy {
    char model[MODEL_NAME_BYTES_MAX + 1];
    SanitizeOptions options; /* the loosest where nothing was set */
} SanitizeModelPolicy;

/* A value. */
typedef struct SanitizePolicies {
    SanitizeOptions server;
    SanitizeModelPolicy models[SANITIZE_MODELS_MAX];
    size_t model_count;
} SanitizePolicies;

/* REPORT at the level HIGH, for all models. */
SanitizePolicies sanitize_policies_default(void);

typedef enum SanitizeSetting { SANITIZE_SET_POLICY, SANITIZE_SET_LEVEL, SANITIZE_ENABLE } SanitizeSetting;

/* Reads "VALUE" or "NAME=VALUE", several with commas between them: "clean", "strict" or the code of a finding. What is
 * set twice is as the later says; codes add up. Fails with INVALID_ARGUMENT. */
CHECKED Status sanitize_policies_set(SanitizePolicies *policies, SanitizeSetting setting, const char *text,
                                     Error *out_error);

/* The tighter of each. */
SanitizeOptions sanitize_policies_tighten(SanitizeOptions a, SanitizeOptions b);
/* What holds for a request to `model`, but for what the request itself asks for. */
SanitizeOptions sanitize_policies_of(const SanitizePolicies *policies, TextView model);
