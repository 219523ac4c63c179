/* Tokens that no training text can have had in it: a yardstick for those that none did have. */
#include "tokenizer/bytes.h"
#include "tokenizer/tokenizer_state.h"
#include "unicode/utf8.h"

/* How checkpoints name what they keep free: BERT's, SentencePiece's and T5's, fairseq's. */
static const char *const SPARE_PREFIXES[] = {"[unused", "<unused", "madeupword"};

static bool spare_by_name(TextView text)
{
    for (size_t i = 0; i < sizeof SPARE_PREFIXES / sizeof SPARE_PREFIXES[0]; i++) {
        TextView prefix = text_view(SPARE_PREFIXES[i]);
        if (text.size > prefix.size && memcmp(text.bytes, prefix.bytes, prefix.size) == 0) return true;
    }
    return false;
}

static bool byte_is_never_utf8(unsigned char byte)
{
    return byte == 0xC0 || byte == 0xC1 || byte >= 0xF5;
}

static int hexadecimal_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The byte of "<0xF5>", or of the byte alphabet. */
static bool spare_by_byte(const Tokenizer *tokenizer, TextView text)
{
    if (text.size == 6 && memcmp(text.bytes, "<0x", 3) == 0 && text.bytes[5] == '>') {
        int high = hexadecimal_digit(text.bytes[3]), low = hexadecimal_digit(text.bytes[4]);
        return high >= 0 && low >= 0 && byte_is_never_utf8((unsigned char)(high * 16 + low));
    }
    uint32_t code_point;
    unsigned char byte;
    if (text.size == 0 || utf8_decode(text.bytes, &code_point) != text.size) return false;
    return bytes_of(code_point, &byte) && byte_is_never_utf8(byte) && tokenizer_maps_bytes(tokenizer);
}

bool tokenizer_token_spare(const Tokenizer *tokenizer, uint32_t id)
{
    const AddedToken *added = added_find(&tokenizer->added, id);
    if (added && added->special) return false;
    if (!added && !vocabulary_has(&tokenizer->vocabulary, id)) return true;
    TextView text = tokenizer_token_text(tokenizer, id);
    return spare_by_name(text) || spare_by_byte(tokenizer, text);
}
