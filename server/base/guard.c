#include "base/guard.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const char guard_last_words[] = "headlightd: a file was cut short while it was in use; replace the files "
                                       "of a model by renaming, or let them be "
                                       "copied (--weights copied)\n";

static _Thread_local volatile sig_atomic_t guard_active;
static _Thread_local volatile sig_atomic_t guard_missed;
static uintptr_t guard_page_bytes; /* written by guard_install */

/* Only what a signal's handler may do: mmap is a plain system call. */
static void guard_on_fault(int number, siginfo_t *information, void *context)
{
    (void)context;
    uintptr_t page = (uintptr_t)information->si_addr & ~(guard_page_bytes - 1);
    if (guard_active && information->si_code == BUS_ADRERR &&
        mmap((void *)page, guard_page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
            MAP_FAILED) {
        guard_missed = 1;
        return;
    }
    ssize_t written = write(STDERR_FILENO, guard_last_words, sizeof guard_last_words - 1);
    (void)written;
    signal(number, SIG_DFL); /* the read is tried again, and ends the process */
}

void guard_install(void)
{
    guard_page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct sigaction action = {.sa_sigaction = guard_on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void guard_begin(void)
{
    guard_missed = 0;
    guard_active = 1;
}

bool guard_end(void)
{
    guard_active = 0;
    return guard_missed;
}
