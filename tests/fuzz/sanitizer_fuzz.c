/* Links headlight_sanitizer: any bytes, cleaned at every level, with and without what is opt-in. */
#include "fuzz.h"

#include "unit/sanitizer/invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static Sanitized first, second;
    TextView text = {(const char *)bytes, size};
    for (int level = SANITIZE_MODERATE; level <= SANITIZE_STRICT; level++) {
        invariants_check_clean(text, (SanitizeLevel)level, 0, &first, &second);
        invariants_check_clean(text, (SanitizeLevel)level, UINT64_MAX, &first, &second);
    }
    return 0;
}
