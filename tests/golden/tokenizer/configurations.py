"""Small tokenizers of every kind that is supported, trained on the spot."""

import itertools

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import pipelines

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"]


def flag_tokens():
    """One added token for each combination of flags; contents that overlap, change when normalized, or are words."""
    contents = ["Tok", "<É>", "SEP]", "don", "ＡＢ", "[X]", "foo bar", "中", "q-q", "\u0301z", "ab", "abc", "ABCD", "t ",
                " u", "İ!"]
    tokens = []
    for number, values in enumerate(itertools.product([False, True], repeat=len(FLAGS))):
        content = contents[number % len(contents)] + ("" if number < len(contents) else str(number))
        tokens.append(AddedToken(content, **dict(zip(FLAGS, values))))
    return tokens


def blank_tokens():
    """Tokens of white space, whose stripped pieces overlap; duplicates with other flags; words of the vocabulary."""
    return [AddedToken("A", rstrip=True, normalized=False), AddedToken("\n", normalized=False),
            AddedToken("B", lstrip=True, normalized=False), AddedToken("  ", normalized=True),
            AddedToken("the", single_word=True, normalized=True), AddedToken("the", special=True, normalized=False),
            AddedToken("C", rstrip=True, lstrip=True, normalized=True),
            AddedToken("[Special Norm]", special=True, normalized=True),
            AddedToken("##ing", normalized=False), AddedToken("EN", special=False)]


def train(normalizer, pre_tokenizer=True, prefix="##", longest=100, size=700, texts=None):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=longest))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=SPECIAL, continuing_subword_prefix=prefix,
                                        show_progress=False, limit_alphabet=420)
    tokenizer.train_from_iterator(texts or pipelines.lines(), trainer)
    # The trainer leaves the model's own prefix alone.
    tokenizer.model = models.WordPiece(vocab=tokenizer.get_vocab(False), unk_token="[UNK]",
                                       max_input_chars_per_word=longest, continuing_subword_prefix=prefix)
    if not pre_tokenizer:
        tokenizer.pre_tokenizer = None
    tokenizer.decoder = decoders.WordPiece(prefix=prefix)
    return tokenizer


def bert(**flags):
    return normalizers.BertNormalizer(**flags)


def template(tokenizer, single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", **several):
    ids = {name: tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]", "[MASK]")}
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=[
        {"id": name, "ids": [number], "tokens": [name]} for name, number in ids.items()] + [
        {"id": name, "ids": [ids[n] for n in names], "tokens": names} for name, names in several.items()])
    return tokenizer


def make_all():
    """{name: tokenizer}."""
    made = {}
    made["uncased"] = template(train(bert()))
    made["cased"] = train(bert(lowercase=False))
    sep, cls = ("[SEP]", made["cased"].token_to_id("[SEP]")), ("[CLS]", made["cased"].token_to_id("[CLS]"))
    made["cased"].post_processor = processors.BertProcessing(sep, cls)
    made["lower_with_accents"] = template(train(bert(strip_accents=False)), "$A:2 [SEP]:3", "$B:1 [SEP] [SEP]:1 $A:2")
    made["cased_without_accents"] = train(bert(lowercase=False, strip_accents=True))
    made["cased_without_accents"].decoder = None
    plain = train(bert(clean_text=False, handle_chinese_chars=False), prefix="@@", longest=20)
    made["no_cleaning"] = template(plain, "[CLS] $A:4 TWO", "TWO:7 $B TWO:1 $A", TWO=["[SEP]", "[MASK]"])
    made["no_normalizer"] = train(bert(), size=600)
    made["no_normalizer"].normalizer = None
    made["no_pre_tokenizer"] = train(bert(), pre_tokenizer=False, size=600)
    made["no_prefix"] = template(train(bert(lowercase=False), prefix="", longest=7, size=600))
    made["no_prefix"].decoder = decoders.WordPiece(prefix="", cleanup=False)
    made["added_flags"] = template(train(bert(), size=500))
    made["added_flags"].add_tokens(flag_tokens())
    made["added_blanks"] = template(train(bert(clean_text=False, strip_accents=True), size=500))
    made["added_blanks"].add_tokens(blank_tokens())
    for name, tokenizer in made.items():
        special = [AddedToken(token, normalized=False, special=True) for token in SPECIAL]
        tokenizer.add_special_tokens(special if name != "no_pre_tokenizer" else special[:3])
    return made


def added_contents():
    return [token.content for token in flag_tokens() + blank_tokens()]
