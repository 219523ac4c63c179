/* headlightd: options in, exit code out. */
#include "base/file.h"
#include "base/log.h"
#include "options.h"
#include "service.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

/* Ahead of main and of the libraries' own initializers: one of gRPC's opens a descriptor. */
static void (*const main_preinit)(void) __attribute__((section(".preinit_array"), used)) = file_hold_standard;

/* Memory that a request freed goes back, or is used by the next: few arenas, and large blocks that are mapped.
 * Both are set because glibc otherwise raises its thresholds with every large block freed, and the resident set
 * with them. */
static void main_bound_heap(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_TRIM_THRESHOLD, 4 * 1024 * 1024);
}

static int main_print(const Options *options)
{
    if (options->help) {
        options_print_help(stdout, "headlightd");
    } else {
        puts("headlightd " HEADLIGHT_VERSION);
    }
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_SUCCESS;
    fprintf(stderr, "headlightd: cannot write the output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

static int main_run(const Options *options)
{
    LogLevel level;
    if (!log_level_parse(options->log_level, &level)) level = LOG_INFO;
    log_configure(level, options->log_format[0] == 'j' ? LOG_JSON : LOG_TEXT);
    return service_run(options);
}

int main(int argument_count, char **arguments)
{
    main_bound_heap();
    Options options = {0};
    Error error;
    if (options_parse(argument_count - 1, (const char *const *)arguments + 1, getenv, &options, &error)) {
        fprintf(stderr, "headlightd: %s\n", error.message);
        return EXIT_USAGE;
    }
    int exit_code = options.help || options.version ? main_print(&options) : main_run(&options);
    options_close(&options);
    return exit_code;
}
