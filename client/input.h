/* Texts from the arguments, a file or standard input, one at a time: memory for one text, whatever the input's
 * size. */
#pragma once

#include "base/status.h"
#include "base/text.h"

typedef struct Input Input;

typedef struct InputSource {
    char *const *arguments; /* lives as long as the input */
    size_t argument_count;
    const char *file;    /* NULL: the arguments, or standard input when there are none; "-": standard input */
    bool null_separated; /* NUL ends a text instead of a line feed */
    bool malformed;      /* texts need not be UTF-8 */
} InputSource;

typedef enum InputState {
    INPUT_TEXT, /* there is one */
    INPUT_WAIT, /* none yet; input_wait says when */
    INPUT_END,
    INPUT_FAILED,
} InputState;

enum { INPUT_LOCATION_BYTES = 400 };

/* Opens the source. On success the caller owns *out_input (input_close). Fails with INVALID_ARGUMENT (arguments
 * and a file), NOT_FOUND, IO, NO_MEMORY. */
CHECKED Status input_open(const InputSource *source, Input **out_input, Error *out_error);
void input_close(Input *input); /* NULL is a no-op */
/* Whether texts come from a terminal's keyboard. */
bool input_interactive(const Input *input);
/* Whether the texts are the arguments. */
bool input_from_arguments(const Input *input);

/* The next text, valid UTF-8 unless the source may be malformed, without its separator (NUL; or LF, and CR before it);
 * the view lives until the next call. Every line is a text, also an empty one, so that results keep the lines' order
 * and count. INPUT_FAILED: out_error names the line: invalid UTF-8, more than TEXT_BYTES_MAX bytes, a failed read. */
InputState input_next(Input *input, TextView *out_text, Error *out_error);
/* Waits up to `timeout_ms` until input_next has news; returns early when a signal came. */
void input_wait(const Input *input, int timeout_ms);
/* Writes where the texts `first` to `last` (from 0) stand: "line 7 of texts.txt", "texts 2 to 5". */
void input_locate(const Input *input, uint64_t first, uint64_t last, char out_location[INPUT_LOCATION_BYTES]);

/* The position of the first byte that is not UTF-8 (RFC 3629), or text.size. */
size_t input_find_invalid(TextView text);
