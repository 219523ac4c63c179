/* Command-line options as a table: one row says the flag, its environment variable, its limits and its help. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdio.h>

typedef enum OptionKind {
    OPTION_FLAG,    /* bool: --name */
    OPTION_SWITCH,  /* OptionSwitch: --name, --no-name, or neither */
    OPTION_TEXT,    /* const char *: borrowed from the arguments or the environment */
    OPTION_LIST,    /* OptionList: such texts, one each time that the flag is given */
    OPTION_COUNT,   /* uint64_t: a whole number in [min, max] */
    OPTION_MAYBE,   /* uint64_t: one more than that, where 0 is another number than none */
    OPTION_NUMBER,  /* double in [min, max] */
    OPTION_SECONDS, /* uint64_t nanoseconds; given as seconds with a fraction, in [min, max] */
    OPTION_CHOICE,  /* uint64_t: the index into choices */
} OptionKind;

typedef enum OptionSwitch { OPTION_UNSET, OPTION_OFF, OPTION_ON } OptionSwitch;

enum { OPTION_LIST_MAX = 16 };
typedef struct OptionList {
    const char *values[OPTION_LIST_MAX];
    size_t count;
} OptionList;

typedef struct Option {
    const char *name;        /* without the dashes */
    const char *argument;    /* what the usage calls the value; NULL for flags and switches */
    const char *environment; /* the variable that is read when the flag is absent; NULL: none */
    OptionKind kind;
    size_t offset;       /* of the value in the settings */
    const char *initial; /* parsed like a given value; NULL: zero, unset, absent */
    double min, max;
    const char *const *choices; /* ends with NULL */
    const char *help;
} Option;

/* The tables that are searched together; a value's offset is relative to `settings`. */
typedef struct OptionTable {
    const Option *options;
    size_t count;
} OptionTable;

typedef struct OptionParse {
    const OptionTable *tables;
    size_t table_count;
    void *settings;
    char **arguments; /* in: what follows the command; out: the positional ones, in place */
    size_t argument_count;
    bool help_wanted; /* out: --help or -h came; parsing stopped there */
} OptionParse;

/* Fills the settings from initial values, then the environment, then the arguments (later ones win). `--` ends the
 * options. Fails with INVALID_ARGUMENT and a text that names the flag or the variable. */
CHECKED Status options_parse(OptionParse *parse, Error *out_error);
/* One paragraph an option: flag, help, default, limits, environment. */
void options_print(FILE *stream, const Option *options, size_t count);
