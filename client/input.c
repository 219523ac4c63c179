#include "input.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INPUT_BUFFER_BYTES = 256 * 1024 }; /* at first; it grows to hold the longest text */

struct Input {
    InputSource source;
    int descriptor; /* -1: arguments */
    char name[INPUT_LOCATION_BYTES - 144];
    uint64_t text_count; /* given out */
    char *buffer;        /* [capacity]; [begin, end) is not given out yet, [begin, searched) holds no separator */
    size_t capacity, begin, searched, end;
    bool ended;
};

Status input_open(const InputSource *source, Input **out_input, Error *out_error)
{
    if (source->argument_count > 0 && source->file) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "give texts as arguments or --file, not both");
    }
    Input *input = calloc(1, sizeof *input);
    if (!input) return error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    *input = (Input){.source = *source, .descriptor = -1};
    if (source->argument_count > 0) {
        *out_input = input;
        return STATUS_OK;
    }
    bool standard = !source->file || strcmp(source->file, "-") == 0;
    snprintf(input->name, sizeof input->name, "%s", standard ? "standard input" : source->file);
    input->descriptor = standard ? STDIN_FILENO : open(source->file, O_RDONLY | O_CLOEXEC);
    Status status = STATUS_OK;
    if (input->descriptor < 0) {
        status = error_set(out_error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s", source->file,
                           strerror(errno));
    } else if (!(input->buffer = malloc(INPUT_BUFFER_BYTES))) {
        status = error_set(out_error, STATUS_NO_MEMORY, "out of memory");
    }
    if (status != STATUS_OK) {
        input_close(input);
        return status;
    }
    input->capacity = INPUT_BUFFER_BYTES;
    *out_input = input;
    return STATUS_OK;
}

void input_close(Input *input)
{
    if (!input) return;
    if (input->descriptor > STDIN_FILENO) close(input->descriptor);
    free(input->buffer);
    free(input);
}

bool input_interactive(const Input *input)
{
    return input->descriptor >= 0 && isatty(input->descriptor);
}

bool input_from_arguments(const Input *input)
{
    return input->descriptor < 0;
}

void input_locate(const Input *input, uint64_t first, uint64_t last, char out_location[INPUT_LOCATION_BYTES])
{
    bool arguments = input_from_arguments(input);
    const char *noun = arguments || input->source.null_separated ? "text" : "line";
    char numbers[64];
    if (first == last) {
        snprintf(numbers, sizeof numbers, "%s %" PRIu64, noun, first + 1);
    } else {
        snprintf(numbers, sizeof numbers, "%ss %" PRIu64 " to %" PRIu64, noun, first + 1, last + 1);
    }
    snprintf(out_location, INPUT_LOCATION_BYTES, "%s%s%s", numbers, arguments ? "" : " of ", input->name);
}

void input_wait(const Input *input, int timeout_ms)
{
    if (input_from_arguments(input)) return;
    struct pollfd wanted = {.fd = input->descriptor, .events = POLLIN};
    (void)poll(&wanted, 1, timeout_ms); /* whatever it says, input_next looks again */
}

/* Counts the text and checks it. */
static InputState input_give(Input *input, TextView text, TextView *out_text, Error *out_error)
{
    char location[INPUT_LOCATION_BYTES];
    input_locate(input, input->text_count, input->text_count, location);
    input->text_count++;
    if (text.size > TEXT_BYTES_MAX) {
        error_set(out_error, STATUS_RESOURCE_EXHAUSTED, "%s is longer than %" PRIu64 " bytes; split the text",
                  location, (uint64_t)TEXT_BYTES_MAX);
        return INPUT_FAILED;
    }
    size_t invalid = input->source.malformed ? text.size : input_find_invalid(text);
    if (invalid < text.size) {
        error_set(out_error, STATUS_CORRUPT,
                  "%s is not UTF-8: byte %zu is 0x%02X; convert the text first, for example with iconv -t UTF-8",
                  location, invalid + 1, (unsigned char)text.bytes[invalid]);
        return INPUT_FAILED;
    }
    *out_text = text;
    return INPUT_TEXT;
}

/* Makes room behind `end`: by moving what is left to the front, then by growing up to one text and its separator.
 */
static bool input_make_room(Input *input, Error *out_error)
{
    if (input->end < input->capacity) return true;
    if (input->begin > 0) {
        memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
        input->end -= input->begin;
        input->searched -= input->begin;
        input->begin = 0;
        if (input->end < input->capacity) return true;
    }
    if (input->end > TEXT_BYTES_MAX + 1) return true; /* input_next refuses it */
    size_t capacity = input->capacity * 2 < TEXT_BYTES_MAX + 2 ? input->capacity * 2 : TEXT_BYTES_MAX + 2;
    char *grown = realloc(input->buffer, capacity);
    if (!grown) {
        error_set(out_error, STATUS_NO_MEMORY, "out of memory for a text of %zu bytes", input->end);
        return false;
    }
    input->buffer = grown;
    input->capacity = capacity;
    return true;
}

/* Reads once if that doesn't block. INPUT_TEXT: bytes came, or the end. */
static InputState input_fill(Input *input, Error *out_error)
{
    struct pollfd wanted = {.fd = input->descriptor, .events = POLLIN};
    /* A signal may interrupt even a poll that does not wait; a read now would miss it. */
    if (poll(&wanted, 1, 0) <= 0) return INPUT_WAIT;
    if (!input_make_room(input, out_error)) return INPUT_FAILED;
    ssize_t count = read(input->descriptor, input->buffer + input->end, input->capacity - input->end);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return INPUT_WAIT;
    if (count < 0) {
        error_set(out_error, STATUS_IO, "%s: %s", input->name, strerror(errno));
        return INPUT_FAILED;
    }
    if (count == 0) input->ended = true;
    input->end += (size_t)count;
    return INPUT_TEXT;
}

static InputState input_next_line(Input *input, TextView *out_text, Error *out_error)
{
    int separator = input->source.null_separated ? '\0' : '\n';
    for (;;) {
        char *from = input->buffer + input->searched;
        char *found = memchr(from, separator, input->end - input->searched);
        size_t stop = found ? (size_t)(found - input->buffer) : input->end;
        TextView text = {input->buffer + input->begin, stop - input->begin};
        /* One byte more than a text: it may be the carriage return before the line feed. */
        if (found || text.size > TEXT_BYTES_MAX + 1 || (input->ended && text.size > 0)) {
            input->begin = input->searched = found ? stop + 1 : stop;
            if (found && separator == '\n' && text.size > 0 && text.bytes[text.size - 1] == '\r') text.size--;
            return input_give(input, text, out_text, out_error);
        }
        if (input->ended) return INPUT_END;
        input->searched = input->end;
        InputState state = input_fill(input, out_error);
        if (state != INPUT_TEXT) return state;
    }
}

InputState input_next(Input *input, TextView *out_text, Error *out_error)
{
    if (!input_from_arguments(input)) return input_next_line(input, out_text, out_error);
    if (input->text_count == input->source.argument_count) return INPUT_END;
    return input_give(input, text_view(input->source.arguments[input->text_count]), out_text, out_error);
}

size_t input_find_invalid(TextView text)
{
    for (size_t position = 0; position < text.size;) {
        size_t length = text_utf8_size(text.bytes + position, text.size - position);
        if (length == 0) return position;
        position += length;
    }
    return text.size;
}
