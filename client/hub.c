#include "hub.h"

#include "base/clock.h"
#include "call.h"
#include "failure.h"
#include "interrupt.h"

#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    HUB_CONNECT_SECONDS = 10,
    HUB_STALL_SECONDS = 30, /* without a byte */
    HUB_REDIRECTS_MAX = 8,
    HUB_CODE_BYTES = 64,
    HUB_SHA256_DIGITS = 64,
};

struct Hub {
    CURL *easy;
    char *endpoint; /* without a slash at the end */
    uint64_t random;
    char error_text[CURL_ERROR_SIZE];
    /* of the answer under way */
    const HubSink *sink;
    uint64_t offset;
    bool begun;
    Status sink_status;
    Error *sink_error;
    char error_code[HUB_CODE_BYTES]; /* X-Error-Code: GatedRepo, RepoNotFound, ... */
    char linked_etag[HUB_ETAG_BYTES];
    uint64_t range_begin;
    bool range_known;
};

static size_t hub_on_header(char *line, size_t one, size_t size, void *context);
static size_t hub_on_body(char *bytes, size_t one, size_t size, void *context);
static int hub_on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d);

static void hub_configure(Hub *hub, bool plain_allowed, const char *token)
{
    const char *protocols = plain_allowed ? "http,https" : "https";
    curl_easy_setopt(hub->easy, CURLOPT_PROTOCOLS_STR, protocols);
    curl_easy_setopt(hub->easy, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    curl_easy_setopt(hub->easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(hub->easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(hub->easy, CURLOPT_MAXREDIRS, (long)HUB_REDIRECTS_MAX);
    curl_easy_setopt(hub->easy, CURLOPT_CONNECTTIMEOUT, (long)HUB_CONNECT_SECONDS);
    curl_easy_setopt(hub->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(hub->easy, CURLOPT_LOW_SPEED_TIME, (long)HUB_STALL_SECONDS);
    curl_easy_setopt(hub->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(hub->easy, CURLOPT_ERRORBUFFER, hub->error_text);
    curl_easy_setopt(hub->easy, CURLOPT_USERAGENT, "headlight/" HEADLIGHT_VERSION);
    curl_easy_setopt(hub->easy, CURLOPT_HEADERFUNCTION, hub_on_header);
    curl_easy_setopt(hub->easy, CURLOPT_HEADERDATA, hub);
    curl_easy_setopt(hub->easy, CURLOPT_WRITEFUNCTION, hub_on_body);
    curl_easy_setopt(hub->easy, CURLOPT_WRITEDATA, hub);
    curl_easy_setopt(hub->easy, CURLOPT_XFERINFOFUNCTION, hub_on_progress);
    curl_easy_setopt(hub->easy, CURLOPT_NOPROGRESS, 0L);
    if (token && *token) {
        curl_easy_setopt(hub->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(hub->easy, CURLOPT_XOAUTH2_BEARER, token);
    }
}

Status hub_open(const char *endpoint, const char *token, Hub **out_hub, Error *out_error)
{
    bool plain = strncasecmp(endpoint, "http://", 7) == 0;
    if (!plain && strncasecmp(endpoint, "https://", 8) != 0) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "HF_ENDPOINT is '%s'; it begins with https://",
                         endpoint);
    }
    for (const char *byte = token ? token : ""; *byte; byte++) {
        if (!isgraph((unsigned char)*byte)) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "HF_TOKEN holds a blank or a control character");
        }
    }
    Hub *hub = calloc(1, sizeof *hub);
    if (!hub || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(hub);
        return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    }
    hub->easy = curl_easy_init();
    hub->endpoint = strdup(endpoint);
    hub->random = clock_now_ns(&clock_monotonic);
    if (!hub->easy || !hub->endpoint) {
        hub_close(hub);
        return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    }
    for (size_t size = strlen(endpoint); size > 8 && endpoint[size - 1] == '/'; size--)
        hub->endpoint[size - 1] = '\0';
    hub_configure(hub, plain, token);
    *out_hub = hub;
    return STATUS_OK;
}

void hub_close(Hub *hub)
{
    if (!hub) return;
    if (hub->easy) curl_easy_cleanup(hub->easy);
    free(hub->endpoint);
    free(hub);
    curl_global_cleanup();
}

/* ---- Addresses ---- */

static Status hub_url(char out_url[HUB_URL_BYTES], int written, Error *out_error)
{
    (void)out_url;
    if (written > 0 && written < HUB_URL_BYTES) return STATUS_OK;
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "the address in the hub is longer than %d bytes",
                     HUB_URL_BYTES);
}

Status hub_listing_url(Hub *hub, const char *repository, const char *revision, char out_url[HUB_URL_BYTES],
                       Error *out_error)
{
    char *escaped = curl_easy_escape(hub->easy, revision, 0);
    if (!escaped) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    int written = snprintf(out_url, HUB_URL_BYTES, "%s/api/models/%s/revision/%s?blobs=true", hub->endpoint,
                           repository, escaped);
    curl_free(escaped);
    return hub_url(out_url, written, out_error);
}

/* Escapes all but the slashes of `path`; the caller frees it. NULL without memory. */
static char *hub_escape_path(const char *path)
{
    char *escaped = malloc(3 * strlen(path) + 1);
    if (!escaped) return NULL;
    char *end = escaped;
    for (const unsigned char *byte = (const unsigned char *)path; *byte; byte++) {
        if (isalnum(*byte) || strchr("/-._~", *byte)) {
            *end++ = (char)*byte;
        } else {
            end += sprintf(end, "%%%02X", *byte);
        }
    }
    *end = '\0';
    return escaped;
}

Status hub_file_url(Hub *hub, const char *repository, const char *revision, const char *path,
                    char out_url[HUB_URL_BYTES], Error *out_error)
{
    char *escaped = hub_escape_path(path);
    if (!escaped) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    int written =
        snprintf(out_url, HUB_URL_BYTES, "%s/%s/resolve/%s/%s", hub->endpoint, repository, revision, escaped);
    free(escaped);
    return hub_url(out_url, written, out_error);
}

/* ---- Answers ---- */

static bool hub_header(const char *line, size_t size, const char *name, char *out_value, size_t capacity)
{
    size_t name_size = strlen(name);
    if (size <= name_size || strncasecmp(line, name, name_size) != 0 || line[name_size] != ':') return false;
    const char *begin = line + name_size + 1, *end = line + size;
    while (begin < end && isspace((unsigned char)*begin)) begin++;
    while (end > begin && isspace((unsigned char)end[-1])) end--;
    size_t value_size = (size_t)(end - begin) < capacity ? (size_t)(end - begin) : capacity - 1;
    memcpy(out_value, begin, value_size);
    out_value[value_size] = '\0';
    return true;
}

/* Headers of redirects come too: the hub names the linked file's hash in its own answer, before the storage's. */
static size_t hub_on_header(char *line, size_t one, size_t size, void *context)
{
    Hub *hub = context;
    char value[HUB_ETAG_BYTES];
    if (size > 5 && strncmp(line, "HTTP/", 5) == 0) hub->range_known = false;
    if (hub_header(line, size, "x-error-code", value, sizeof hub->error_code)) strcpy(hub->error_code, value);
    if (hub_header(line, size, "x-linked-etag", value, sizeof value)) strcpy(hub->linked_etag, value);
    if (hub_header(line, size, "content-range", value, sizeof value)) {
        hub->range_known = sscanf(value, "bytes %" SCNu64 "-", &hub->range_begin) == 1;
    }
    return one * size;
}

static Status hub_begin(Hub *hub, long code)
{
    hub->begun = true;
    uint64_t offset = code == 206 ? hub->offset : 0;
    if (code == 206 && (!hub->range_known || hub->range_begin != hub->offset)) {
        return error_set(hub->sink_error, STATUS_FAILED_PRECONDITION,
                         "the hub sent another range than was asked for");
    }
    return hub->sink->begin(hub->sink->context, offset, hub->sink_error);
}

static size_t hub_on_body(char *bytes, size_t one, size_t size, void *context)
{
    Hub *hub = context;
    long code = 0;
    curl_easy_getinfo(hub->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) return one * size; /* an error's page is for browsers */
    if (!hub->begun) hub->sink_status = hub_begin(hub, code);
    if (hub->sink_status == STATUS_OK) {
        hub->sink_status = hub->sink->write(hub->sink->context, bytes, one * size, hub->sink_error);
    }
    return hub->sink_status == STATUS_OK ? one * size : 0;
}

static int hub_on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)context, (void)a, (void)b, (void)c, (void)d;
    return interrupt_signal() != 0;
}

const char *hub_linked_sha256(const Hub *hub)
{
    return hub->linked_etag;
}

/* Keeps an ETag that is a SHA-256 in quotes; those of other files are SHA-1. */
static void hub_trim_etag(Hub *hub)
{
    char *begin = hub->linked_etag;
    if (strncmp(begin, "W/", 2) == 0) begin += 2;
    if (*begin == '"') begin++;
    size_t digits = strspn(begin, "0123456789abcdef");
    memmove(hub->linked_etag, begin, digits);
    hub->linked_etag[digits == HUB_SHA256_DIGITS ? digits : 0] = '\0';
}

/* ---- Failures ---- */

static Status hub_explain_refusal(const Hub *hub, long code, const char *url, Error *out_error)
{
    if (strcmp(hub->error_code, "GatedRepo") == 0) {
        return error_set(
            out_error, STATUS_NOT_FOUND,
            "%s: the repository is gated; accept its terms on the hub's page and set HF_TOKEN to a token of "
            "that account",
            url);
    }
    if (strcmp(hub->error_code, "RevisionNotFound") == 0) {
        return error_set(out_error, STATUS_NOT_FOUND,
                         "%s: no such revision; name a branch, tag or commit with --revision", url);
    }
    if (strcmp(hub->error_code, "EntryNotFound") == 0) {
        return error_set(out_error, STATUS_NOT_FOUND, "%s: no such file in this revision", url);
    }
    if (code == 404 || strcmp(hub->error_code, "RepoNotFound") == 0) {
        return error_set(out_error, STATUS_NOT_FOUND,
                         "%s: no such repository, or a private one; check its name, or set HF_TOKEN", url);
    }
    return error_set(out_error, STATUS_NOT_FOUND,
                     "%s: the hub wants another token (%ld); set HF_TOKEN to one that may read this repository",
                     url, code);
}

static Status hub_explain_code(Hub *hub, long code, const char *url, Error *out_error)
{
    if (code == 401 || code == 403 || code == 404) return hub_explain_refusal(hub, code, url, out_error);
    if (code == 416) return error_set(out_error, STATUS_FAILED_PRECONDITION, "%s: nothing at this offset", url);
    if (code == 429 || code >= 500) {
        Status status =
            error_set(out_error, STATUS_UNAVAILABLE, "%s: the hub answers %ld; try again later", url, code);
        curl_off_t seconds = 0;
        curl_easy_getinfo(hub->easy, CURLINFO_RETRY_AFTER, &seconds);
        if (seconds > 0 && seconds < 3600) out_error->retry_after_ns = (uint64_t)seconds * NS_PER_S;
        return status;
    }
    return error_set(out_error, STATUS_IO, "%s: the hub answers %ld; is HF_ENDPOINT a model hub?", url, code);
}

static Status hub_explain_transfer(const Hub *hub, CURLcode result, const char *url, Error *out_error)
{
    const char *cause = *hub->error_text ? hub->error_text : curl_easy_strerror(result);
    switch (result) {
    case CURLE_ABORTED_BY_CALLBACK:
        return error_set(out_error, STATUS_CANCELLED, "interrupted");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
        return error_set(out_error, STATUS_IO, "%s: %s", url, cause);
    default:
        return error_set(out_error, STATUS_UNAVAILABLE, "cannot reach the hub: %s: %s", url, cause);
    }
}

Status hub_get(Hub *hub, const char *url, uint64_t offset, const HubSink *sink, Error *out_error)
{
    hub->sink = sink;
    hub->offset = offset;
    hub->begun = false;
    hub->sink_status = STATUS_OK;
    hub->sink_error = out_error;
    hub->error_code[0] = hub->linked_etag[0] = hub->error_text[0] = '\0';
    char range[32];
    snprintf(range, sizeof range, "%" PRIu64 "-", offset);
    curl_easy_setopt(hub->easy, CURLOPT_RANGE, offset ? range : NULL);
    curl_easy_setopt(hub->easy, CURLOPT_URL, url);
    CURLcode result = curl_easy_perform(hub->easy);
    hub_trim_etag(hub);
    if (hub->sink_status != STATUS_OK) return hub->sink_status;
    if (result != CURLE_OK) return hub_explain_transfer(hub, result, url, out_error);
    long code = 0;
    curl_easy_getinfo(hub->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) return hub_explain_code(hub, code, url, out_error);
    return hub->begun ? STATUS_OK : hub_begin(hub, code);
}

Status hub_wait(Hub *hub, uint64_t attempt, const Error *cause, Error *out_error)
{
    Failure failure = {.code = FAILURE_UNAVAILABLE, .retry_hinted = cause->retry_after_ns > 0};
    failure.retry_after_ns = cause->retry_after_ns;
    uint64_t until_ns =
        clock_now_ns(&clock_monotonic) + failure_backoff_ns(&failure, attempt, call_random(&hub->random));
    while (!interrupt_signal()) {
        uint64_t now_ns = clock_now_ns(&clock_monotonic);
        if (now_ns >= until_ns) return STATUS_OK;
        uint64_t left_ns = until_ns - now_ns < 100 * NS_PER_MS ? until_ns - now_ns : 100 * NS_PER_MS;
        nanosleep(&(struct timespec){.tv_nsec = (long)left_ns}, NULL);
    }
    return error_set(out_error, STATUS_CANCELLED, "interrupted");
}
