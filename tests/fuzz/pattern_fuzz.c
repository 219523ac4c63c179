/* Links headlight_tokenizer. A regular expression of a size that the first byte gives, which is a literal if its upper
 * bit is set, and then any text: matches come in order, inside, and cut no character. */
#include "fuzz.h"
#include "tokenizer/pattern.h"
#include "unicode/utf8.h"

#include <assert.h>

static bool pattern_fuzz_starts(TextView text, uint32_t at)
{
    return at <= text.size && (at == text.size || ((unsigned char)text.bytes[at] & 0xC0) != 0x80);
}

static void pattern_fuzz_scan(const Pattern *pattern, TextView text)
{
    PatternScan scan = pattern_scan(pattern, text);
    ByteRange range;
    uint32_t end = 0;
    while (pattern_next(&scan, &range)) {
        assert(range.begin >= end && range.begin <= range.end);
        assert(pattern_fuzz_starts(text, range.begin) && pattern_fuzz_starts(text, range.end));
        end = range.end;
    }
    pattern_scan_close(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Pattern *pattern = NULL;
    Error error = {.message = ""};
    size_t position;
    if (size < 1 || size < 1u + (bytes[0] & 0x7F)) return -1;
    TextView source = {(const char *)bytes + 1, bytes[0] & 0x7F};
    TextView text = {source.bytes + source.size, size - 1 - source.size};
    if (text.size > 256 || !utf8_valid(text, &position)) return -1;
    if (pattern_open(source, bytes[0] & 0x80, &pattern, &error) == STATUS_OK)
        pattern_fuzz_scan(pattern, text);
    else
        assert(error.message[0]);
    pattern_close(pattern);
    return 0;
}
