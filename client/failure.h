/* What a failed call means: its code's name, when to try again, which input is to blame, and a text that says what
 * to do. */
#pragma once

#include "channel.h"

/* What a call's trailers may hold. */
enum { FAILURE_REPORT_BYTES_MAX = 8192 };

/* A plain value. */
typedef struct Failure {
    int code; /* gRPC's; 0: no failure */
    bool retry_hinted;
    uint64_t retry_after_ns; /* with retry_hinted */
    bool field_known;        /* the server said which field is wrong */
    bool input_known;        /* and it is an input */
    uint32_t input_index;    /* the server named inputs[input_index]; with input_known */
    char message[ERROR_MESSAGE_BYTES];
    uint8_t report[FAILURE_REPORT_BYTES_MAX]; /* a SanitizeReport on the wire: why a text was refused */
    size_t report_size;                       /* 0: that was not why */
} Failure;

enum {
    FAILURE_INVALID_ARGUMENT = 3,
    FAILURE_DEADLINE_EXCEEDED = 4,
    FAILURE_RESOURCE_EXHAUSTED = 8,
    FAILURE_UNIMPLEMENTED = 12,
    FAILURE_UNAVAILABLE = 14
};

void failure_read(const ChannelReply *reply, Failure *out_failure);
/* "UNAVAILABLE" */
const char *failure_code_name(int code);
/* Whether the same request may succeed later: UNAVAILABLE, and RESOURCE_EXHAUSTED when the server said when. */
bool failure_retryable(const Failure *failure);
/* How long to wait before attempt `attempt` + 1 (the first is 1): 0.1 s doubled each time up to 10 s, the upper
 * half of it at random, and never less than the server asked for. `random` is any 64 bits. */
uint64_t failure_backoff_ns(const Failure *failure, uint64_t attempt, uint64_t random);
/* The texts to blame among `count` that begin at `first`: the one that the server named, else all. False when it is not
 * for the texts that the request was refused. */
bool failure_blame(const Failure *failure, uint64_t first, size_t count, uint64_t *out_first, uint64_t *out_last);
/* Writes what the user reads; `address` is the server's, `location` ("line 7 of a.txt", or NULL) says what was
 * refused. Returns the Status. */
Status failure_explain(const Failure *failure, const char *address, const char *location, Error *out_error);
