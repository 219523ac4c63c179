/* The normalizers of tokenizer.json, in the order they run. */
#include "base/limits.h"
#include "tokenizer/read.h"

static Status normalizer_add_passes(const Reader *reader, const BertNormalizer *bert);

/* Adds a normalizer; what it owns is the tokenizer's from here on. */
static Status normalizer_add(const Reader *reader, NormalizerKind kind, Normalizer **out_normalizer)
{
    NormalizerList *list = &reader->tokenizer->normalizers;
    if (list->bert.enabled) { /* no longer the only one */
        list->bert.enabled = false;
        Status status = normalizer_add_passes(reader, &list->bert);
        if (status) return status;
    }
    if (list->count == NORMALIZER_COUNT_MAX) return read_too_many(reader, "normalizers", NORMALIZER_COUNT_MAX);
    *out_normalizer = &list->items[list->count++];
    (*out_normalizer)->kind = kind;
    return STATUS_OK;
}

static Status normalizer_add_plain(const Reader *reader, NormalizerKind kind)
{
    Normalizer *normalizer = NULL;
    return normalizer_add(reader, kind, &normalizer);
}

static Status normalizer_add_form(const Reader *reader, Form form)
{
    Normalizer *normalizer = NULL;
    Status status = normalizer_add(reader, NORMALIZER_FORM, &normalizer);
    if (!status) normalizer->form = form;
    return status;
}

/* BertNormalizer's passes as normalizers of their own. */
static Status normalizer_add_passes(const Reader *reader, const BertNormalizer *bert)
{
    Status status = STATUS_OK;
    if (bert->clean_text) status = normalizer_add_plain(reader, NORMALIZER_CLEAN);
    if (!status && bert->handle_chinese_chars) status = normalizer_add_plain(reader, NORMALIZER_CHINESE);
    if (!status && bert->strip_accents) {
        status = normalizer_add_form(reader, (Form){.compatible = false, .composed = false});
        if (!status) status = normalizer_add_plain(reader, NORMALIZER_STRIP_MN);
    }
    if (!status && bert->lowercase) status = normalizer_add_plain(reader, NORMALIZER_LOWERCASE);
    return status;
}

/* A flag of BertNormalizer; where tokenizer.json lacks it, tokenizer_config.json's or else true. */
static Status bert_flag(const Reader *reader, const JsonValue *value, const char *key, const char *config_key,
                        bool *out_flag)
{
    bool fallback = true;
    if (config_key) (void)json_boolean(json_member(reader->config, config_key), &fallback);
    return read_flag(reader, value, key, fallback, out_flag);
}

Status read_bert_normalizer(Reader *reader, const JsonValue *value)
{
    BertNormalizer bert = {.enabled = true};
    Status status = bert_flag(reader, value, "clean_text", NULL, &bert.clean_text);
    if (!status) {
        status =
            bert_flag(reader, value, "handle_chinese_chars", "tokenize_chinese_chars", &bert.handle_chinese_chars);
    }
    if (!status) status = bert_flag(reader, value, "lowercase", "do_lower_case", &bert.lowercase);
    if (status) return status;
    const JsonValue *strip = json_member(value, "strip_accents");
    if (!strip) strip = json_member(reader->config, "strip_accents");
    bert.strip_accents = bert.lowercase; /* what null means */
    if (json_type(strip) != JSON_NULL && !json_boolean(strip, &bert.strip_accents)) {
        return read_expected(reader, "normalizer.strip_accents", "true, false or null", strip);
    }
    bert_normalizer_prepare(&bert);
    NormalizerList *list = &reader->tokenizer->normalizers;
    if (list->bert.enabled || list->count > 0) return normalizer_add_passes(reader, &bert);
    list->bert = bert;
    return STATUS_OK;
}

Status read_normalizer_sequence(Reader *reader, const JsonValue *value)
{
    return read_sequence(reader, value, NORMALIZER, "normalizers");
}

Status read_nfc(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_form(reader, (Form){.compatible = false, .composed = true});
}

Status read_nfd(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_form(reader, (Form){.compatible = false, .composed = false});
}

Status read_nfkc(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_form(reader, (Form){.compatible = true, .composed = true});
}

Status read_nfkd(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_form(reader, (Form){.compatible = true, .composed = false});
}

Status read_lowercase(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_plain(reader, NORMALIZER_LOWERCASE);
}

Status read_strip_accents(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_plain(reader, NORMALIZER_STRIP_ACCENTS);
}

Status read_nmt(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_plain(reader, NORMALIZER_NMT);
}

Status read_byte_level_normalizer(Reader *reader, const JsonValue *value)
{
    (void)value;
    return normalizer_add_plain(reader, NORMALIZER_BYTES);
}

Status read_strip(Reader *reader, const JsonValue *value)
{
    Normalizer *normalizer = NULL;
    Status status = normalizer_add(reader, NORMALIZER_STRIP, &normalizer);
    if (!status) status = read_boolean(reader, value, reader->field, "strip_left", &normalizer->left);
    if (!status) status = read_boolean(reader, value, reader->field, "strip_right", &normalizer->right);
    return status;
}

Status read_replace(Reader *reader, const JsonValue *value)
{
    Normalizer *normalizer = NULL;
    Status status = normalizer_add(reader, NORMALIZER_REPLACE, &normalizer);
    if (!status) status = read_owned(reader, value, "content", &normalizer->content, &normalizer->content_size);
    return status ? status : read_pattern(reader, value, &normalizer->pattern);
}

Status read_prepend(Reader *reader, const JsonValue *value)
{
    Normalizer *normalizer = NULL;
    Status status = normalizer_add(reader, NORMALIZER_PREPEND, &normalizer);
    return status ? status : read_owned(reader, value, "prepend", &normalizer->content, &normalizer->content_size);
}

Status read_precompiled(Reader *reader, const JsonValue *value)
{
    TextView text;
    Normalizer *normalizer = NULL;
    Status status = read_string(reader, value, reader->field, "precompiled_charsmap", &text);
    if (!status) status = normalizer_add(reader, NORMALIZER_CHARSMAP, &normalizer);
    if (status) return status;
    status = charsmap_open(text, &normalizer->charsmap, reader->error);
    return status ? error_prefix(reader->error, "%s: %s.precompiled_charsmap", reader->path, reader->field)
                  : STATUS_OK;
}
