/* Replacing, cleaning up, and making text of bytes. */
#include "tokenizer/decode.h"

#include "unicode/utf8.h"

static const char REPLACEMENT_CHARACTER[] = "\xEF\xBF\xBD";

static void decode_replace_borders(TextView text, TextView to, Texts *out)
{
    texts_write(out, to);
    for (size_t at = 0; at < text.size;) {
        uint32_t code_point;
        size_t size = utf8_decode(text.bytes + at, &code_point);
        texts_write(out, (TextView){text.bytes + at, size});
        texts_write(out, to);
        at += size;
    }
}

void decode_replace(TextView text, TextView from, TextView to, Texts *out)
{
    if (from.size == 0) {
        decode_replace_borders(text, to, out);
        return;
    }
    size_t at = 0;
    while (at < text.size) {
        const char *found = memmem(text.bytes + at, text.size - at, from.bytes, from.size);
        size_t end = found ? (size_t)(found - text.bytes) : text.size;
        texts_write(out, (TextView){text.bytes + at, end - at});
        if (!found) return;
        texts_write(out, to);
        at = end + from.size;
    }
}

typedef struct Replacement {
    const char *from;
    const char *to; /* never longer */
} Replacement;

/* The library's cleanup, in its order. All start with a space. */
static const Replacement CLEANUP[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Replaces in place, from left to right, what does not overlap. Returns the new size. */
static size_t decode_replace_shorter(char *bytes, size_t size, const Replacement *replacement)
{
    size_t from_size = strlen(replacement->from), to_size = strlen(replacement->to);
    size_t out = 0;
    for (size_t at = 0; at < size;) {
        if (size - at >= from_size && memcmp(bytes + at, replacement->from, from_size) == 0) {
            memcpy(bytes + out, replacement->to, to_size);
            at += from_size;
            out += to_size;
        } else {
            bytes[out++] = bytes[at++];
        }
    }
    return out;
}

void decode_cleanup(Texts *texts, size_t begin)
{
    if (texts->size == begin || !memchr(texts->bytes + begin, ' ', texts->size - begin)) return;
    for (size_t i = 0; i < sizeof CLEANUP / sizeof CLEANUP[0]; i++) {
        texts->size = begin + decode_replace_shorter(texts->bytes + begin, texts->size - begin, &CLEANUP[i]);
    }
}

/* How many of the `left` bytes at `bytes`, which start no valid sequence, could be the start of one; at least 1. */
static size_t decode_invalid_size(const char *bytes, size_t left)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (at[0] < 0xC2 || at[0] > 0xF4) return 1;
    size_t whole = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4, size = 1;
    unsigned char low = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xED ? 0x9F : at[0] == 0xF4 ? 0x8F : 0xBF;
    while (size < whole && size < left && at[size] >= low && at[size] <= high) {
        size++;
        low = 0x80;
        high = 0xBF;
    }
    return size;
}

void decode_lossy(TextView bytes, Texts *out)
{
    size_t begin = 0, position;
    while (begin < bytes.size) {
        TextView rest = {bytes.bytes + begin, bytes.size - begin};
        if (utf8_valid(rest, &position)) {
            texts_write(out, rest);
            return;
        }
        texts_write(out, (TextView){rest.bytes, position});
        texts_write(out, text_view(REPLACEMENT_CHARACTER));
        begin += position + decode_invalid_size(rest.bytes + position, rest.size - position);
    }
}

static int decode_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* "<0x61>"; Rust reads "<0x+1>" as well. */
static bool decode_byte_token(TextView token, unsigned char *out_byte)
{
    if (token.size != 6 || memcmp(token.bytes, "<0x", 3) != 0 || token.bytes[5] != '>') return false;
    int high = token.bytes[3] == '+' ? 0 : decode_digit(token.bytes[3]), low = decode_digit(token.bytes[4]);
    if (high < 0 || low < 0) return false;
    *out_byte = (unsigned char)(high << 4 | low);
    return true;
}

static void decode_end_run(Texts *run, Texts *to)
{
    size_t position;
    if (run->size == 0) return;
    if (utf8_valid((TextView){run->bytes, run->size}, &position)) {
        texts_write(to, (TextView){run->bytes, run->size});
        texts_end(to);
    } else {
        for (size_t i = 0; i < run->size; i++) {
            texts_write(to, text_view(REPLACEMENT_CHARACTER));
            texts_end(to);
        }
    }
    texts_clear(run);
}

void decode_byte_fallback(const Texts *from, Texts *to)
{
    Texts run = {.size_max = to->size_max};
    for (uint32_t i = 0; i < from->count; i++) {
        TextView token = texts_get(from, i);
        unsigned char byte;
        if (decode_byte_token(token, &byte)) {
            texts_write(&run, (TextView){(const char *)&byte, 1});
            continue;
        }
        decode_end_run(&run, to);
        texts_write(to, token);
        texts_end(to);
    }
    decode_end_run(&run, to);
    to->failed |= run.failed;
    to->too_large |= run.too_large;
    texts_close(&run);
}
