#include "base/log.h"

#include "base/json.h"

#include <assert.h>
#include <errno.h>
#include <linux/limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_DETAILS_BYTES = 1024, /* longer details are cut: twice an Error's message */
    LOG_TIME_BYTES = 32,
    LOG_WAIT_MS = 10,
    LOG_LINE_BYTES = 4096, /* escaping JSON triples a byte at most: an invalid one becomes U+FFFD */
};

static const char *const log_level_names[] = {"debug", "info", "warning", "error"};

static_assert(LOG_LINE_BYTES <= PIPE_BUF, "a pipe with room takes a whole line");

/* Written before threads start, read by all. */
static LogLevel log_minimum = LOG_INFO;
static LogFormat log_format = LOG_TEXT;

void log_configure(LogLevel minimum, LogFormat format)
{
    log_minimum = minimum;
    log_format = format;
}

bool log_level_parse(const char *name, LogLevel *out_level)
{
    for (LogLevel level = LOG_DEBUG; level <= LOG_ERROR; level++) {
        if (strcmp(name, log_level_names[level]) == 0) {
            *out_level = level;
            return true;
        }
    }
    return false;
}

/* "2026-01-31T12:00:00.000Z": sorts as text, has no time zone to guess. */
static void log_write_time(char out_time[LOG_TIME_BYTES])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(out_time, LOG_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out_time + used, LOG_TIME_BYTES - used, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static size_t log_line_text(char line[LOG_LINE_BYTES], LogLevel level, const char *event, const char *details)
{
    char time_text[LOG_TIME_BYTES];
    log_write_time(time_text);
    int size =
        snprintf(line, LOG_LINE_BYTES, "%s %-7s %s %s\n", time_text, log_level_names[level], event, details);
    assert(size > 0 && size < LOG_LINE_BYTES);
    return (size_t)size;
}

/* 0 when the stream cannot be made: the caller then writes text, which needs no memory. */
static size_t log_line_json(char line[LOG_LINE_BYTES], LogLevel level, const char *event, const char *details)
{
    FILE *stream = fmemopen(line, LOG_LINE_BYTES, "w");
    if (!stream) return 0;
    char time_text[LOG_TIME_BYTES];
    log_write_time(time_text);
    fprintf(stream, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\",\"details\":", time_text,
            log_level_names[level], event);
    bool written = json_write_string(stream, text_view(details));
    written = fputs("}\n", stream) >= 0 && written;
    long size = ftell(stream);
    written = fclose(stream) == 0 && written;
    return written && size > 0 ? (size_t)size : 0;
}

/* Who does not read our log must not stop us: a line that finds no room soon is dropped. A pipe that takes any takes
 * PIPE_BUF bytes at once, which is a line. */
static bool log_has_room(void)
{
    struct pollfd wanted = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&wanted, 1, LOG_WAIT_MS) != 0; /* what else is wrong, write says */
}

static void log_write(const char *line, size_t size)
{
    for (size_t done = 0; done < size;) {
        if (!log_has_room()) return;
        ssize_t written = write(STDERR_FILENO, line + done, size - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; /* nobody reads our log: serving goes on */
        done += (size_t)written;
    }
}

void log_event(LogLevel level, const char *event, const char *format, ...)
{
    assert(level >= LOG_DEBUG && level <= LOG_ERROR && strlen(event) < 128);
    if (level < log_minimum) return;
    int saved_errno = errno;
    char details[LOG_DETAILS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(details, sizeof details, format, arguments);
    va_end(arguments);
    /* A newline or an escape sequence in a file's name may not forge a line or steer a terminal. */
    text_clean(details);
    char line[LOG_LINE_BYTES];
    size_t size = log_format == LOG_JSON ? log_line_json(line, level, event, details) : 0;
    if (size == 0) size = log_line_text(line, level, event, details);
    log_write(line, size);
    errno = saved_errno;
}
