/* Letters that look like those of another script. */
#include "sanitizer/run.h"

void homoglyph_pass(SanitizeRun *run)
{
    (void)run;
}
