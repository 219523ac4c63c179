/* What the commands that send texts share: their options, and the way from an input through batches and requests to
 * answers in order. */
#pragma once

#include "exchange.h"
#include "results.h"

enum {
    TEXTS_SHARED = COMMAND_OUTPUT | COMMAND_SERVER | COMMAND_RETRIES | COMMAND_MODEL | COMMAND_TEXTS,
};
#define TEXTS_PAIRS_HELP "Each text is two, separated by a tab: what the model compares or joins."
#define TEXTS_LEVEL_HELP \
    "What reject refuses. moderate: what has no honest use. high: what honest text hardly has. strict: what it " \
    "may have, too; clean then also repairs whole words in look-alikes and drops private characters."
#define TEXTS_ENABLE_HELP "Findings that are looked for only when they are asked for: codes, separated by commas."

/* The first member of such a command's settings, which says so with COMMAND_TEXTS, and of which parts with
 * COMMAND_LENGTH, COMMAND_CHUNKS and COMMAND_SANITIZE. */
typedef struct TextsSettings {
    Settings common;
    const char *file;
    bool null_separated;
    uint64_t truncate;       /* TextsTruncate */
    uint64_t length_policy;  /* TextsPolicy */
    uint64_t chunk_tokens;   /* 0: the model's limit */
    uint64_t chunk_overlap;  /* 0: the server's default; else one more */
    uint64_t aggregate;      /* the API's ChunkAggregate; Embed */
    uint64_t batch;          /* texts in one request */
    uint64_t sanitize;       /* the API's SanitizePolicy */
    uint64_t sanitize_level; /* the API's SanitizeLevel */
    const char *sanitize_enable;
    bool cleaned_text;
} TextsSettings;

typedef enum TextsTruncate { TEXTS_WHOLE, TEXTS_RIGHT, TEXTS_LEFT } TextsTruncate;
extern const char *const texts_truncate_names[]; /* in the order of TextsTruncate, then NULL */
typedef enum TextsPolicy { TEXTS_AUTO, TEXTS_REFUSE, TEXTS_CHUNK } TextsPolicy;
extern const char *const texts_policy_names[];   /* likewise */
extern const char *const texts_sanitize_names[]; /* in the order of the API's SanitizePolicy, then NULL */
extern const char *const texts_level_names[];    /* in the order of the API's SanitizeLevel, then NULL */

enum { TEXTS_CODES_MAX = 32 }; /* more than there are rules that can be asked for */

/* Codes that were separated by commas. */
typedef struct TextsCodes {
    ProtobufCBinaryData codes[TEXTS_CODES_MAX]; /* borrowed */
    size_t count;
} TextsCodes;

/* A request's options and what they point to. */
typedef struct TextsOptions {
    Headlight__V1__Options options;
    Headlight__V1__Chunking chunking;
    TextsCodes enabled;
} TextsOptions;

/* A command's own part of a run: `print` for one that prints a result a text, or `answer` and `finish`. */
typedef struct TextsTask {
    ExchangeType type;
    size_t window_count; /* requests under way; 0: one */
    /* Packs the request of a batch. */
    Status (*pack)(void *context, Batch *batch, const Input *input, uint8_t **out_bytes, size_t *out_size,
                   Error *out_error);
    const char *list; /* Results.list, with `print` */
    /* Prints the reply's result `index`, between results_begin and results_end. */
    void (*print)(Results *results, const ProtobufCMessage *reply, size_t index);
    /* Takes the reply to `request`; the requests come in order. */
    Status (*answer)(void *context, const ExchangeRequest *request, const ProtobufCMessage *reply,
                     Error *out_error);
    /* Takes a request that was refused for its texts' findings; OK: the run goes on. NULL: it ends. */
    Status (*refused)(void *context, const ExchangeRequest *request, const Failure *failure, Error *out_error);
    bool malformed; /* texts that are not UTF-8 are sent as they are */
    /* Asks for the one text of a batch by calls of its own, in place of all of the above but `malformed`. On failure
     * *out_failure may say how a call ended. */
    Status (*ask)(void *context, Channel *channel, Batch *batch, const Input *input, Failure *out_failure,
                  Error *out_error);
    /* After the last answer. */
    void (*finish)(void *context);
    void *context;
} TextsTask;

/* Sends the texts of the arguments, the file or standard input; returns the exit code, having said what failed. */
int texts_run(const TextsTask *task, const TextsSettings *settings, char *const *arguments, size_t argument_count);

/* The codes of --sanitize-enable or --enable; texts_run has refused too many. */
TextsCodes texts_codes(const TextsSettings *settings);
/* Fills a request's options from the settings; *out_options stays where it is while they are used. */
void texts_options(const TextsSettings *settings, TextsOptions *out_options);
/* The batch as a request's inputs. `pairs`: each text is two, separated by a tab; fails with CORRUPT, naming the text,
 * where there is none. Valid until the next text is added. */
CHECKED Status texts_inputs(Batch *batch, const Input *input, bool pairs, Headlight__V1__Text ***out_inputs,
                            size_t *out_count, Error *out_error);
