/* SIGINT and SIGTERM as a flag that every loop looks at; a second signal ends the process at once. */
#pragma once

/* Installs the handlers and ignores SIGPIPE. Once, before threads start. */
void interrupt_install(void);
/* The signal that came, or 0. Any thread. */
int interrupt_signal(void);
