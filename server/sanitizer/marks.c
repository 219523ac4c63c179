/* Stacked marks, and code points without a meaning. */
#include "sanitizer/run.h"

void marks_pass(SanitizeRun *run)
{
    (void)run;
}
