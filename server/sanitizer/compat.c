/* Compatible forms of letters: fullwidth, mathematical, enclosed. */
#include "sanitizer/run.h"

void compat_pass(SanitizeRun *run)
{
    (void)run;
}
