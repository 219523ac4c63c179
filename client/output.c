#include "output.h"

#include "base/json.h"
#include "command.h"
#include "interrupt.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

const char *const output_format_names[] = {"text", "json", "jsonl", NULL};

void output_float(FILE *stream, float value)
{
    if (isfinite(value)) {
        fprintf(stream, "%.9g", (double)value);
    } else {
        fputs("null", stream);
    }
}

void output_floats(FILE *stream, const float *values, size_t count, const char *separator)
{
    for (size_t index = 0; index < count; index++) {
        if (index) fputs(separator, stream);
        output_float(stream, values[index]);
    }
}

void output_json_text(FILE *stream, TextView text)
{
    /* A failed write stays in the stream's error flag, which output_flush reads. */
    if (!json_write_string(stream, text)) return;
}

void output_plain_text(FILE *stream, TextView text)
{
    for (size_t index = 0; index < text.size; index++) {
        unsigned char byte = (unsigned char)text.bytes[index];
        /* C1 controls are two bytes in UTF-8: C2 80 to C2 9F. */
        bool c1 = byte == 0xC2 && index + 1 < text.size && ((unsigned char)text.bytes[index + 1] & 0xE0) == 0x80;
        if (byte < 0x20 || byte == 0x7F || c1) {
            fprintf(stream, "\\x%02X", byte);
            if (c1) fprintf(stream, "\\x%02X", (unsigned char)text.bytes[++index]);
        } else if (byte == '\\') {
            fputs("\\\\", stream);
        } else {
            putc(byte, stream);
        }
    }
}

bool output_broken(FILE *stream)
{
    return ferror(stream) != 0;
}

Status output_flush(FILE *stream, Error *out_error)
{
    errno = 0;
    bool failed_before = ferror(stream) != 0;
    if (fflush(stream) == 0 && !failed_before) return STATUS_OK;
    if (errno == EPIPE || errno == 0) return STATUS_OK;
    return error_set(out_error, STATUS_IO, "cannot write the output: %s", strerror(errno));
}

int output_end(void)
{
    Error error;
    return output_flush(stdout, &error) == STATUS_OK ? EXIT_DONE : output_fail(&error);
}

int output_fail(const Error *error)
{
    int signal = interrupt_signal();
    if (signal) return EXIT_SIGNAL_BASE + signal;
    fflush(stdout);
    fprintf(stderr, "headlight: %s\n", error->message);
    return error->status == STATUS_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_FAILED;
}

void output_note(bool quiet, const char *format, ...)
{
    if (quiet) return;
    va_list arguments;
    va_start(arguments, format);
    fputs("headlight: ", stderr);
    vfprintf(stderr, format, arguments);
    putc('\n', stderr);
    va_end(arguments);
}
