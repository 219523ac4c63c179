/* A command of `headlight`: its words, its options and what it does. A new one is a row in commands.def and a file
 * that defines `<name>_command`. */
#pragma once

#include "options.h"

#include <stddef.h>

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* the request, not the words it was asked in */
    EXIT_USAGE = 2,
    EXIT_REFUSED = 3,       /* a text, for what the sanitizer found in it */
    EXIT_SIGNAL_BASE = 128, /* plus the signal, as shells say it */
};

/* Which of the shared options a command takes (options_shared). */
enum {
    COMMAND_OUTPUT = 1, /* --format --quiet */
    COMMAND_SERVER = 2, /* --address --deadline */
    COMMAND_RETRIES = 4,
    COMMAND_MODEL = 8,
    COMMAND_TEXTS = 16,     /* --file --null: the settings begin with TextsSettings, as for all that follow */
    COMMAND_LENGTH = 32,    /* --length-policy --truncate */
    COMMAND_BATCH = 64,     /* --batch */
    COMMAND_CHUNKS = 128,   /* --chunk-tokens --chunk-overlap */
    COMMAND_SANITIZE = 256, /* --sanitize and what belongs to it */
    COMMAND_QUIET = 512,    /* --quiet alone: the command has formats of its own */
};

/* The shared options' values; the first member of every command's own settings. */
typedef struct Settings {
    uint64_t format; /* OutputFormat */
    bool quiet;
    const char *address;
    uint64_t deadline_ns; /* for one request with all its retries */
    uint64_t retry_count;
    const char *model; /* empty: the server's default */
} Settings;

typedef struct Command {
    const char *name;
    const char *arguments; /* for the usage line: "[TEXT...]"; empty: it takes none */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs and examples for `headlight help NAME` */
    const Option *options; /* its own */
    size_t option_count;
    size_t settings_size; /* of a struct that begins with Settings */
    unsigned shared;      /* COMMAND_* */
    /* Returns the exit code. `settings` and `arguments` live until it returns. */
    int (*run)(const void *settings, char *const *arguments, size_t argument_count);
} Command;

#define COMMAND(name) extern const Command name##_command;
#include "commands.def"
#undef COMMAND

/* Finds a command by name; NULL when there is none. */
const Command *command_find(const char *name);
/* Parses `arguments` (after the command's name), runs it, and returns the exit code; says what is wrong on stderr.
 */
int command_run(const Command *command, char **arguments, size_t argument_count);
/* Prints the list of commands, or one command's usage and options. */
void command_print_all(void);
void command_print_help(const Command *command);
