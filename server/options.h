/* What the user may set: one table, options.def, read from the command line and the environment. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdio.h>

enum { OPTION_LIST_MAX = 16 };

typedef struct OptionList {
    size_t count;
    char *items[OPTION_LIST_MAX];
} OptionList;

typedef char *OptionText;
typedef char *OptionChoice;
typedef uint64_t OptionNumber;

/* One member for each row of options.def, and the flags that have no variable. Texts are owned (options_close). */
typedef struct Options {
#define OPTION_TYPE_TEXT OptionText
#define OPTION_TYPE_LIST OptionList
#define OPTION_TYPE_NUMBER OptionNumber
#define OPTION_TYPE_CHOICE OptionChoice
#define OPTION(name, type, fallback, minimum, maximum, unit, text) OPTION_TYPE_##type name;
#include "options.def"
#undef OPTION
    bool help;
    bool version;
} Options;

/* Reads `arguments` ([count], without the program's name) over `environment` over the defaults. `environment`
 * gives a variable's value or NULL, as getenv. On success the caller owns *out_options (options_close); on failure
 * it is untouched. Fails with INVALID_ARGUMENT (an unknown flag with the nearest known one, a value out of its
 * range, a flag given twice), NO_MEMORY. */
CHECKED Status options_parse(int count, const char *const *arguments, char *(*environment)(const char *name),
                             Options *out_options, Error *out_error);
void options_close(Options *options); /* a zeroed one is a no-op */

/* Prints every flag with its variable, default and range. */
void options_print_help(FILE *stream, const char *program);
