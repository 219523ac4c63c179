/* The server as a whole: start, serve, drain, stop. */
#pragma once

#include "options.h"

/* Serves until SIGTERM or SIGINT, then lets accepted calls finish; a second signal ends the process at once.
 * Returns the exit code: 0 after a drain, 1 when it could not start or the model could not be loaded (the log says
 * why). The main thread, before any other thread; once. */
int service_run(const Options *options);
