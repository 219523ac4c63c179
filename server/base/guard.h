/* Reading mapped files that somebody cuts short meanwhile. The missing pages raise SIGBUS: within a guard they read as
 * zeros and are noticed; elsewhere the process ends, having said why. */
#pragma once

#include <stdbool.h>

/* Once, before threads start. */
void guard_install(void);

/* What this thread reads from here on is guarded. Not nested. */
void guard_begin(void);
/* Whether something was missing: what was read since guard_begin then is worth nothing, and the mapping neither. */
bool guard_end(void);
