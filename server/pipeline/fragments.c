/* A walk over the tokens keeps the sum of what each is beyond its letters' rate, and begins again where that falls
 * below nothing (Page 1954, Continuous Inspection Schemes): it stays small in any text that a tokenizer is made for,
 * and in the languages that it is not, and rises by a third with each letter that stands alone. */
#include "pipeline/fragments.h"

#include "base/limits.h"
#include "pipeline/pipeline_state.h"
#include "unicode/utf8.h"

enum { SAMPLE_ARENA_BYTES = 1 << 20 };

/* What is a finding: as much as 40 letters alone where words take a third of a token a letter. */
#define FRAGMENT_EXCESS 16.0f
/* The hardest of the samples' languages is not the hardest of all, nor its hardest word in the sample. */
#define FRAGMENT_MARGIN 1.15f
/* From here on, apart and whole are too alike: a tokenizer of characters, or a script that it takes apart anyway. */
#define FRAGMENT_RATE_MAX 0.8f

typedef struct Sample {
    LetterKind kind;
    const char *text;
} Sample;

static const Sample SAMPLES[] = {
#define SAMPLE(kind, text) {LETTER_##kind, text},
#include "pipeline/fragment_samples.def"
#undef SAMPLE
};

enum { SAMPLE_COUNT = sizeof SAMPLES / sizeof SAMPLES[0] };

typedef struct LetterBlock {
    uint32_t first;
    uint32_t last;
    LetterKind kind;
} LetterBlock;

/* Ascending. Marks count as letters of their block. */
static const LetterBlock BLOCKS[] = {
    {0x00C0, 0x024F, LETTER_LATIN},      {0x0300, 0x036F, LETTER_LATIN},  {0x0370, 0x03FF, LETTER_GREEK},
    {0x0400, 0x052F, LETTER_CYRILLIC},   {0x0591, 0x05FF, LETTER_HEBREW}, {0x0600, 0x06FF, LETTER_ARABIC},
    {0x0900, 0x097F, LETTER_DEVANAGARI}, {0x1E00, 0x1EFF, LETTER_LATIN},  {0x1F00, 0x1FFF, LETTER_GREEK},
    {0xAC00, 0xD7A3, LETTER_HANGUL},
};

static LetterKind letter_kind(uint32_t code_point)
{
    if (code_point < 0x80) {
        bool letter = (code_point | 0x20) >= 'a' && (code_point | 0x20) <= 'z';
        return letter ? LETTER_LATIN : code_point <= ' ' ? LETTER_BLANK : LETTER_OTHER;
    }
    for (size_t i = 0; i < sizeof BLOCKS / sizeof BLOCKS[0] && code_point >= BLOCKS[i].first; i++) {
        if (code_point <= BLOCKS[i].last) return BLOCKS[i].kind;
    }
    return LETTER_OTHER;
}

/* Of what is no letter of a known kind, a token a byte is nothing special. */
static float letter_rate(const FragmentRates *rates, LetterKind kind, size_t size)
{
    if (kind == LETTER_BLANK) return 0;
    if (kind == LETTER_OTHER || rates->rates[kind] == 0) return (float)size;
    return rates->rates[kind];
}

bool fragments_find(const FragmentRates *rates, TextView text, const Encoding *encoding, TokenRange tokens,
                    uint32_t skipped, TokenRange *out_range)
{
    float excess = 0, most = 0;
    uint32_t begin = tokens.begin;
    size_t seen = 0; /* tokens of one character's bytes share its range */
    for (uint32_t i = tokens.begin; i < tokens.end; i++) {
        size_t end = encoding->offsets[i].end > skipped ? encoding->offsets[i].end - skipped : 0;
        excess += 1;
        while (seen < end && seen < text.size) {
            uint32_t code_point;
            size_t size = utf8_decode(text.bytes + seen, &code_point);
            excess -= letter_rate(rates, letter_kind(code_point), size);
            seen += size;
        }
        if (excess <= 0) {
            excess = 0;
            begin = i + 1;
        }
        if (excess <= most) continue;
        most = excess;
        *out_range = (TokenRange){begin, i + 1};
    }
    return most >= FRAGMENT_EXCESS;
}

static float sample_rate(LetterKind kind, const char *text, uint32_t token_count)
{
    uint32_t letter_count = 0, code_point;
    for (size_t at = 0; text[at]; at += utf8_decode(text + at, &code_point)) {
        (void)utf8_decode(text + at, &code_point);
        letter_count += letter_kind(code_point) == kind;
    }
    return (float)token_count / (float)letter_count;
}

Status fragments_calibrate(const Pipeline *pipeline, FragmentRates *out_rates, Error *out_error)
{
    FragmentRates rates = {{0}};
    const EncodeOptions options = {.without_special_tokens = true};
    Status status = STATUS_OK;
    for (size_t i = 0; !status && i < SAMPLE_COUNT; i++) {
        const Sample *sample = &SAMPLES[i];
        Arena arena;
        Encoding encoding;
        arena_init(&arena, SAMPLE_ARENA_BYTES);
        status = pipeline_encode(pipeline, text_view(sample->text), NULL, &options, &arena, &encoding, out_error);
        if (!status) {
            float rate = FRAGMENT_MARGIN * sample_rate(sample->kind, sample->text, encoding.count);
            if (rate > rates.rates[sample->kind]) rates.rates[sample->kind] = rate;
        }
        arena_free(&arena);
    }
    for (int kind = 0; kind < LETTER_KIND_COUNT; kind++) {
        if (rates.rates[kind] > FRAGMENT_RATE_MAX) rates.rates[kind] = 0;
    }
    if (!status) *out_rates = rates;
    return status;
}
