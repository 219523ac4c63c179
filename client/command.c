#include "command.h"

#include "base/limits.h"
#include "output.h"
#include "texts.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const Command *const command_rows[] = {
#define COMMAND(name) &name##_command,
#include "commands.def"
#undef COMMAND
};
enum { COMMAND_COUNT = sizeof command_rows / sizeof *command_rows };

static const Option command_quiet_options[] = {
    {"quiet", NULL, NULL, OPTION_FLAG, offsetof(Settings, quiet), NULL, 0, 0, NULL,
     "No notes and no progress on standard error; errors are still said."},
};

static const Option command_output_options[] = {
    {"format", "FORMAT", "HEADLIGHT_FORMAT", OPTION_CHOICE, offsetof(Settings, format), "text", 0, 0,
     output_format_names, "What standard output gets: text, json (one document) or jsonl (one document a line)."},
};

static const Option command_server_options[] = {
    {"address", "ADDRESS", "HEADLIGHT_ADDRESS", OPTION_TEXT, offsetof(Settings, address), "127.0.0.1:50051", 0, 0,
     NULL, "The server: HOST:PORT, [IPV6]:PORT or unix:/PATH."},
    {"deadline", "SECONDS", "HEADLIGHT_DEADLINE", OPTION_SECONDS, offsetof(Settings, deadline_ns), "60", 0.001,
     86400, NULL, "How long one request may take, its retries included."},
};

static const Option command_retries_options[] = {
    {"retries", "COUNT", "HEADLIGHT_RETRIES", OPTION_COUNT, offsetof(Settings, retry_count), "3", 0, 100, NULL,
     "How often a request is repeated when the other side is unavailable or asks to come back later."},
};

/* The server reads HEADLIGHT_MODEL as a directory; in a container both see the same environment. */
static const Option command_model_options[] = {
    {"model", "NAME", "HEADLIGHT_CLIENT_MODEL", OPTION_TEXT, offsetof(Settings, model), "", 0, 0, NULL,
     "The model's name, as 'headlight models' lists it; without it the server's default."},
};

static const Option command_texts_options[] = {
    {"file", "FILE", NULL, OPTION_TEXT, offsetof(TextsSettings, file), NULL, 0, 0, NULL,
     "Texts from FILE, one a line, which ends in LF or CRLF; - is standard input."},
    {"null", NULL, NULL, OPTION_FLAG, offsetof(TextsSettings, null_separated), NULL, 0, 0, NULL,
     "A NUL byte ends a text, not a line feed, so that texts may span lines; CR is kept."},
};

static const Option command_length_options[] = {
    {"length-policy", "POLICY", NULL, OPTION_CHOICE, offsetof(TextsSettings, length_policy), "auto", 0, 0,
     texts_policy_names,
     "What becomes of a text that is too long for the model. auto: it is read in overlapping chunks. refuse: it "
     "is an "
     "error. chunk: so is any text that is longer than --chunk-tokens read in chunks."},
    {"truncate", "SIDE", NULL, OPTION_CHOICE, offsetof(TextsSettings, truncate), "no", 0, 0, texts_truncate_names,
     "Cut off what is too long for the model on the right or the left; no leaves it to --length-policy."},
};

static const Option command_chunks_options[] = {
    {"chunk-tokens", "COUNT", NULL, OPTION_COUNT, offsetof(TextsSettings, chunk_tokens), NULL, 1,
     MODEL_POSITION_COUNT_MAX, NULL, "Tokens of a chunk; without it as many as the model takes."},
    {"chunk-overlap", "COUNT", NULL, OPTION_MAYBE, offsetof(TextsSettings, chunk_overlap), NULL, 0,
     MODEL_POSITION_COUNT_MAX, NULL, "Tokens that chunks share at most; without it an eighth of them."},
};

static const Option command_batch_options[] = {
    {"batch", "COUNT", NULL, OPTION_COUNT, offsetof(TextsSettings, batch), "32", 1, BATCH_TEXTS_MAX, NULL,
     "Texts in one request."},
};

static const Option command_sanitize_options[] = {
    {"sanitize", "POLICY", "HEADLIGHT_CLIENT_SANITIZE", OPTION_CHOICE, offsetof(TextsSettings, sanitize), "server",
     0, 0, texts_sanitize_names,
     "What becomes of hostile text, if the server is not stricter already. report: it is told. clean: it is also "
     "repaired. reject: it is refused."},
    {"sanitize-level", "LEVEL", NULL, OPTION_CHOICE, offsetof(TextsSettings, sanitize_level), "server", 0, 0,
     texts_level_names, TEXTS_LEVEL_HELP},
    {"sanitize-enable", "CODES", NULL, OPTION_TEXT, offsetof(TextsSettings, sanitize_enable), "", 0, 0, NULL,
     TEXTS_ENABLE_HELP},
    {"cleaned-text", NULL, NULL, OPTION_FLAG, offsetof(TextsSettings, cleaned_text), NULL, 0, 0, NULL,
     "With --format json or jsonl: each text as it was cleaned."},
};

enum { COMMAND_TABLES_MAX = 11 };

static size_t command_tables(const Command *command, OptionTable tables[static COMMAND_TABLES_MAX])
{
    size_t count = 0;
    tables[count++] = (OptionTable){command->options, command->option_count};
    if (command->shared & COMMAND_TEXTS) tables[count++] = (OptionTable){command_texts_options, 2};
    if (command->shared & COMMAND_LENGTH) tables[count++] = (OptionTable){command_length_options, 2};
    if (command->shared & COMMAND_CHUNKS) tables[count++] = (OptionTable){command_chunks_options, 2};
    if (command->shared & COMMAND_SANITIZE) tables[count++] = (OptionTable){command_sanitize_options, 4};
    if (command->shared & COMMAND_BATCH) tables[count++] = (OptionTable){command_batch_options, 1};
    if (command->shared & COMMAND_MODEL) tables[count++] = (OptionTable){command_model_options, 1};
    if (command->shared & COMMAND_SERVER) tables[count++] = (OptionTable){command_server_options, 2};
    if (command->shared & COMMAND_RETRIES) tables[count++] = (OptionTable){command_retries_options, 1};
    if (command->shared & COMMAND_OUTPUT) tables[count++] = (OptionTable){command_output_options, 1};
    if (command->shared & (COMMAND_OUTPUT | COMMAND_QUIET))
        tables[count++] = (OptionTable){command_quiet_options, 1};
    return count;
}

const Command *command_find(const char *name)
{
    for (size_t index = 0; index < COMMAND_COUNT; index++) {
        if (strcmp(command_rows[index]->name, name) == 0) return command_rows[index];
    }
    return NULL;
}

int command_run(const Command *command, char **arguments, size_t argument_count)
{
    OptionTable tables[COMMAND_TABLES_MAX];
    Error error = {0};
    OptionParse parse = {.tables = tables, .arguments = arguments, .argument_count = argument_count};
    parse.table_count = command_tables(command, tables);
    parse.settings = calloc(1, command->settings_size);
    if (!parse.settings) {
        error_set(&error, STATUS_NO_MEMORY, "out of memory");
        return output_fail(&error);
    }
    int code = EXIT_USAGE;
    if (options_parse(&parse, &error) != STATUS_OK) {
        fprintf(stderr, "headlight %s: %s; 'headlight help %s' lists the options\n", command->name, error.message,
                command->name);
    } else if (parse.help_wanted) {
        command_print_help(command);
        code = output_end();
    } else if (!*command->arguments && parse.argument_count > 0) {
        fprintf(stderr, "headlight %s: takes options only, not '%s'; 'headlight help %s' lists them\n",
                command->name, parse.arguments[0], command->name);
    } else {
        code = command->run(parse.settings, parse.arguments, parse.argument_count);
    }
    free(parse.settings);
    return code;
}

void command_print_all(void)
{
    puts("headlight: the client of headlightd, which serves transformer encoders\n\n"
         "usage: headlight COMMAND [OPTIONS] [ARGUMENTS]\n");
    for (size_t index = 0; index < COMMAND_COUNT; index++) {
        printf("  %-10s %s\n", command_rows[index]->name, command_rows[index]->summary);
    }
    puts("\n'headlight help COMMAND' says more; 'headlight --version' prints the version.\n"
         "Exit codes: 0 done, 1 a request failed, 2 wrong usage, 3 a text was refused as hostile.");
}

void command_print_help(const Command *command)
{
    printf("headlight %s: %s\n\nusage: headlight %s [OPTIONS]%s%s\n\n%s\n\noptions:\n", command->name,
           command->summary, command->name, *command->arguments ? " " : "", command->arguments, command->details);
    OptionTable tables[COMMAND_TABLES_MAX];
    size_t count = command_tables(command, tables);
    for (size_t index = 0; index < count; index++)
        options_print(stdout, tables[index].options, tables[index].count);
}
