/* HTTP as a model hub speaks it: one GET at a time, from an offset, into a sink. The only file that includes
 * libcurl is hub.c.
 *
 * The token goes to the endpoint's host and nowhere else: libcurl drops it when a redirect leads to another host
 * or port. Redirects may not leave https, unless the endpoint itself is http. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct Hub Hub;

/* Where an answer's bytes go. A status other than OK ends the transfer with it. */
typedef struct HubSink {
    /* Once, before the first byte, also of an empty answer: the bytes begin at `offset`, which is 0 when the
     * server does not do ranges, else what was asked for. */
    Status (*begin)(void *context, uint64_t offset, Error *out_error);
    Status (*write)(void *context, const void *bytes, size_t size, Error *out_error);
    void *context;
} HubSink;

enum { HUB_ETAG_BYTES = 128, HUB_URL_BYTES = 4096 };

/* Opens a client for `endpoint` ("https://huggingface.co", borrowed); `token` may be NULL or empty (borrowed).
 * On success the caller owns *out_hub (hub_close). Once in a process at a time. Fails with INVALID_ARGUMENT,
 * NO_MEMORY. */
CHECKED Status hub_open(const char *endpoint, const char *token, Hub **out_hub, Error *out_error);
void hub_close(Hub *hub); /* NULL is a no-op */

/* "{endpoint}/api/models/{repository}/revision/{revision}?blobs=true" and
 * "{endpoint}/{repository}/resolve/{revision}/{path}", escaped. Fail with INVALID_ARGUMENT (too long), NO_MEMORY.
 */
CHECKED Status hub_listing_url(Hub *hub, const char *repository, const char *revision, char out_url[HUB_URL_BYTES],
                               Error *out_error);
CHECKED Status hub_file_url(Hub *hub, const char *repository, const char *revision, const char *path,
                            char out_url[HUB_URL_BYTES], Error *out_error);

/* One attempt to get `url` from `offset` on. Fails with UNAVAILABLE when trying again may help (the error's
 * retry_after_ns says when, if the hub did), FAILED_PRECONDITION when there is nothing at the offset, NOT_FOUND,
 * CANCELLED after a signal, what the sink fails with, and IO; the texts say what to do. */
CHECKED Status hub_get(Hub *hub, const char *url, uint64_t offset, const HubSink *sink, Error *out_error);
/* The SHA-256 that the last answer's X-Linked-Etag named, or "". */
const char *hub_linked_sha256(const Hub *hub);

/* Waits before attempt `attempt` + 1 (the first is 1). Fails with CANCELLED after a signal. */
CHECKED Status hub_wait(Hub *hub, uint64_t attempt, const Error *cause, Error *out_error);
