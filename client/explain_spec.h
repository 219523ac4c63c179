/* What `headlight explain` asks for: its options, and the API's ExplanationSpec made of them. */
#pragma once

#include "texts.h"

enum { EXPLAIN_METHODS_MAX = 10 };
extern const char *const explain_method_names[]; /* in the order of the API's ExplanationMethod, then NULL */

/* The settings that become the spec. */
typedef struct ExplainAsked {
    OptionList methods; /* each one name, or several separated by commas */
    const char *layers; /* "0,2,5-8"; empty: all */
    const char *heads;
    const char *rows;   /* "pooled", "all" or numbers; empty: the output's own */
    uint64_t form;      /* 0: the output's own; else one more than the API's AttentionForm */
    uint64_t weights;   /* likewise, of WeightFormat */
    uint64_t top_k;     /* 0: the server's default, as all numbers below */
    uint64_t aggregate; /* the API's HeadAggregate */
    const char *target; /* empty: the predicted label */
    uint64_t bytes_max;
    uint64_t sample_count;
    uint64_t step_count;
    uint64_t seed;
    bool faithfulness;
    uint64_t removal; /* the API's Removal */
} ExplainAsked;

extern const char *const explain_form_names[];
extern const char *const explain_weight_names[];
extern const char *const explain_aggregate_names[];
extern const char *const explain_removal_names[];

/* A spec and what it points to. */
typedef struct ExplainSpec {
    Headlight__V1__ExplanationSpec message;
    Headlight__V1__ExplanationMethod methods[EXPLAIN_METHODS_MAX];
    uint32_t *numbers; /* layers, heads and rows, one after the other */
} ExplainSpec;

/* Fails with INVALID_ARGUMENT (a name or a list that there is none of), NO_MEMORY. *out_spec stays where it is until
 * explain_spec_free, which is harmless after a failure too. */
CHECKED Status explain_spec_make(const ExplainAsked *asked, ExplainSpec *out_spec, Error *out_error);
void explain_spec_free(ExplainSpec *spec);
bool explain_spec_has(const ExplainSpec *spec, Headlight__V1__ExplanationMethod method);
/* Adds a method that is not there yet. */
void explain_spec_add(ExplainSpec *spec, Headlight__V1__ExplanationMethod method);
