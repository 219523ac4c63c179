/* Overrides of direction. */
#include "sanitizer/run.h"

void bidi_pass(SanitizeRun *run)
{
    (void)run;
}
