/* The tokens with a task: what tokenizer_config.json or special_tokens_map.json calls them, or their usual names; and
 * whether segment ids are used. */
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

/* transformers 5's classes whose model_input_names have token_type_ids, by the name that they have without "Fast", and
 * the old names of the first. */
static const char *const TYPED_CLASSES[] = {"BertTokenizer",        "ElectraTokenizer",     "DebertaTokenizer",
                                            "DebertaV2Tokenizer",   "ConvBertTokenizer",    "FunnelTokenizer",
                                            "MobileBertTokenizer",  "SqueezeBertTokenizer", "LayoutLMTokenizer",
                                            "BertJapaneseTokenizer"};

static bool types_of_class(TextView name)
{
    TextView fast = text_view("Fast");
    if (name.size > fast.size && memcmp(name.bytes + name.size - fast.size, fast.bytes, fast.size) == 0)
        name.size -= fast.size;
    for (size_t i = 0; i < sizeof TYPED_CLASSES / sizeof TYPED_CLASSES[0]; i++) {
        if (text_equal(name, text_view(TYPED_CLASSES[i]))) return true;
    }
    return false;
}

void read_types(const Reader *reader)
{
    TextView name;
    bool used = false;
    const JsonValue *names = json_member(reader->config, "model_input_names");
    if (json_type(names) == JSON_ARRAY) {
        for (const JsonValue *item = json_first(names); item; item = json_next(item))
            used |= json_string(item, &name) && text_equal(name, text_view("token_type_ids"));
    } else if (json_string(json_member(reader->config, "tokenizer_class"), &name)) {
        used = types_of_class(name);
    } else {
        return;
    }
    reader->tokenizer->types = used ? TOKENIZER_TYPES_USED : TOKENIZER_TYPES_UNUSED;
}
