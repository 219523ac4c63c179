#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupt_received;

static void interrupt_handle(int signal)
{
    interrupt_received = signal;
}

void interrupt_install(void)
{
    /* SA_RESETHAND: the second signal meets the default action. No SA_RESTART: a blocked read or poll must return.
     */
    struct sigaction action = {.sa_handler = interrupt_handle, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int interrupt_signal(void)
{
    return interrupt_received;
}
