#include "options.h"

#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Status options_store(const Option *option, void *settings, const char *source, const char *value,
                            Error *out_error);

static Status options_fill(const OptionParse *parse, const Option *option, Error *out_error)
{
    if (option->initial) {
        Status status = options_store(option, parse->settings, option->name, option->initial, out_error);
        assert(status == STATUS_OK && "an initial value is within its own limits");
    }
    const char *value = option->environment ? getenv(option->environment) : NULL;
    if (!value || !*value) return STATUS_OK;
    return options_store(option, parse->settings, option->environment, value, out_error);
}

static const Option *options_find(const OptionParse *parse, const char *name, size_t size)
{
    for (size_t table = 0; table < parse->table_count; table++) {
        for (size_t index = 0; index < parse->tables[table].count; index++) {
            const Option *option = &parse->tables[table].options[index];
            if (strlen(option->name) == size && memcmp(option->name, name, size) == 0) return option;
        }
    }
    return NULL;
}

static Status options_unknown(const OptionParse *parse, const char *argument, TextView name, Error *out_error)
{
    const char *nearest = NULL;
    size_t distance = SIZE_MAX;
    for (size_t table = 0; table < parse->table_count; table++) {
        for (size_t index = 0; index < parse->tables[table].count; index++) {
            const char *known = parse->tables[table].options[index].name;
            if (text_is_nearer(name, text_view(known), &distance)) nearest = known;
        }
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "unknown option %s%s%s%s", argument,
                     nearest ? " (did you mean --" : "", nearest ? nearest : "", nearest ? "?)" : "");
}

/* Takes the flag at arguments[*position] and its value; moves *position past both. */
static Status options_take(OptionParse *parse, size_t *position, Error *out_error)
{
    const char *argument = parse->arguments[(*position)++];
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    const Option *option = options_find(parse, name, size);
    bool negated = false;
    if (!option && size > 3 && strncmp(name, "no-", 3) == 0) {
        option = options_find(parse, name + 3, size - 3);
        negated = option && option->kind == OPTION_SWITCH;
        if (!negated) option = NULL;
    }
    if (!option) return options_unknown(parse, argument, (TextView){name, size}, out_error);
    if (option->kind == OPTION_FLAG || option->kind == OPTION_SWITCH) {
        if (equals) return error_set(out_error, STATUS_INVALID_ARGUMENT, "--%s takes no value", option->name);
        return options_store(option, parse->settings, argument, negated ? "no" : "yes", out_error);
    }
    const char *value = equals ? equals + 1 : NULL;
    if (!value) {
        if (*position == parse->argument_count) {
            return error_set(out_error, STATUS_INVALID_ARGUMENT, "--%s needs a value: --%s %s", option->name,
                             option->name, option->argument);
        }
        value = parse->arguments[(*position)++];
    }
    char flag[64];
    snprintf(flag, sizeof flag, "--%s", option->name);
    return options_store(option, parse->settings, flag, value, out_error);
}

Status options_parse(OptionParse *parse, Error *out_error)
{
    for (size_t table = 0; table < parse->table_count; table++) {
        for (size_t index = 0; index < parse->tables[table].count; index++) {
            Status status = options_fill(parse, &parse->tables[table].options[index], out_error);
            if (status != STATUS_OK) return status;
        }
    }
    size_t positional_count = 0;
    bool options_ended = false;
    for (size_t position = 0; position < parse->argument_count;) {
        char *argument = parse->arguments[position];
        if (options_ended || argument[0] != '-' || argument[1] == '\0') {
            parse->arguments[positional_count++] = argument;
            position++;
        } else if (strcmp(argument, "--") == 0) {
            options_ended = true;
            position++;
        } else if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            parse->help_wanted = true;
            return STATUS_OK;
        } else if (argument[1] != '-') {
            return error_set(out_error, STATUS_INVALID_ARGUMENT,
                             "unknown option %s; a text that begins with '-' goes after --", argument);
        } else {
            Status status = options_take(parse, &position, out_error);
            if (status != STATUS_OK) return status;
        }
    }
    parse->argument_count = positional_count;
    return STATUS_OK;
}

static bool options_parse_number(const char *value, double *out_number)
{
    char *end;
    *out_number = strtod(value, &end);
    return end != value && *end == '\0' && isfinite(*out_number);
}

static Status options_store_number(const Option *option, void *target, const char *source, const char *value,
                                   Error *out_error)
{
    double number;
    bool whole = option->kind == OPTION_COUNT || option->kind == OPTION_MAYBE;
    if (!options_parse_number(value, &number) || (whole && number != floor(number))) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: '%s' is not a %s", source, value,
                         whole ? "whole number" : "number");
    }
    if (number < option->min || number > option->max) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: %s is outside %.16g to %.16g", source, value,
                         option->min, option->max);
    }
    if (option->kind == OPTION_NUMBER) {
        *(double *)target = number;
    } else {
        *(uint64_t *)target =
            (uint64_t)(whole ? number : number * (double)NS_PER_S) + (option->kind == OPTION_MAYBE);
    }
    return STATUS_OK;
}

static Status options_store_choice(const Option *option, uint64_t *target, const char *source, const char *value,
                                   Error *out_error)
{
    char names[128] = "";
    for (uint64_t index = 0; option->choices[index]; index++) {
        if (strcmp(option->choices[index], value) == 0) {
            *target = index;
            return STATUS_OK;
        }
        text_list_add(names, sizeof names, text_view(option->choices[index]));
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: '%s' is none of: %s", source, value, names);
}

/* Variables say yes or no in any of the usual ways; flags only ever pass "yes" and "no". */
static Status options_store_boolean(const Option *option, void *target, const char *source, const char *value,
                                    Error *out_error)
{
    static const char *const truths[] = {"1", "yes", "true", "on", "0", "no", "false", "off"};
    size_t index = 0;
    while (index < 8 && strcmp(truths[index], value) != 0) index++;
    if (index == 8)
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s: '%s' is neither yes nor no", source, value);
    bool truth = index < 4;
    if (option->kind == OPTION_FLAG) {
        *(bool *)target = truth;
    } else {
        *(OptionSwitch *)target = truth ? OPTION_ON : OPTION_OFF;
    }
    return STATUS_OK;
}

static Status options_append(OptionList *list, const char *source, const char *value, Error *out_error)
{
    if (list->count == OPTION_LIST_MAX)
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s was given more than %d times", source,
                         OPTION_LIST_MAX);
    list->values[list->count++] = value;
    return STATUS_OK;
}

/* `source` names the flag or the variable in messages. */
static Status options_store(const Option *option, void *settings, const char *source, const char *value,
                            Error *out_error)
{
    void *target = (char *)settings + option->offset;
    switch (option->kind) {
    case OPTION_FLAG:
    case OPTION_SWITCH:
        return options_store_boolean(option, target, source, value, out_error);
    case OPTION_TEXT:
        *(const char **)target = value;
        return STATUS_OK;
    case OPTION_LIST:
        return options_append(target, source, value, out_error);
    case OPTION_COUNT:
    case OPTION_MAYBE:
    case OPTION_NUMBER:
    case OPTION_SECONDS:
        return options_store_number(option, target, source, value, out_error);
    case OPTION_CHOICE:
        return options_store_choice(option, target, source, value, out_error);
    }
    assert(!"every kind is handled");
    return STATUS_OK;
}

static void options_print_one(FILE *stream, const Option *option)
{
    fprintf(stream, "  --%s%s", option->kind == OPTION_SWITCH ? "[no-]" : "", option->name);
    for (size_t i = 0; option->choices && option->choices[i]; i++)
        fprintf(stream, "%s%s", i == 0 ? " " : "|", option->choices[i]);
    if (option->argument && !option->choices) fprintf(stream, " %s", option->argument);
    fprintf(stream, "\n      %s", option->help);
    const char *separator = " (";
    if (option->initial && *option->initial) {
        fprintf(stream, "%sdefault %s", separator, option->initial);
        separator = "; ";
    }
    if (option->min < option->max) {
        fprintf(stream, "%s%.16g to %.16g", separator, option->min, option->max);
        separator = "; ";
    }
    if (option->environment) {
        fprintf(stream, "%s%s", separator, option->environment);
        separator = "; ";
    }
    fputs(*separator == ';' ? ")\n" : "\n", stream);
}

void options_print(FILE *stream, const Option *options, size_t count)
{
    for (size_t index = 0; index < count; index++) options_print_one(stream, &options[index]);
}
