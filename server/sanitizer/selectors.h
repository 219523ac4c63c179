/* Where a variation selector has something to select. */
#pragma once

#include "sanitizer/invisible_rules.h"

/* Whether the run's base takes `selector`, one of the run's items, in a line of what the line is written in. */
bool selectors_keep(InvisibleJudge *judge, uint32_t selector);
