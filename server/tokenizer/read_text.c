/* vocab.txt: the vocabulary of the first BERT checkpoints, one token a line, with the settings of
 * tokenizer_config.json and special_tokens_map.json. Gives what transformers' BertTokenizer makes of them. */
#include "base/file.h"
#include "base/limits.h"
#include "tokenizer/read.h"
#include "unicode/utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* BERT's, where nobody says otherwise. */
static const char *const SPECIAL_DEFAULTS[SPECIAL_COUNT] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};

static TextView text_special(const Reader *reader, SpecialToken which)
{
    TextView text;
    return read_special_text(reader, which, &text) ? text : text_view(SPECIAL_DEFAULTS[which]);
}

/* The line that ends at `end`, without its line break; *out_begin is where it starts. */
static TextView text_line_before(TextView text, size_t end, size_t *out_begin)
{
    const char *previous = end > 0 ? memrchr(text.bytes, '\n', end) : NULL;
    size_t begin = previous ? (size_t)(previous - text.bytes) + 1 : 0;
    *out_begin = begin;
    if (end > begin && text.bytes[end - 1] == '\r') end--;
    return (TextView){text.bytes + begin, end - begin};
}

/* From the last line to the first: of a token that is there twice the last line counts, the other ids stay free.
 */
static Status text_read_lines(Reader *reader, TextView text)
{
    size_t count = 0, begin;
    for (size_t i = 0; i < text.size; i++) count += text.bytes[i] == '\n';
    if (text.size && text.bytes[text.size - 1] != '\n')
        count++;
    else if (text.size)
        text.size--;
    Status status = read_vocabulary_open(reader, count, count ? count - 1 : 0, text.size);
    size_t end = text.size;
    for (size_t id = count; id > 0 && !status; id--, end = begin - (begin > 0)) {
        TextView line = text_line_before(text, end, &begin);
        status = read_token_check(reader, "a line", line);
        if (status) break;
        if (vocabulary_add(&reader->tokenizer->vocabulary, line, (uint32_t)id - 1) == VOCABULARY_CROWDED) {
            status = error_set(reader->error, STATUS_CORRUPT,
                               "%s: line %zu: the tokens collide in the hash more than chance allows",
                               reader->path, id);
        }
    }
    return status;
}

static Status text_read_file(Reader *reader)
{
    char *bytes = NULL;
    size_t size, position;
    Status status = file_read(reader->path, JSON_BYTES_MAX, &bytes, &size, reader->error);
    if (status) return status;
    TextView text = {bytes, size};
    if (!utf8_valid(text, &position)) {
        status = error_set(reader->error, STATUS_CORRUPT, "%s: not UTF-8 at byte %zu", reader->path, position);
    } else {
        status = text_read_lines(reader, text);
    }
    free(bytes);
    return status;
}

static Status text_read_normalizer(Reader *reader)
{
    BertNormalizer *normalizer = &reader->tokenizer->normalizers.bert;
    *normalizer =
        (BertNormalizer){.enabled = true, .clean_text = true, .handle_chinese_chars = true, .lowercase = true};
    const JsonValue *chinese = json_member(reader->config, "tokenize_chinese_chars");
    const JsonValue *lower = json_member(reader->config, "do_lower_case");
    const JsonValue *strip = json_member(reader->config, "strip_accents");
    if (json_type(chinese) != JSON_NULL && !json_boolean(chinese, &normalizer->handle_chinese_chars)) {
        return read_expected(reader, "tokenizer_config.json: tokenize_chinese_chars", "true or false", chinese);
    }
    if (json_type(lower) != JSON_NULL && !json_boolean(lower, &normalizer->lowercase)) {
        return read_expected(reader, "tokenizer_config.json: do_lower_case", "true or false", lower);
    }
    normalizer->strip_accents = normalizer->lowercase;
    if (json_type(strip) != JSON_NULL && !json_boolean(strip, &normalizer->strip_accents)) {
        return read_expected(reader, "tokenizer_config.json: strip_accents", "true, false or null", strip);
    }
    bert_normalizer_prepare(normalizer);
    return STATUS_OK;
}

/* The special tokens that the vocabulary has, and the template around the texts. */
static Status text_read_special(Reader *reader)
{
    Tokenizer *tokenizer = reader->tokenizer;
    AddedToken tokens[SPECIAL_COUNT] = {0};
    uint32_t ids[SPECIAL_COUNT], count = 0;
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        TextView text = text_special(reader, (SpecialToken)i);
        ids[i] = vocabulary_find(&tokenizer->vocabulary, text);
        if (ids[i] != VOCABULARY_NONE) {
            tokens[count++] = (AddedToken){.content = text, .special = true};
        } else if (i != SPECIAL_PADDING && i != SPECIAL_MASK) {
            return error_set(reader->error, STATUS_CORRUPT, "%s: expected the token \"%.*s\", found no such line",
                             reader->path, (int)(text.size < 80 ? text.size : 80), text.bytes);
        }
    }
    TemplatePiece pieces[] = {
        {TEMPLATE_TOKEN, 0, ids[SPECIAL_CLASSIFIER]}, {TEMPLATE_TEXT, 0, 0},
        {TEMPLATE_TOKEN, 0, ids[SPECIAL_SEPARATOR]},  {TEMPLATE_PAIR, 1, 0},
        {TEMPLATE_TOKEN, 1, ids[SPECIAL_SEPARATOR]},
    };
    for (int i = 0; i < 3; i++) template_add(&tokenizer->single, pieces[i]);
    for (int i = 0; i < 5; i++) template_add(&tokenizer->pair, pieces[i]);
    return read_add_tokens(reader, tokens, count);
}

static Status text_read(Reader *reader)
{
    Tokenizer *tokenizer = reader->tokenizer;
    Status status = text_read_normalizer(reader);
    if (!status) status = text_read_file(reader);
    if (!status) {
        TextView unknown = text_special(reader, SPECIAL_UNKNOWN);
        status = read_wordpiece_finish(reader, unknown, text_view("##"), 100);
    }
    if (!status) status = text_read_special(reader);
    if (status) return status;
    read_special_ids(reader);
    read_types(reader);
    tokenizer->pre_tokenizers = (PreTokenizerList){.items = {{.kind = PRE_TOKENIZER_BERT}}, .count = 1};
    Decoder decoder = {
        .kind = DECODER_WORDPIECE, .text = read_copy(text_view("##")), .text_size = 2, .cleanup = true};
    tokenizer->decoders = (DecoderList){.items = {decoder}, .count = 1};
    return decoder.text ? STATUS_OK : error_set(reader->error, STATUS_NO_MEMORY, "no memory for a decoder");
}

/* vocab.txt is also the name of other tokenizers' files: only what says it is BERT's is taken for it. */
static Status text_check_class(const Reader *reader, const char *directory)
{
    TextView name;
    if (!json_string(json_member(reader->config, "tokenizer_class"), &name)) return STATUS_OK;
    if (text_equal(name, text_view("BertTokenizer")) || text_equal(name, text_view("BertTokenizerFast")))
        return STATUS_OK;
    return error_set(reader->error, STATUS_UNSUPPORTED,
                     "%s: a %.*s without tokenizer.json: make one with transformers: "
                     "AutoTokenizer.from_pretrained(\"%s\").save_pretrained(\"%s\")",
                     directory, (int)(name.size < 80 ? name.size : 80), name.bytes, directory, directory);
}

Status read_vocabulary_text(Tokenizer *tokenizer, const char *directory, Error *out_error)
{
    char path[PATH_BYTES_MAX];
    JsonDocument *config = NULL, *map = NULL;
    Status status = file_join(path, sizeof path, directory, "vocab.txt", out_error);
    if (status) return status;
    if (!file_exists(path)) {
        return error_set(out_error, STATUS_NOT_FOUND,
                         "%s: there is neither tokenizer.json nor vocab.txt; transformers makes the first: "
                         "AutoTokenizer.from_pretrained(\"%s\").save_pretrained(\"%s\")",
                         directory, directory, directory);
    }
    status = read_side_file(directory, "tokenizer_config.json", &config, out_error);
    if (!status) status = read_side_file(directory, "special_tokens_map.json", &map, out_error);
    if (!status) {
        Reader reader = {.tokenizer = tokenizer, .path = path, .error = out_error};
        if (config) reader.config = json_document_root(config);
        if (map) reader.map = json_document_root(map);
        status = text_check_class(&reader, directory);
        if (!status) status = text_read(&reader);
    }
    json_document_close(map);
    json_document_close(config);
    return status;
}
