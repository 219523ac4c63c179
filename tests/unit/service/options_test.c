/* Flags, variables and defaults: which wins, and what is refused with which words. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *environment_of_the_test(const char *name)
{
    static char workers[] = "3";
    static char listen[] = "127.0.0.1:1,unix:/a,";
    static char level[] = "debug";
    if (strcmp(name, "HEADLIGHT_WORKERS") == 0) return workers;
    if (strcmp(name, "HEADLIGHT_LISTEN") == 0) return listen;
    if (strcmp(name, "HEADLIGHT_LOG_LEVEL") == 0) return level;
    return NULL;
}

static char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static Status parse(char *(*environment)(const char *), const char *const *arguments, Options *out_options,
                    Error *out_error)
{
    int count = 0;
    while (arguments[count]) count++;
    return options_parse(count, arguments, environment, out_options, out_error);
}

static void options_without_arguments_are_the_defaults(void **state)
{
    (void)state;
    Options options;
    Error error;
    const char *arguments[] = {NULL};
    assert_int_equal(parse(no_environment, arguments, &options, &error), STATUS_OK);
    assert_int_equal(options.listen.count, 1);
    assert_string_equal(options.listen.items[0], "127.0.0.1:50051");
    assert_int_equal(options.model.count, 0);
    assert_int_equal(options.workers, 0);
    assert_int_equal(options.payload_limit, 4 << 20);
    assert_string_equal(options.cpu, "auto");
    assert_false(options.help);
    options_close(&options);
    options_close(&options);
}

static void options_flag_wins_over_variable_over_default(void **state)
{
    (void)state;
    Options options;
    Error error;
    const char *arguments[] = {"--workers", "5", "--model=name=dir", NULL};
    assert_int_equal(parse(environment_of_the_test, arguments, &options, &error), STATUS_OK);
    assert_int_equal(options.workers, 5);
    assert_string_equal(options.log_level, "debug");
    assert_int_equal(options.model.count, 1);
    assert_string_equal(options.model.items[0], "name=dir");
    assert_int_equal(options.listen.count, 2);
    assert_string_equal(options.listen.items[1], "unix:/a");
    options_close(&options);
}

static void options_lists_are_collected_and_replace_the_default(void **state)
{
    (void)state;
    Options options;
    Error error;
    const char *arguments[] = {"--listen", "[::1]:0", "--listen=unix:/b,c", "--model=one=a", "--model", "b", NULL};
    assert_int_equal(parse(environment_of_the_test, arguments, &options, &error), STATUS_OK);
    assert_int_equal(options.listen.count, 2);
    assert_string_equal(options.listen.items[0], "[::1]:0");
    assert_string_equal(options.listen.items[1], "unix:/b,c");
    assert_int_equal(options.model.count, 2);
    assert_string_equal(options.model.items[1], "b");
    options_close(&options);
}

static void options_bytes_take_a_suffix(void **state)
{
    (void)state;
    Options options;
    Error error;
    const char *arguments[] = {"--payload-limit",       "16MiB", "--reply-limit", "65536",
                               "--request-memory=2GiB", NULL};
    assert_int_equal(parse(no_environment, arguments, &options, &error), STATUS_OK);
    assert_int_equal(options.payload_limit, 16 << 20);
    assert_int_equal(options.reply_limit, 65536);
    assert_int_equal(options.request_memory, 2ull << 30);
    options_close(&options);
}

static void assert_refused(const char *const *arguments, const char *words)
{
    Options options = {.workers = 77};
    Error error;
    assert_int_equal(parse(no_environment, arguments, &options, &error), STATUS_INVALID_ARGUMENT);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_int_equal(options.workers, 77);
}

#define ASSERT_REFUSED(words, ...) assert_refused((const char *const[]){__VA_ARGS__, NULL}, words)

static void options_refuse_with_a_reason(void **state)
{
    (void)state;
    ASSERT_REFUSED("unknown flag --modle: did you mean --model?", "--modle", "x");
    ASSERT_REFUSED("did you mean --max-batch-tokens?", "--max_batch_tokens=3");
    ASSERT_REFUSED("unknown flag --frobnicate: see --help", "--frobnicate");
    ASSERT_REFUSED("unknown flag --",
                   "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    ASSERT_REFUSED("'model' is no flag", "model");
    ASSERT_REFUSED("'--' is no flag", "--");
    ASSERT_REFUSED("--workers is '1025': it must be 0 to 1024 threads", "--workers", "1025");
    ASSERT_REFUSED("--workers is '-1'", "--workers=-1");
    ASSERT_REFUSED("--workers is ''", "--workers=");
    ASSERT_REFUSED("--workers is '2KiB'", "--workers=2KiB");
    ASSERT_REFUSED("--workers is '99999999999999999999999'", "--workers", "99999999999999999999999");
    ASSERT_REFUSED("--request-memory is '99999999999999GiB'", "--request-memory=99999999999999GiB");
    ASSERT_REFUSED("--payload-limit is '4XiB': it must be 1KiB to 64MiB", "--payload-limit=4XiB");
    ASSERT_REFUSED("--workers needs a value", "--workers");
    ASSERT_REFUSED("--workers is given twice", "--workers=1", "--workers=2");
    ASSERT_REFUSED("--cpu is given twice", "--cpu", "auto", "--cpu", "auto");
    ASSERT_REFUSED("--help takes no value", "--help=1");
    ASSERT_REFUSED("--cpu is 'avx': it must be one of auto|avx512|avx2|reference", "--cpu", "avx");
    ASSERT_REFUSED("--cpu is ''", "--cpu=");
    ASSERT_REFUSED("--listen is given more than 16 times", "--listen=1", "--listen=2", "--listen=3", "--listen=4",
                   "--listen=5", "--listen=6", "--listen=7", "--listen=8", "--listen=9", "--listen=10",
                   "--listen=11", "--listen=12", "--listen=13", "--listen=14", "--listen=15", "--listen=16",
                   "--listen=17");
}

static void options_help_names_every_flag_and_variable(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    options_print_help(stream, "headlightd");
    fclose(stream);
    static const char *const names[] = {
#define OPTION(name, type, fallback, minimum, maximum, unit, help) #name,
#include "options.def"
#undef OPTION
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char flag[80] = "--";
        char variable[80] = "HEADLIGHT_";
        size_t flag_size = strlen(flag);
        size_t variable_size = strlen(variable);
        for (const char *letter = names[i]; *letter; letter++) {
            flag[flag_size++] = *letter == '_' ? '-' : *letter;
            variable[variable_size++] = (char)(*letter >= 'a' && *letter <= 'z' ? *letter - 'a' + 'A' : *letter);
        }
        assert_non_null(strstr(text, flag));
        assert_non_null(strstr(text, variable));
    }
    assert_non_null(strstr(text, "--help\n"));
    assert_non_null(strstr(text, "--version\n"));
    assert_null(strstr(text, "HEADLIGHT_HELP"));
    assert_null(strstr(text, "HEADLIGHT_VERSION"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_without_arguments_are_the_defaults),
        cmocka_unit_test(options_flag_wins_over_variable_over_default),
        cmocka_unit_test(options_lists_are_collected_and_replace_the_default),
        cmocka_unit_test(options_bytes_take_a_suffix),
        cmocka_unit_test(options_refuse_with_a_reason),
        cmocka_unit_test(options_help_names_every_flag_and_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
