#include "options.h"

#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionType { TYPE_TEXT, TYPE_LIST, TYPE_NUMBER, TYPE_CHOICE, TYPE_SWITCH } OptionType;

typedef struct OptionRow {
    const char *name; /* with underscores */
    OptionType type;
    size_t offset; /* of its member in Options */
    const char *fallback;
    uint64_t minimum;
    uint64_t maximum;
    const char *unit;
    const char *text;
} OptionRow;

static const OptionRow rows[] = {
#define OPTION(name, type, fallback, minimum, maximum, unit, text) \
    {#name, TYPE_##type, offsetof(Options, name), fallback, minimum, maximum, unit, text},
#include "options.def"
#undef OPTION
    {"help", TYPE_SWITCH, offsetof(Options, help), "", 0, 0, "", "Print this and exit"},
    {"version", TYPE_SWITCH, offsetof(Options, version), "", 0, 0, "", "Print the version and exit"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0], NAME_BYTES = 64, NUMBER_BYTES = 32 };

/* Of bytes; each is 1,024 of the one before. */
static const char *const suffixes[] = {"", "KiB", "MiB", "GiB"};
enum { SUFFIX_COUNT = sizeof suffixes / sizeof suffixes[0] };

static Status options_read_environment(Options *options, char *(*environment)(const char *name), Error *out_error);
static Status options_read_arguments(Options *options, int count, const char *const *arguments, Error *out_error);
static Status row_set(const OptionRow *row, Options *options, const char *value, const char *source,
                      Error *out_error);
static Status row_set_list(const OptionRow *row, Options *options, const char *values, const char *source,
                           Error *out_error);
static void row_reset(const OptionRow *row, Options *options);
static const OptionRow *row_find(const char *flag, size_t size);
static Status row_unknown(const char *argument, size_t size, Error *out_error);

Status options_parse(int count, const char *const *arguments, char *(*environment)(const char *name),
                     Options *out_options, Error *out_error)
{
    Options options = {0};
    Status status = STATUS_OK;
    for (size_t i = 0; i < ROW_COUNT && !status; i++) {
        if (rows[i].type == TYPE_SWITCH || (rows[i].type == TYPE_LIST && !rows[i].fallback[0])) continue;
        status = row_set(&rows[i], &options, rows[i].fallback, "default", out_error);
    }
    if (!status) status = options_read_environment(&options, environment, out_error);
    if (!status) status = options_read_arguments(&options, count, arguments, out_error);
    if (status) {
        options_close(&options);
        return status;
    }
    *out_options = options;
    return STATUS_OK;
}

void options_close(Options *options)
{
    for (size_t i = 0; i < ROW_COUNT; i++) row_reset(&rows[i], options);
}

/* "max_batch_tokens" as "max-batch-tokens" or "HEADLIGHT_MAX_BATCH_TOKENS". */
static const char *row_flag(const OptionRow *row, char buffer[NAME_BYTES])
{
    size_t i = 0;
    for (; row->name[i] && i + 1 < NAME_BYTES; i++) buffer[i] = row->name[i] == '_' ? '-' : row->name[i];
    buffer[i] = '\0';
    return buffer;
}

static const char *row_variable(const OptionRow *row, char buffer[NAME_BYTES])
{
    int used = snprintf(buffer, NAME_BYTES, "HEADLIGHT_%s", row->name);
    for (int i = 0; i < used && i < NAME_BYTES; i++) buffer[i] = (char)toupper((unsigned char)buffer[i]);
    return buffer;
}

static bool row_is_bytes(const OptionRow *row)
{
    return strcmp(row->unit, "bytes") == 0;
}

/* As number_parse takes it. */
static const char *number_text(const OptionRow *row, uint64_t number, char buffer[NUMBER_BYTES])
{
    unsigned suffix = 0;
    for (; row_is_bytes(row) && suffix + 1 < SUFFIX_COUNT && number > 0 && number % 1024 == 0; suffix++)
        number /= 1024;
    snprintf(buffer, NUMBER_BYTES, "%" PRIu64 "%s", number, suffixes[suffix]);
    return buffer;
}

static void row_print_help(FILE *stream, const OptionRow *row)
{
    char minimum[NUMBER_BYTES];
    char maximum[NUMBER_BYTES];
    char flag[NAME_BYTES];
    char variable[NAME_BYTES];
    fprintf(stream, "  --%s", row_flag(row, flag));
    if (row->unit[0]) fprintf(stream, " <%s>", row->unit);
    fprintf(stream, "\n        %s", row->text);
    if (row->type == TYPE_NUMBER)
        fprintf(stream, " [%s to %s]", number_text(row, row->minimum, minimum),
                number_text(row, row->maximum, maximum));
    if (row->fallback[0]) fprintf(stream, " [default: %s]", row->fallback);
    if (row->type != TYPE_SWITCH) fprintf(stream, " [%s]", row_variable(row, variable));
    fputc('\n', stream);
}

void options_print_help(FILE *stream, const char *program)
{
    fprintf(stream,
            "Serves Hugging Face encoder checkpoints over gRPC.\n\n"
            "Usage: %s [--model DIR] [--listen 127.0.0.1:50051] [flags]\n\n",
            program);
    for (size_t i = 0; i < ROW_COUNT; i++) row_print_help(stream, &rows[i]);
}

static Status options_read_environment(Options *options, char *(*environment)(const char *name), Error *out_error)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char variable[NAME_BYTES];
        if (rows[i].type == TYPE_SWITCH) continue;
        const char *value = environment(row_variable(&rows[i], variable));
        if (!value || !value[0]) continue;
        row_reset(&rows[i], options);
        Status status = rows[i].type == TYPE_LIST ? row_set_list(&rows[i], options, value, variable, out_error)
                                                  : row_set(&rows[i], options, value, variable, out_error);
        if (status) return status;
    }
    return STATUS_OK;
}

/* One argument, and the value behind it where it needs one. `*index` is left on the last one read. */
static Status argument_read(Options *options, int count, const char *const *arguments, int *index, bool *given,
                            Error *out_error)
{
    const char *argument = arguments[*index];
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0') {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "'%s' is no flag: flags start with --", argument);
    }
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    const OptionRow *row = row_find(name, size);
    if (!row) return row_unknown(name, size, out_error);
    char source[NAME_BYTES + 2];
    snprintf(source, sizeof source, "--%.*s", (int)size, name);
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    if (row->type == TYPE_SWITCH) {
        if (value) return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s takes no value", source);
        value = "";
    } else if (!value) {
        if (*index + 1 == count) return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s needs a value", source);
        value = arguments[++*index];
    }
    bool *row_given = &given[row - rows];
    if (*row_given && row->type != TYPE_LIST) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s is given twice", source);
    }
    if (!*row_given) row_reset(row, options);
    *row_given = true;
    return row_set(row, options, value, source, out_error);
}

static Status options_read_arguments(Options *options, int count, const char *const *arguments, Error *out_error)
{
    bool given[ROW_COUNT] = {false};
    for (int i = 0; i < count; i++) {
        Status status = argument_read(options, count, arguments, &i, given, out_error);
        if (status) return status;
    }
    return STATUS_OK;
}

static const OptionRow *row_find(const char *flag, size_t size)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[NAME_BYTES];
        row_flag(&rows[i], name);
        if (strlen(name) == size && memcmp(name, flag, size) == 0) return &rows[i];
    }
    return NULL;
}

static Status row_unknown(const char *argument, size_t size, Error *out_error)
{
    char nearest[NAME_BYTES] = "";
    size_t distance = SIZE_MAX;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[NAME_BYTES];
        row_flag(&rows[i], name);
        if (text_is_nearer((TextView){argument, size}, text_view(name), &distance))
            memcpy(nearest, name, sizeof nearest);
    }
    if (!nearest[0]) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "unknown flag --%.*s: see --help", (int)size,
                         argument);
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "unknown flag --%.*s: did you mean --%s?", (int)size,
                     argument, nearest);
}

static Status text_set(char **text, const char *value, Error *out_error)
{
    *text = strdup(value);
    return *text ? STATUS_OK : error_set(out_error, STATUS_NO_MEMORY, "options: out of memory");
}

/* "4096", and with the unit bytes "4KiB". */
static bool number_parse(const char *value, bool bytes, uint64_t *out_number)
{
    if (!isdigit((unsigned char)value[0])) return false;
    char *end;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (errno) return false;
    for (unsigned i = 0; i < (bytes ? SUFFIX_COUNT : 1u); i++) {
        if (strcmp(end, suffixes[i]) != 0) continue;
        if (number > UINT64_MAX >> (10 * i)) return false;
        *out_number = number << (10 * i);
        return true;
    }
    return false;
}

static Status number_set(const OptionRow *row, uint64_t *number, const char *value, const char *source,
                         Error *out_error)
{
    uint64_t parsed;
    char minimum[NUMBER_BYTES];
    char maximum[NUMBER_BYTES];
    if (number_parse(value, row_is_bytes(row), &parsed) && parsed >= row->minimum && parsed <= row->maximum) {
        *number = parsed;
        return STATUS_OK;
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s is '%s': it must be %s to %s%s%s", source, value,
                     number_text(row, row->minimum, minimum), number_text(row, row->maximum, maximum),
                     row_is_bytes(row) ? "" : " ", row_is_bytes(row) ? "" : row->unit);
}

static Status choice_set(const OptionRow *row, char **choice, const char *value, const char *source,
                         Error *out_error)
{
    size_t size = strlen(value);
    for (const char *word = row->unit; size > 0 && *word;) {
        size_t word_size = strcspn(word, "|");
        if (word_size == size && memcmp(word, value, size) == 0) return text_set(choice, value, out_error);
        word += word_size + (word[word_size] == '|');
    }
    return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s is '%s': it must be one of %s", source, value,
                     row->unit);
}

static Status list_add(OptionList *list, const char *value, const char *source, Error *out_error)
{
    if (list->count == OPTION_LIST_MAX) {
        return error_set(out_error, STATUS_INVALID_ARGUMENT, "%s is given more than %d times", source,
                         OPTION_LIST_MAX);
    }
    Status status = text_set(&list->items[list->count], value, out_error);
    if (!status) list->count++;
    return status;
}

/* `source` says in an error where the value came from. */
static Status row_set(const OptionRow *row, Options *options, const char *value, const char *source,
                      Error *out_error)
{
    void *member = (char *)options + row->offset;
    switch (row->type) {
    case TYPE_TEXT:
        return text_set(member, value, out_error);
    case TYPE_LIST:
        return list_add(member, value, source, out_error);
    case TYPE_NUMBER:
        return number_set(row, member, value, source, out_error);
    case TYPE_CHOICE:
        return choice_set(row, member, value, source, out_error);
    case TYPE_SWITCH:
        *(bool *)member = true;
        return STATUS_OK;
    }
    assert(false);
    return STATUS_INTERNAL;
}

static Status row_set_list(const OptionRow *row, Options *options, const char *values, const char *source,
                           Error *out_error)
{
    char *copy = strdup(values);
    if (!copy) return error_set(out_error, STATUS_NO_MEMORY, "options: out of memory");
    Status status = STATUS_OK;
    char *rest = copy;
    for (char *value; !status && (value = strsep(&rest, ","));) {
        if (value[0]) status = row_set(row, options, value, source, out_error);
    }
    free(copy);
    return status;
}

static void row_reset(const OptionRow *row, Options *options)
{
    void *member = (char *)options + row->offset;
    if (row->type == TYPE_TEXT || row->type == TYPE_CHOICE) {
        free(*(char **)member);
        *(char **)member = NULL;
    } else if (row->type == TYPE_LIST) {
        OptionList *list = member;
        for (size_t i = 0; i < list->count; i++) free(list->items[i]);
        *list = (OptionList){0};
    }
}
