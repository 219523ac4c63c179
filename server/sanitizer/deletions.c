/* Deletions and controls. */
#include "sanitizer/run.h"

void deletions_pass(SanitizeRun *run)
{
    (void)run;
}
