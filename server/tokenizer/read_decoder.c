/* The decoders of tokenizer.json, in the order they run. */
#include "tokenizer/read.h"

/* Adds a decoder; what it owns is the tokenizer's from here on. */
static Status decoder_add(const Reader *reader, DecoderKind kind, Decoder **out_decoder)
{
    DecoderList *list = &reader->tokenizer->decoders;
    if (list->count == DECODER_COUNT_MAX) return read_too_many(reader, "decoders", DECODER_COUNT_MAX);
    *out_decoder = &list->items[list->count++];
    (*out_decoder)->kind = kind;
    return STATUS_OK;
}

static Status decoder_add_plain(const Reader *reader, DecoderKind kind)
{
    Decoder *decoder = NULL;
    return decoder_add(reader, kind, &decoder);
}

Status read_decoder_sequence(Reader *reader, const JsonValue *value)
{
    return read_sequence(reader, value, DECODER, "decoders");
}

Status read_wordpiece_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    Status status = decoder_add(reader, DECODER_WORDPIECE, &decoder);
    if (!status) status = read_owned(reader, value, "prefix", &decoder->text, &decoder->text_size);
    if (!status) status = read_boolean(reader, value, reader->field, "cleanup", &decoder->cleanup);
    return status;
}

Status read_byte_level_decoder(Reader *reader, const JsonValue *value)
{
    (void)value;
    return decoder_add_plain(reader, DECODER_BYTE_LEVEL);
}

Status read_byte_fallback_decoder(Reader *reader, const JsonValue *value)
{
    (void)value;
    return decoder_add_plain(reader, DECODER_BYTE_FALLBACK);
}

Status read_fuse_decoder(Reader *reader, const JsonValue *value)
{
    (void)value;
    return decoder_add_plain(reader, DECODER_FUSE);
}

Status read_metaspace_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    PrependScheme scheme = PREPEND_ALWAYS;
    Status status = decoder_add(reader, DECODER_METASPACE, &decoder);
    if (!status) status = read_character(reader, value, "replacement", &decoder->character);
    if (!status) status = read_prepend_scheme(reader, value, &scheme);
    if (!status) decoder->drops = scheme != PREPEND_NEVER;
    return status;
}

Status read_strip_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    Status status = decoder_add(reader, DECODER_STRIP, &decoder);
    if (!status) status = read_character(reader, value, "content", &decoder->character);
    if (!status) status = read_integer(reader, value, reader->field, "start", UINT32_MAX, &decoder->left);
    if (!status) status = read_integer(reader, value, reader->field, "stop", UINT32_MAX, &decoder->right);
    return status;
}

Status read_replace_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    Status status = decoder_add(reader, DECODER_REPLACE, &decoder);
    if (!status) status = read_owned(reader, value, "content", &decoder->content, &decoder->content_size);
    return status ? status : read_pattern(reader, value, &decoder->pattern);
}

Status read_bpe_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    Status status = decoder_add(reader, DECODER_BPE, &decoder);
    return status ? status : read_owned(reader, value, "suffix", &decoder->text, &decoder->text_size);
}

Status read_ctc_decoder(Reader *reader, const JsonValue *value)
{
    Decoder *decoder = NULL;
    Status status = decoder_add(reader, DECODER_CTC, &decoder);
    if (!status) status = read_owned(reader, value, "pad_token", &decoder->text, &decoder->text_size);
    if (!status)
        status = read_owned(reader, value, "word_delimiter_token", &decoder->content, &decoder->content_size);
    if (!status) status = read_boolean(reader, value, reader->field, "cleanup", &decoder->cleanup);
    return status;
}
