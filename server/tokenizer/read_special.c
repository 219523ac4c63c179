/* The tokens with a task: what tokenizer_config.json or special_tokens_map.json calls them, or their usual names. */
#include "tokenizer/read.h"

static const char *const SPECIAL_KEYS[SPECIAL_COUNT] = {"unk_token", "sep_token", "pad_token", "cls_token",
                                                        "mask_token"};
static const char *const SPECIAL_NAMES[SPECIAL_COUNT][2] = {
    {"[UNK]", "<unk>"}, {"[SEP]", "</s>"}, {"[PAD]", "<pad>"}, {"[CLS]", "<s>"}, {"[MASK]", "<mask>"}};

bool read_special_text(const Reader *reader, SpecialToken which, TextView *out_text)
{
    const JsonValue *sources[] = {reader->config, reader->map};
    for (int i = 0; i < 2; i++) {
        const JsonValue *found = json_member(sources[i], SPECIAL_KEYS[which]);
        if (json_string(found, out_text) || json_string(json_member(found, "content"), out_text)) return true;
    }
    return false;
}

static uint32_t special_added(const AddedTokens *added, TextView text)
{
    for (uint32_t i = 0; i < added->count; i++) {
        if (text_equal(added->tokens[i].content, text)) return added->tokens[i].id;
    }
    return VOCABULARY_NONE;
}

void read_special_ids(const Reader *reader)
{
    Tokenizer *tokenizer = reader->tokenizer;
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        TextView text;
        uint32_t *id = &tokenizer->special_ids[i];
        if (read_special_text(reader, (SpecialToken)i, &text)) {
            *id = special_added(&tokenizer->added, text);
            if (*id == VOCABULARY_NONE) *id = vocabulary_find(&tokenizer->vocabulary, text);
        } else {
            *id = special_added(&tokenizer->added, text_view(SPECIAL_NAMES[i][0]));
            if (*id == VOCABULARY_NONE) *id = special_added(&tokenizer->added, text_view(SPECIAL_NAMES[i][1]));
        }
    }
}
