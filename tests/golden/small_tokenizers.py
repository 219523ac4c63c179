"""Small tokenizers trained on the spot, of the kinds that the architectures usually come with."""
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = """The cat sat on the mat, and the dog lay by the door of the old house in Lyon.
Ada Lovelace wrote the first program for a machine that Charles Babbage never finished in London.
Who wrote it? Where is the house? What did the cat do when the dog came in from the rain?
The quick answer is short; a long answer is longer than the question and says the same thing twice.
Caf\u00e9s in Paris serve coffee at 7:30, tea at 16:45 and nothing else until the evening train to M\u00fcnchen.
It was a very good film with a terrible ending, but the music by Clara Schumann was wonderful.
""".split("\n")[:-1]

BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
LLAMA = {"cls": "<|begin_of_text|>", "sep": "<|end_of_text|>", "mask": "<|mask|>"}


def template(special, ids, twice, types):
    cls, sep = special["cls"], special["sep"]
    second = f"{sep}:0 $B:0 {sep}:0" if twice else f"$B:{types} {sep}:{types}"
    return processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0", pair=f"{cls}:0 $A:0 {sep}:0 {second}",
        special_tokens=[(cls, ids(cls)), (sep, ids(sep))])


def wordpiece(special, lowercase=True):
    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=130, special_tokens=list(special.values()),
                                                show_progress=False)


def byte_bpe(special, lowercase=False):
    del lowercase
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, trainers.BpeTrainer(vocab_size=300, special_tokens=list(special.values()), show_progress=False,
                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def unigram(special, lowercase=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")] + [normalizers.Lowercase()] * lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, trainers.UnigramTrainer(vocab_size=120, special_tokens=list(special.values()),
                                              unk_token=special["unk"], show_progress=False)


def train(kind, special, twice=False, lowercase=False, types=1):
    """A tokenizer of that kind; `twice`: two separators stand between the texts of a pair, as in RoBERTa."""
    tokenizer, trainer = kind(special, lowercase=lowercase)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = template(special, tokenizer.token_to_id, twice, types)
    return tokenizer


# architecture: (kind, special tokens, further arguments of train, whether the model takes segments)
TOKENIZERS = {
    "bert": (wordpiece, BERT, {"lowercase": True}, True),
    "roberta": (byte_bpe, ROBERTA, {"twice": True}, False),
    "camembert": (unigram, ROBERTA, {"twice": True}, False),
    "xlm-roberta": (unigram, ROBERTA, {"twice": True}, False),
    "distilbert": (wordpiece, BERT, {"types": 0}, False),
    "mpnet": (wordpiece, ROBERTA, {"twice": True, "lowercase": True}, False),
    "electra": (wordpiece, BERT, {"lowercase": True}, True),
    "albert": (unigram, BERT, {"lowercase": True}, True),
    "deberta-v2": (unigram, BERT, {}, True),
    "modernbert": (byte_bpe, BERT, {"types": 0}, False),
    "nomic_bert": (wordpiece, BERT, {"lowercase": True}, True),
    "gte": (unigram, ROBERTA, {"twice": True}, False),
    "eurobert": (byte_bpe, LLAMA, {"types": 0}, False),
    "jina-v2": (wordpiece, BERT, {}, True),
    "jina_embeddings_v3": (unigram, ROBERTA, {"twice": True}, False),
    "longformer": (byte_bpe, ROBERTA, {"twice": True}, False),
    "big_bird": (unigram, BERT, {}, False),
}


def make_tokenizer(architecture, longest):
    """(the tokenizer, what tokenizer_config.json says)."""
    kind, special, arguments, segments = TOKENIZERS[architecture]
    names = {"cls": "cls_token", "sep": "sep_token", "pad": "pad_token", "unk": "unk_token", "mask": "mask_token"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": longest,
              "model_input_names": ["input_ids"] + ["token_type_ids"] * segments + ["attention_mask"],
              **{names[role]: token for role, token in special.items()}}
    config.setdefault("pad_token", special["sep"])
    if special is LLAMA:
        config |= {"bos_token": special["cls"], "eos_token": special["sep"]}
    return train(kind, special, **arguments), config
