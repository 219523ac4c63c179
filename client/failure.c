#include "failure.h"

#include "base/clock.h"
#include "codec.h"

#include <ctype.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILURE_BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define FAILURE_BACKOFF_MAX_NS (10 * NS_PER_S)
/* What a server asks for beyond this is not honest; the deadline is most often nearer. */
#define FAILURE_RETRY_AFTER_MAX_S 3600

static const char *const failure_names[] = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

static bool failure_unpack(Arena *arena, const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t size,
                           void *out)
{
    ProtobufCMessage *message;
    if (codec_unpack(arena, type, bytes, size, &message, NULL) != STATUS_OK) return false;
    *(ProtobufCMessage **)out = message;
    return true;
}

static void failure_read_retry(const ProtobufCBinaryData *value, Failure *failure)
{
    Arena arena;
    Google__Rpc__RetryInfo *info;
    if (failure_unpack(&arena, &google__rpc__retry_info__descriptor, value->data, value->len, &info) &&
        info->retry_delay) {
        int64_t seconds = info->retry_delay->seconds;
        int32_t nanos = info->retry_delay->nanos;
        if (seconds < 0 || nanos < 0) seconds = nanos = 0;
        if (seconds > FAILURE_RETRY_AFTER_MAX_S) seconds = FAILURE_RETRY_AFTER_MAX_S;
        failure->retry_hinted = true;
        failure->retry_after_ns = (uint64_t)seconds * NS_PER_S + (uint64_t)nanos;
    }
    arena_free(&arena);
}

/* "inputs[3].text" names input 3; "input.text" the one that Explain has. */
static void failure_read_index(TextView text, Failure *failure)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(text.size < sizeof name ? text.size : sizeof name - 1), text.bytes);
    bool only = strcmp(name, "input") == 0 || strncmp(name, "input.", 6) == 0 || strncmp(name, "input:", 6) == 0;
    failure->input_known = only || sscanf(name, "inputs[%9" SCNu32 "]", &failure->input_index) == 1;
}

static void failure_read_field(const ProtobufCBinaryData *value, Failure *failure)
{
    Arena arena;
    Google__Rpc__BadRequest *request;
    if (failure_unpack(&arena, &google__rpc__bad_request__descriptor, value->data, value->len, &request) &&
        request->n_field_violations > 0) {
        failure->field_known = true;
        failure_read_index(codec_view(request->field_violations[0]->field), failure);
    }
    arena_free(&arena);
}

static void failure_read_report(const ProtobufCBinaryData *value, Failure *failure)
{
    if (value->len > sizeof failure->report) return;
    memcpy(failure->report, value->data, value->len);
    failure->report_size = value->len;
}

void failure_read(const ChannelReply *reply, Failure *out_failure)
{
    *out_failure = (Failure){.code = reply->code};
    snprintf(out_failure->message, sizeof out_failure->message, "%s", reply->message);
    failure_read_index(text_view(reply->message), out_failure);
    if (!reply->details) return;
    Arena arena;
    Google__Rpc__Status *details;
    if (failure_unpack(&arena, &google__rpc__status__descriptor, reply->details, reply->details_size, &details)) {
        for (size_t index = 0; index < details->n_details; index++) {
            const Google__Protobuf__Any *any = details->details[index];
            const char *slash = any->type_url ? strrchr(any->type_url, '/') : NULL;
            if (!slash || !any->value.data) continue;
            if (strcmp(slash, "/google.rpc.RetryInfo") == 0) failure_read_retry(&any->value, out_failure);
            if (strcmp(slash, "/google.rpc.BadRequest") == 0) failure_read_field(&any->value, out_failure);
            if (strcmp(slash, "/headlight.v1.SanitizeReport") == 0) failure_read_report(&any->value, out_failure);
        }
    }
    arena_free(&arena);
}

const char *failure_code_name(int code)
{
    return code >= 0 && code <= 16 ? failure_names[code] : failure_names[2];
}

bool failure_retryable(const Failure *failure)
{
    return failure->code == FAILURE_UNAVAILABLE ||
           (failure->code == FAILURE_RESOURCE_EXHAUSTED && failure->retry_hinted);
}

bool failure_blame(const Failure *failure, uint64_t first, size_t count, uint64_t *out_first, uint64_t *out_last)
{
    bool known = failure->input_known && failure->input_index < count;
    *out_first = known ? first + failure->input_index : first;
    *out_last = known ? *out_first : first + count - 1;
    return known || (failure->code == FAILURE_INVALID_ARGUMENT && !failure->field_known);
}

uint64_t failure_backoff_ns(const Failure *failure, uint64_t attempt, uint64_t random)
{
    uint64_t shift = attempt > 1 ? attempt - 1 : 0;
    uint64_t base_ns = shift < 7 ? FAILURE_BACKOFF_FIRST_NS << shift : FAILURE_BACKOFF_MAX_NS;
    if (base_ns > FAILURE_BACKOFF_MAX_NS) base_ns = FAILURE_BACKOFF_MAX_NS;
    uint64_t jitter_ns = random % (base_ns / 2 + 1);
    if (failure->retry_hinted && failure->retry_after_ns >= base_ns / 2)
        return failure->retry_after_ns + jitter_ns;
    return base_ns / 2 + jitter_ns;
}

/* Core's words end with the system's: "...: Failed to connect to remote host: Connection refused". */
static Status failure_explain_unreachable(const Failure *failure, const char *address, Error *out_error)
{
    const char *cause = failure->message;
    for (const char *next = strstr(cause, ": "); next; next = strstr(cause, ": ")) cause = next + 2;
    if (!*cause) cause = "no connection";
    return error_set(
        out_error, STATUS_UNAVAILABLE,
        "cannot reach %s: %c%s; is headlightd running? Start it, or name another server with --address", address,
        tolower((unsigned char)cause[0]), cause + 1);
}

/* What helps, where the other side's words do not say it. */
static const char *failure_hint(const Failure *failure)
{
    if (failure->code == FAILURE_RESOURCE_EXHAUSTED && strstr(failure->message, "message larger than max"))
        return "; send less at a time (--batch), or start headlightd with a larger --payload-limit";
    if (failure->code == FAILURE_UNIMPLEMENTED && strstr(failure->message, "/headlight.v1.Models/"))
        return "; headlightd takes changes of its models with --admin on";
    return "";
}

Status failure_explain(const Failure *failure, const char *address, const char *location, Error *out_error)
{
    const char *name = failure_code_name(failure->code);
    bool unconnected = strstr(failure->message, "failed to connect") ||
                       strstr(failure->message, "Failed to connect") ||
                       strstr(failure->message, "DNS resolution failed");
    if (failure->code == FAILURE_UNAVAILABLE && unconnected) {
        return failure_explain_unreachable(failure, address, out_error);
    }
    if (failure->code == FAILURE_UNAVAILABLE) {
        return error_set(out_error, STATUS_UNAVAILABLE, "%s is unavailable: %s; try again later", address,
                         failure->message);
    }
    if (failure->code == FAILURE_DEADLINE_EXCEEDED) {
        return error_set(out_error, STATUS_DEADLINE_EXCEEDED,
                         "%s did not answer in time; give it longer with --deadline, or ask for less", address);
    }
    if (failure->code == FAILURE_RESOURCE_EXHAUSTED) {
        return error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s refused: %s (%s)%s", address, failure->message,
                         name, failure_hint(failure));
    }
    const char *text = *failure->message ? failure->message : "the server gave no reason";
    return error_set(out_error, STATUS_FAILED_PRECONDITION, "%s%s%s (%s)%s", location ? location : "",
                     location ? ": " : "", text, name, failure_hint(failure));
}
