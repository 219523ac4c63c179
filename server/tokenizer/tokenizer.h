/* tokenizer.json as the `tokenizers` library means it: the same ids and offsets, read from the same file. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

typedef struct Tokenizer Tokenizer; /* immutable once open: any number of threads may use it */

typedef enum TruncationSide { TRUNCATION_RIGHT, TRUNCATION_LEFT } TruncationSide;

/* Which of a pair's segments gives way, as in the library. */
typedef enum TruncationStrategy {
    TRUNCATION_LONGEST_FIRST,
    TRUNCATION_ONLY_FIRST,
    TRUNCATION_ONLY_SECOND,
} TruncationStrategy;

typedef struct EncodeOptions {
    bool without_special_tokens; /* no template: the text's tokens alone */
    bool return_words;           /* fill in Encoding.words */
    bool parse_special_tokens;   /* let "[SEP]" in the text become the control token; never for untrusted text */
    bool parse_mask;             /* let the mask token in the text become one, and no other control token */
    /* Let none become one by any other way either. The library does: special tokens are pieces of a Unigram model, and
     * "</s>", or fullwidth letters that normalize to it, is one even where special tokens are not parsed. */
    bool bars_special_tokens;
    uint32_t token_count_max; /* 0: no truncation; counts what the template adds */
    TruncationSide side;
    TruncationStrategy strategy;
} EncodeOptions;

#define TOKENIZER_NO_ID UINT32_MAX

enum { ENCODING_SEGMENT_NONE = 255 }; /* the segment of a token that the template added */

/* One input's tokens, in the arena given to tokenizer_encode. Every array has `count` items. */
typedef struct Encoding {
    uint32_t count;
    uint32_t text_token_count; /* what count would be without truncation */
    bool truncated;
    uint32_t *ids;
    uint8_t *type_ids;
    uint8_t *segments;  /* 0: text, 1: pair, ENCODING_SEGMENT_NONE */
    ByteRange *offsets; /* bytes of the original text or pair; {0, 0} for what the template added */
    uint32_t *words;    /* when asked for: tokens of a word, as the pre-tokenizer splits a text, share a number */
} Encoding;

/* Opens `directory`/tokenizer.json (with tokenizer_config.json and special_tokens_map.json beside it where they
 * add what tokenizer.json lacks). On success the caller owns *out_tokenizer (tokenizer_close); on failure it is
 * untouched and out_error names the file, the field and what was found. Reads at most JSON_BYTES_MAX. Any thread.
 * Fails with NOT_FOUND, IO, CORRUPT, UNSUPPORTED (a component we do not have, by its name), RESOURCE_EXHAUSTED,
 * NO_MEMORY. */
CHECKED Status tokenizer_open(const char *directory, Tokenizer **out_tokenizer, Error *out_error);
void tokenizer_close(Tokenizer *tokenizer); /* NULL is a no-op; accepts a half-open tokenizer */

/* Encodes `text` (and `pair` unless NULL). On success *out_encoding lives in `arena`, 14 bytes a token, 18 with words.
 * Any thread; no blocking; linear in the text's size. Beside the arena it takes scratch, up to 64 bytes for each byte
 * of a text without blanks. Fails with INVALID_ARGUMENT (not UTF-8, longer than TEXT_BYTES_MAX, no room for one token
 * beside the template, or a strategy that cannot make room), RESOURCE_EXHAUSTED (the arena's budget), NO_MEMORY. */
CHECKED Status tokenizer_encode(const Tokenizer *tokenizer, TextView text, const TextView *pair,
                                const EncodeOptions *options, Arena *arena, Encoding *out_encoding,
                                Error *out_error);

/* The text of `ids` by the tokenizer's decoder; it lives in `arena`. Fails with INVALID_ARGUMENT (an id outside
 * the vocabulary), RESOURCE_EXHAUSTED. */
CHECKED Status tokenizer_decode(const Tokenizer *tokenizer, const uint32_t *ids, uint32_t count,
                                bool skip_special_tokens, Arena *arena, TextView *out_text, Error *out_error);

/* One more than the largest id. */
uint32_t tokenizer_vocabulary_size(const Tokenizer *tokenizer);
/* The vocabulary's text of `id` ("##ing"); lives as long as the tokenizer; empty for an id that does not exist. */
TextView tokenizer_token_text(const Tokenizer *tokenizer, uint32_t id);
/* The ids of the tokens with a task, by tokenizer_config.json and special_tokens_map.json or else by their usual
 * names; TOKENIZER_NO_ID: there is none. */
uint32_t tokenizer_mask_id(const Tokenizer *tokenizer);
uint32_t tokenizer_pad_id(const Tokenizer *tokenizer);
/* Whether transformers hands the template's segment ids to the model, which it does when the tokenizer's
 * model_input_names have token_type_ids: by tokenizer_config.json, or by the class that it names. */
typedef enum TokenizerTypes {
    TOKENIZER_TYPES_UNSAID, /* by neither: the class is that of the architecture */
    TOKENIZER_TYPES_USED,
    TOKENIZER_TYPES_UNUSED, /* the model sees segment 0 everywhere */
} TokenizerTypes;
TokenizerTypes tokenizer_types(const Tokenizer *tokenizer);
/* Whether `id` is an added token flagged special. */
bool tokenizer_token_special(const Tokenizer *tokenizer, uint32_t id);
/* The first text of a special token at or after `from` in `text`: what a tokenizer that trusts the text reads as that
 * token. The unknown token is none. False: there is no more. */
bool tokenizer_find_special(const Tokenizer *tokenizer, TextView text, uint32_t from, uint32_t *out_id,
                            ByteRange *out_range);
/* Whether training cannot have met `id`: there is no such token, its name says that it is a spare one ("[unused7]"), or
 * it is a byte that UTF-8 never has. */
bool tokenizer_token_spare(const Tokenizer *tokenizer, uint32_t id);
/* The model's token for what it does not know. False: it has none. */
bool tokenizer_unknown_id(const Tokenizer *tokenizer, uint32_t *out_id);
/* Whether the vocabulary marks tokens that continue a word ("##ing"). */
bool tokenizer_marks_subwords(const Tokenizer *tokenizer);
/* The token that is `word` alone, between blanks and as it is written (nothing is normalized), or TOKENIZER_NO_ID. */
uint32_t tokenizer_find_word(const Tokenizer *tokenizer, TextView word);
/* How many tokens the template adds to a single text, or to a pair. */
uint32_t tokenizer_added_count(const Tokenizer *tokenizer, bool pair);
