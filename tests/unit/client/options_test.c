/* The option parser: each kind, its limits, and where its value comes from. */
#include "options.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct Values {
    bool flag;
    OptionSwitch power;
    const char *text;
    uint64_t count;
    double number;
    uint64_t wait_ns;
    uint64_t color;
    OptionList list;
} Values;

static const char *const colors[] = {"red", "green", NULL};
static const Option first_options[] = {
    {"flag", NULL, NULL, OPTION_FLAG, offsetof(Values, flag), NULL, 0, 0, NULL, "A flag."},
    {"power", NULL, "OPTIONS_TEST_POWER", OPTION_SWITCH, offsetof(Values, power), NULL, 0, 0, NULL, "A switch."},
    {"text", "TEXT", NULL, OPTION_TEXT, offsetof(Values, text), "initial", 0, 0, NULL, "A text."},
};
static const Option second_options[] = {
    {"count", "N", "OPTIONS_TEST_COUNT", OPTION_COUNT, offsetof(Values, count), "7", 1, 100, NULL, "A count."},
    {"number", "X", NULL, OPTION_NUMBER, offsetof(Values, number), "0.5", 0, 1, NULL, "A number."},
    {"wait", "S", NULL, OPTION_SECONDS, offsetof(Values, wait_ns), "1", 0.001, 60, NULL, "A time."},
    {"color", "C", NULL, OPTION_CHOICE, offsetof(Values, color), "red", 0, 0, colors, "A choice."},
    {"list", "L", NULL, OPTION_LIST, offsetof(Values, list), NULL, 0, 0, NULL, "A list."},
};
static const OptionTable tables[] = {{first_options, 3}, {second_options, 5}};

enum { ARGUMENTS_MAX = 24 };

typedef struct Outcome {
    Values values;
    char *arguments[ARGUMENTS_MAX];
    OptionParse parse;
    Status status;
    Error error;
} Outcome;

static void parse(Outcome *outcome, const char *const *arguments)
{
    *outcome = (Outcome){0};
    size_t count = 0;
    for (; arguments[count]; count++) outcome->arguments[count] = (char *)(uintptr_t)arguments[count];
    outcome->parse = (OptionParse){tables, 2, &outcome->values, outcome->arguments, count, false};
    outcome->status = options_parse(&outcome->parse, &outcome->error);
}

#define PARSE(outcome, ...) parse(outcome, (const char *const[]){__VA_ARGS__, NULL})

static void options_have_their_initial_values(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "positional");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_false(outcome.values.flag);
    assert_int_equal(outcome.values.power, OPTION_UNSET);
    assert_string_equal(outcome.values.text, "initial");
    assert_int_equal(outcome.values.count, 7);
    assert_true(outcome.values.number == 0.5);
    assert_int_equal(outcome.values.wait_ns, NS_PER_S);
    assert_int_equal(outcome.values.color, 0);
    assert_int_equal(outcome.parse.argument_count, 1);
}

static void options_take_values_in_both_spellings(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "--count", "1e1", "a", "--number=1", "--wait=0.25", "--color", "green", "--flag",
          "--text=", "-", "b");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.values.count, 10);
    assert_true(outcome.values.number == 1);
    assert_int_equal(outcome.values.wait_ns, NS_PER_S / 4);
    assert_int_equal(outcome.values.color, 1);
    assert_true(outcome.values.flag);
    assert_string_equal(outcome.values.text, "");
    assert_int_equal(outcome.parse.argument_count, 3);
    assert_string_equal(outcome.arguments[1], "-");
    assert_string_equal(outcome.arguments[2], "b");
}

static void options_end_at_two_dashes(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "--flag", "--", "--count", "--");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.parse.argument_count, 2);
    assert_string_equal(outcome.arguments[0], "--count");
    assert_string_equal(outcome.arguments[1], "--");
}

static void options_collect_lists(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "--list", "a", "--flag", "--list=b,c", "d");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.values.list.count, 2);
    assert_string_equal(outcome.values.list.values[0], "a");
    assert_string_equal(outcome.values.list.values[1], "b,c");
    const char *many[OPTION_LIST_MAX + 2] = {NULL};
    for (size_t index = 0; index <= OPTION_LIST_MAX; index++) many[index] = "--list=a";
    parse(&outcome, many);
    assert_int_equal(outcome.status, STATUS_INVALID_ARGUMENT);
}

static void options_switch_on_and_off(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "--power");
    assert_int_equal(outcome.values.power, OPTION_ON);
    PARSE(&outcome, "--power", "--no-power");
    assert_int_equal(outcome.values.power, OPTION_OFF);
    PARSE(&outcome, "--no-flag");
    assert_int_equal(outcome.status, STATUS_INVALID_ARGUMENT);
}

static void options_stop_at_help(void **state)
{
    (void)state;
    Outcome outcome;
    PARSE(&outcome, "--help", "--wings");
    assert_int_equal(outcome.status, STATUS_OK);
    assert_true(outcome.parse.help_wanted);
    PARSE(&outcome, "-h");
    assert_true(outcome.parse.help_wanted);
}

static void options_come_from_the_environment_unless_given(void **state)
{
    (void)state;
    Outcome outcome;
    setenv("OPTIONS_TEST_COUNT", "42", 1);
    setenv("OPTIONS_TEST_POWER", "off", 1);
    PARSE(&outcome, "x");
    assert_int_equal(outcome.values.count, 42);
    assert_int_equal(outcome.values.power, OPTION_OFF);
    PARSE(&outcome, "--count", "3", "--power");
    assert_int_equal(outcome.values.count, 3);
    assert_int_equal(outcome.values.power, OPTION_ON);
    setenv("OPTIONS_TEST_COUNT", "", 1);
    PARSE(&outcome, "x");
    assert_int_equal(outcome.values.count, 7);
    setenv("OPTIONS_TEST_COUNT", "101", 1);
    PARSE(&outcome, "x");
    assert_int_equal(outcome.status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(outcome.error.message, "OPTIONS_TEST_COUNT"));
    unsetenv("OPTIONS_TEST_COUNT");
    unsetenv("OPTIONS_TEST_POWER");
}

static void options_refuse_what_is_no_value(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"--count=0", "outside 1 to 100"},
        {"--count=101", "outside"},
        {"--count=", "whole number"},
        {"--count=1.5", "whole number"},
        {"--count=1x", "whole number"},
        {"--count=nan", "whole number"},
        {"--number=inf", "not a number"},
        {"--number=-0.1", "outside"},
        {"--wait=0", "outside"},
        {"--color=blue", "red, green"},
        {"--flag=yes", "takes no value"},
        {"--unknown", "unknown option"},
        {"--conut=1", "unknown option --conut=1 (did you mean --count?)"},
        {"-f", "unknown option"},
        {"--count", "needs a value"},
        {"--=x", "unknown option"},
    };
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++) {
        Outcome outcome;
        PARSE(&outcome, wrong[index][0]);
        assert_int_equal(outcome.status, STATUS_INVALID_ARGUMENT);
        if (!strstr(outcome.error.message, wrong[index][1]))
            fail_msg("%s: %s", wrong[index][0], outcome.error.message);
    }
}

static void options_help_names_limits_and_variables(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    options_print(stream, second_options, 1);
    options_print(stream, second_options + 3, 1);
    options_print(stream, first_options, 2);
    fclose(stream);
    assert_string_equal(text, "  --count N\n      A count. (default 7; 1 to 100; OPTIONS_TEST_COUNT)\n"
                              "  --color red|green\n      A choice. (default red)\n"
                              "  --flag\n      A flag.\n"
                              "  --[no-]power\n      A switch. (OPTIONS_TEST_POWER)\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_have_their_initial_values),
        cmocka_unit_test(options_take_values_in_both_spellings),
        cmocka_unit_test(options_end_at_two_dashes),
        cmocka_unit_test(options_collect_lists),
        cmocka_unit_test(options_switch_on_and_off),
        cmocka_unit_test(options_stop_at_help),
        cmocka_unit_test(options_come_from_the_environment_unless_given),
        cmocka_unit_test(options_refuse_what_is_no_value),
        cmocka_unit_test(options_help_names_limits_and_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
