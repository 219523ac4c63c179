/* Reading a tokenizer's files: every field is checked, and what is wrong is named by file, field and what was
 * found. */
#pragma once

#include "base/json.h"
#include "tokenizer/tokenizer_state.h"

/* What the readers pass on. */
typedef struct Reader {
    Tokenizer *tokenizer;
    const char *path;        /* of the file that messages name */
    const JsonValue *config; /* tokenizer_config.json's object; NULL: there is none */
    const JsonValue *map;    /* special_tokens_map.json's */
    bool has_template;       /* a post-processor that adds tokens was read */
    char field[128];         /* the component that is read, such as "normalizer[2]" */
    Error *error;
} Reader;

/* Reads `path`, the tokenizer.json of `directory`. Fails with NOT_FOUND, IO, CORRUPT, UNSUPPORTED,
 * RESOURCE_EXHAUSTED, NO_MEMORY; the tokenizer is then half-built. */
CHECKED Status read_tokenizer_json(Tokenizer *tokenizer, const char *directory, const char *path,
                                   Error *out_error);
/* Reads what `root`, the value of a tokenizer.json, holds. Once per tokenizer. */
CHECKED Status read_root(Reader *reader, const JsonValue *root);
/* Builds a BERT tokenizer from vocab.txt and tokenizer_config.json, as transformers does. Fails as
 * read_tokenizer_json. */
CHECKED Status read_vocabulary_text(Tokenizer *tokenizer, const char *directory, Error *out_error);
/* Opens `directory`/`name`; *out_document is NULL when there is none. The caller closes it. */
CHECKED Status read_side_file(const char *directory, const char *name, JsonDocument **out_document,
                              Error *out_error);

/* Adds `tokens` (without ids) in their order, as the library does: those that the vocabulary has keep its id, the
 * others get the next ones. Once per tokenizer, after the normalizer and the vocabulary. Sets vocabulary_size. */
CHECKED Status read_add_tokens(Reader *reader, const AddedToken *tokens, uint32_t count);
/* Makes room for a vocabulary of `count` tokens with ids up to `id_max`. */
CHECKED Status read_vocabulary_open(Reader *reader, size_t count, uint64_t id_max, size_t bytes);
/* Fills the vocabulary from `vocab`, an object of token: id, which it proves; read_vocabulary_add is for other forms,
 * after read_vocabulary_open. A token that `may_repeat` has several ids then, and counts by the last. */
CHECKED Status read_vocabulary(Reader *reader, const JsonValue *vocab);
CHECKED Status read_vocabulary_add(Reader *reader, TextView text, uint32_t id, bool may_repeat);
/* The id of the model's unknown token, which must be there. */
CHECKED Status read_unknown(Reader *reader, TextView unknown, uint32_t *out_id);
/* Fails when `text` is longer than a token may be; `field` names it. */
CHECKED Status read_token_check(const Reader *reader, const char *field, TextView text);
/* Finishes the WordPiece model over the vocabulary, whose bytes it copies what it needs of. */
CHECKED Status read_wordpiece_finish(Reader *reader, TextView unknown, TextView prefix,
                                     uint32_t character_count_max);
/* A terminated copy, or NULL: out of memory. */
char *read_copy(TextView text);

typedef enum ComponentKind { NORMALIZER, PRE_TOKENIZER, MODEL, POST_PROCESSOR, DECODER } ComponentKind;

/* Reads the components of the list `key` of `value`, one after the other. */
CHECKED Status read_sequence(Reader *reader, const JsonValue *value, ComponentKind kind, const char *key);
/* The text of a special token by tokenizer_config.json or special_tokens_map.json; false: neither names it. */
bool read_special_text(const Reader *reader, SpecialToken which, TextView *out_text);
/* Sets the tokenizer's special_ids, once all its tokens are there. */
void read_special_ids(const Reader *reader);
/* Fills `types`. */
void read_types(const Reader *reader);

/* The components of components.def. */
#define COMPONENT(kind, name, read) CHECKED Status read(Reader *reader, const JsonValue *value);
#include "tokenizer/components.def"
#undef COMPONENT
CHECKED Status read_added_tokens(Reader *reader, const JsonValue *value);

/* Sets CORRUPT: "<path>: <field>: expected <expected>, found <found>". */
CHECKED Status read_expected(const Reader *reader, const char *field, const char *expected,
                             const JsonValue *found);
/* The member `key` of `object`, which `field` names in messages. */
CHECKED Status read_boolean(const Reader *reader, const JsonValue *object, const char *field, const char *key,
                            bool *out_value);
/* The same of the component that reader->field names, where it may be missing. */
CHECKED Status read_flag(const Reader *reader, const JsonValue *object, const char *key, bool fallback,
                         bool *out_value);
CHECKED Status read_character(const Reader *reader, const JsonValue *object, const char *key,
                              uint32_t *out_code_point);
/* A copy that the caller owns. */
CHECKED Status read_owned(const Reader *reader, const JsonValue *object, const char *key, char **out_text,
                          size_t *out_size);
/* The member "pattern" of a component. */
CHECKED Status read_pattern(const Reader *reader, const JsonValue *object, Pattern **out_pattern);
/* Metaspace's prepend_scheme. */
CHECKED Status read_prepend_scheme(const Reader *reader, const JsonValue *value, PrependScheme *out_scheme);
/* Sets UNSUPPORTED: more than `most` `what`. */
CHECKED Status read_too_many(const Reader *reader, const char *what, uint32_t most);
CHECKED Status read_string(const Reader *reader, const JsonValue *object, const char *field, const char *key,
                           TextView *out_value);
CHECKED Status read_integer(const Reader *reader, const JsonValue *object, const char *field, const char *key,
                            int64_t max, uint32_t *out_value);
