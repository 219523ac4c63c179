/* The pre-tokenizers of tokenizer.json, as steps. */
#include "base/limits.h"
#include "tokenizer/read.h"

/* ByteLevel's words, as GPT-2 has them. */
static const char BYTE_LEVEL_WORDS[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* Adds a step. Whatever happens, its pattern is the tokenizer's from here on, or closed. */
static Status pre_tokenizer_add(const Reader *reader, PreTokenizer step)
{
    PreTokenizerList *list = &reader->tokenizer->pre_tokenizers;
    if (list->count == PRE_TOKENIZER_COUNT_MAX) {
        pattern_close(step.pattern);
        return read_too_many(reader, "steps of pre-tokenizers", PRE_TOKENIZER_COUNT_MAX);
    }
    list->items[list->count++] = step;
    return STATUS_OK;
}

static Status read_behavior(const Reader *reader, const JsonValue *value, SplitBehavior *out_behavior)
{
    static const char *const NAMES[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                        "Contiguous"};
    TextView name;
    Status status = read_string(reader, value, reader->field, "behavior", &name);
    if (status) return status;
    for (int i = 0; i <= SPLIT_CONTIGUOUS; i++) {
        if (!text_equal(name, text_view(NAMES[i]))) continue;
        *out_behavior = (SplitBehavior)i;
        return STATUS_OK;
    }
    return error_set(reader->error, STATUS_UNSUPPORTED,
                     "%s: %s.behavior: \"%.*s\" is not supported, only: %s, %s, %s, %s, %s", reader->path,
                     reader->field, (int)(name.size < 80 ? name.size : 80), name.bytes, NAMES[0], NAMES[1],
                     NAMES[2], NAMES[3], NAMES[4]);
}

Status read_pre_tokenizer_sequence(Reader *reader, const JsonValue *value)
{
    return read_sequence(reader, value, PRE_TOKENIZER, "pretokenizers");
}

Status read_bert_pre_tokenizer(Reader *reader, const JsonValue *value)
{
    (void)value;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_BERT});
}

Status read_whitespace(Reader *reader, const JsonValue *value)
{
    (void)value;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_WORDS});
}

Status read_whitespace_split(Reader *reader, const JsonValue *value)
{
    (void)value;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_WHITE_SPACE, .behavior = SPLIT_REMOVED});
}

Status read_scripts(Reader *reader, const JsonValue *value)
{
    (void)value;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_SCRIPTS});
}

Status read_byte_level(Reader *reader, const JsonValue *value)
{
    bool prefix, words;
    Status status = read_boolean(reader, value, reader->field, "add_prefix_space", &prefix);
    if (!status) status = read_flag(reader, value, "use_regex", true, &words);
    if (!status && prefix) status = pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_PREFIX_SPACE});
    if (!status && words) {
        PreTokenizer step = {.kind = PRE_TOKENIZER_PATTERN, .behavior = SPLIT_ISOLATED};
        status = pattern_open(text_view(BYTE_LEVEL_WORDS), false, &step.pattern, reader->error);
        if (!status) status = pre_tokenizer_add(reader, step);
    }
    return status ? status : pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_BYTES});
}

/* "always" where the scheme is missing; the older add_prefix_space may not say otherwise. */
Status read_prepend_scheme(const Reader *reader, const JsonValue *value, PrependScheme *out_scheme)
{
    static const char *const NAMES[] = {"never", "first", "always"};
    TextView name = text_view("always");
    bool prefix;
    const JsonValue *scheme = json_member(value, "prepend_scheme");
    if (scheme) {
        Status status = read_string(reader, value, reader->field, "prepend_scheme", &name);
        if (status) return status;
    }
    int found = 0;
    while (found <= PREPEND_ALWAYS && !text_equal(name, text_view(NAMES[found]))) found++;
    if (found > PREPEND_ALWAYS) return read_expected(reader, "prepend_scheme", "never, first or always", scheme);
    *out_scheme = (PrependScheme)found;
    const JsonValue *legacy = json_member(value, "add_prefix_space");
    if (json_type(legacy) == JSON_NULL) return STATUS_OK;
    Status status = read_boolean(reader, value, reader->field, "add_prefix_space", &prefix);
    if (status || prefix || *out_scheme == PREPEND_NEVER) return status;
    return read_expected(reader, "add_prefix_space", "what prepend_scheme says", legacy);
}

/* Spaces become the replacement, which then starts each word. */
Status read_metaspace(Reader *reader, const JsonValue *value)
{
    PreTokenizer step = {.kind = PRE_TOKENIZER_METASPACE};
    bool split = true;
    Status status = read_character(reader, value, "replacement", &step.character);
    if (!status) status = read_prepend_scheme(reader, value, &step.prepend);
    if (!status && json_type(json_member(value, "split")) != JSON_NULL)
        status = read_boolean(reader, value, reader->field, "split", &split);
    if (!status) status = pre_tokenizer_add(reader, step);
    if (status || !split) return status;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_CHARACTER,
                                                    .behavior = SPLIT_MERGED_WITH_NEXT,
                                                    .character = step.character});
}

Status read_delimiter(Reader *reader, const JsonValue *value)
{
    PreTokenizer step = {.kind = PRE_TOKENIZER_CHARACTER, .behavior = SPLIT_REMOVED};
    Status status = read_character(reader, value, "delimiter", &step.character);
    return status ? status : pre_tokenizer_add(reader, step);
}

Status read_split(Reader *reader, const JsonValue *value)
{
    PreTokenizer step = {.kind = PRE_TOKENIZER_PATTERN};
    Status status = read_behavior(reader, value, &step.behavior);
    if (!status) status = read_boolean(reader, value, reader->field, "invert", &step.invert);
    if (!status) status = read_pattern(reader, value, &step.pattern);
    return status ? status : pre_tokenizer_add(reader, step);
}

Status read_digits(Reader *reader, const JsonValue *value)
{
    bool individual;
    Status status = read_boolean(reader, value, reader->field, "individual_digits", &individual);
    if (status) return status;
    return pre_tokenizer_add(reader, (PreTokenizer){.kind = PRE_TOKENIZER_NUMERIC,
                                                    .behavior = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS});
}

Status read_punctuation(Reader *reader, const JsonValue *value)
{
    PreTokenizer step = {.kind = PRE_TOKENIZER_PUNCTUATION, .behavior = SPLIT_ISOLATED};
    Status status = STATUS_OK;
    if (json_member(value, "behavior")) status = read_behavior(reader, value, &step.behavior);
    return status ? status : pre_tokenizer_add(reader, step);
}

Status read_fixed_length(Reader *reader, const JsonValue *value)
{
    PreTokenizer step = {.kind = PRE_TOKENIZER_LENGTH, .length = 5};
    Status status = STATUS_OK;
    if (json_member(value, "length"))
        status = read_integer(reader, value, reader->field, "length", UINT32_MAX, &step.length);
    if (!status && step.length == 0)
        return read_expected(reader, "length", "at least 1", json_member(value, "length"));
    return status ? status : pre_tokenizer_add(reader, step);
}
