/* Links headlight_tokenizer. A text of a size that the first byte gives, and then any bytes as a character map: what is
 * accepted answers for every part of the text, within the map. */
#include "fuzz.h"
#include "tokenizer/charsmap.h"
#include "unicode/utf8.h"

#include <assert.h>
#include <stdlib.h>

static size_t base64_encode(const uint8_t *bytes, size_t size, char *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t count = 0;
    for (size_t at = 0; at < size; at += 3) {
        uint32_t group = 0;
        for (size_t i = 0; i < 3; i++) group = group << 8 | (at + i < size ? bytes[at + i] : 0u);
        for (size_t i = 0; i < 4; i++) out[count++] = at + i <= size ? DIGITS[group >> (18 - 6 * i) & 63] : '=';
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    Charsmap *charsmap = NULL;
    Error error = {.message = ""};
    if (size < 1 || size < 1u + bytes[0]) return -1;
    TextView text = {(const char *)bytes + 1, bytes[0]}, replacement;
    size_t map_size = size - 1 - text.size, position;
    char *map = malloc(map_size / 3 * 4 + 5);
    assert(map);
    size_t encoded_size = base64_encode(bytes + 1 + text.size, map_size, map);
    if (charsmap_open((TextView){map, encoded_size}, &charsmap, &error) == STATUS_OK) {
        for (size_t i = 0; i < text.size; i++) {
            if (!charsmap_transform(charsmap, (TextView){text.bytes + i, text.size - i}, &replacement)) continue;
            bool valid = replacement.size < map_size && utf8_valid(replacement, &position);
            assert(valid);
            (void)valid;
        }
    } else {
        assert(error.message[0]);
    }
    charsmap_close(charsmap);
    free(map);
    return 0;
}
