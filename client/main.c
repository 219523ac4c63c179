/* `headlight`: finds the command and runs it. */
#include "base/file.h"
#include "command.h"
#include "interrupt.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* Ahead of main and of the libraries' own initializers: one of gRPC's opens a descriptor. */
static void (*const main_preinit)(void) __attribute__((section(".preinit_array"), used)) = file_hold_standard;

static int main_unknown(const char *name)
{
    fprintf(stderr, "headlight: there is no command '%s'; 'headlight help' lists them\n", name);
    return EXIT_USAGE;
}

static int main_help(const char *name)
{
    if (!name) {
        command_print_all();
        return output_end();
    }
    const Command *command = command_find(name);
    if (!command) return main_unknown(name);
    command_print_help(command);
    return output_end();
}

int main(int argument_count, char **arguments)
{
    interrupt_install();
    setvbuf(stdout, NULL, _IOFBF, 64 * 1024);
    if (argument_count < 2) {
        command_print_all();
        return EXIT_USAGE;
    }
    const char *name = arguments[1];
    if (strcmp(name, "help") == 0) return main_help(argument_count > 2 ? arguments[2] : NULL);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return main_help(NULL);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("headlight " HEADLIGHT_VERSION);
        return output_end();
    }
    const Command *command = command_find(name);
    if (!command) return main_unknown(name);
    return command_run(command, arguments + 2, (size_t)argument_count - 2);
}
