/* Lines on standard error: one event a line, never a client's text. */
#pragma once

#include "base/status.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;
typedef enum LogFormat { LOG_TEXT, LOG_JSON } LogFormat;

/* Sets what is written from now on. Before threads start. */
void log_configure(LogLevel minimum, LogFormat format);
/* Writes one line: time, level, event, details. `event` is a stable word ("model_loaded"); the details are for
 * people. One write(2) a line, so lines of several threads never mix. Any thread. */
void log_event(LogLevel level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Parses "debug", "info", "warning" or "error". */
bool log_level_parse(const char *name, LogLevel *out_level);
