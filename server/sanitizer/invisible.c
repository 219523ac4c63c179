/* What does not show. */
#include "sanitizer/run.h"

void invisible_pass(SanitizeRun *run)
{
    (void)run;
}
