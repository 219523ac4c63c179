"""Small tokenizers with the pipelines that published encoders have, and with what else tokenizer.json can say."""

import io
import json
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from corpus import Corpus, bank

GPT = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LLAMA_3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
           r"\s+(?!\S)|\s+")
# What SentencePiece's normalizer shall replace: compatibility characters, an accent after a letter, and nothing.
RULES = [("ﬁ", "fi"), ("①", "1"), ("Ａ", "A"), ("ｂ", "b"), ("é", "e"), ("e\u0301", "e"), ("\u00ad", ""), ("…", "..."),
         ("　", " "), ("\t", " "), ("가", "ga"), ("½", "1/2"), ("\u200b", " "), ("İ", "i\u0307"), ("ー", "-")]


def lines(count=600, strange=0):
    """What tokenizers learn from: `count` lines of words, `strange` of anything."""
    corpus = Corpus(5)
    texts = bank() * 4 + [corpus.words() for _ in range(count)] + [corpus.string() for _ in range(strange)]
    return [text for text in texts if "\0" not in text]  # which our JSON reader refuses


def charsmap(rules=None):
    """The precompiled_charsmap that SentencePiece trains: that of nmt_nfkc, or of these rules alone."""
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".tsv") as file:
        for source, target in sorted(rules or ()):
            file.write("\t".join(" ".join(f"{ord(c):X}" for c in part) for part in (source, target)) + "\n")
        file.flush()
        settings = {"normalization_rule_tsv": file.name} if rules else {"normalization_rule_name": "nmt_nfkc"}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c d e f"] * 9), model_writer=model, model_type="char", vocab_size=10,
            hard_vocab_limit=False, minloglevel=2, **settings)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def special(tokenizer, tokens, lstrip="mask"):
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True, lstrip=lstrip in token.lower())
                                  for token in tokens])
    return tokenizer


def byte_bpe(pre_tokenizer, normalizer=None, tokens=GPT, size=900, texts=None, **settings):
    """Byte-level BPE, as RoBERTa and ModernBERT have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=tokens, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts or lines(), trainer)
    for name, value in settings.items():
        setattr(tokenizer.model, name, value)
    return special(tokenizer, tokens)


def unigram(pre_tokenizer, normalizer, tokens=GPT, unknown="<unk>", size=700, texts=None,
            byte_fallback=False):
    """Unigram, as XLM-R and DeBERTa have it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=tokens, unk_token=unknown, show_progress=False)
    tokenizer.train_from_iterator(texts or lines(), trainer)
    if byte_fallback:
        vocab = [(token, score) for token, score in unigram_vocab(tokenizer)[:400]]
        vocab += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
        tokenizer.model = models.Unigram(vocab, unk_id=tokens.index(unknown), byte_fallback=True)
    tokenizer.decoder = decoders.Metaspace()
    return special(tokenizer, tokens)


def unigram_vocab(tokenizer):
    return [tuple(item) for item in json.loads(tokenizer.to_str())["model"]["vocab"]]


def template(tokenizer, single, pair, tokens):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(token, tokenizer.token_to_id(token)) for token in tokens])
    return tokenizer


def xlmr_template(tokenizer):
    return template(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])


def bert_template(tokenizer):
    return template(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ["[CLS]", "[SEP]"])


def roberta(prefix, trim, **training):
    tokenizer = byte_bpe(pre_tokenizers.ByteLevel(add_prefix_space=prefix), **training)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")), trim, prefix)
    return tokenizer


def words_of_space():
    return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])


def xlmr(**training):
    return xlmr_template(unigram(words_of_space(), normalizers.Precompiled(charsmap()), **training))


def albert():
    normalizer = normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
        normalizers.Lowercase(), normalizers.Precompiled(charsmap(RULES))])
    return bert_template(unigram(words_of_space(), normalizer, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]))


def precompiled():
    """The rules alone, where an accent or a joiner makes clusters of what they replace."""
    return unigram(pre_tokenizers.Metaspace(prepend_scheme="first"), normalizers.Precompiled(charsmap(RULES)))


def deberta():
    normalizer = normalizers.Sequence([normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), " "), normalizers.NFC(),
                                       normalizers.Strip(left=False, right=True)])
    pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace()])
    return bert_template(unigram(pre_tokenizer, normalizer, BERT, "[UNK]"))


def unigram_bytes():
    tokenizer = unigram(pre_tokenizers.Metaspace(prepend_scheme="never", split=False), normalizers.NFKC(),
                        byte_fallback=True)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return tokenizer


def modernbert(**training):
    pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
    tokenizer = bert_template(byte_bpe(pre_tokenizer, normalizers.NFC(), BERT, **training))
    tokenizer.add_tokens([AddedToken("  ", normalized=True), AddedToken("   ", normalized=True),
                          AddedToken("|||IP_ADDRESS|||", normalized=True)])
    return tokenizer


def eurobert(**training):
    pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA_3), "isolated"),
                                             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer = byte_bpe(pre_tokenizer, tokens=["<|begin|>", "<|end|>", "<|pad|>", "<|mask|>"], ignore_merges=True,
                         **training)
    template(tokenizer, "<|begin|> $A <|end|>", "<|begin|> $A <|end|> <|begin|>:1 $B:1 <|end|>:1",
             ["<|begin|>", "<|end|>"])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True),
                                                    tokenizer.post_processor])
    return tokenizer


def bpe_suffix():
    """BPE of characters with an end-of-word suffix, as the first GPT has it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.BertNormalizer(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=GPT, end_of_word_suffix="</w>", limit_alphabet=200,
                                  show_progress=False)
    tokenizer.train_from_iterator(lines(), trainer)
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    return special(tokenizer, GPT)


def bpe_fallback():
    """BPE of characters, unknown ones as bytes, without pre-tokenizer: as Llama has it."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokens = GPT + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=1100, special_tokens=tokens, limit_alphabet=200, show_progress=False)
    tokenizer.train_from_iterator(lines(), trainer)
    tokenizer.model.byte_fallback = True
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = None
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    return xlmr_template(special(tokenizer, GPT))


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(),
                                                 normalizers.StripAccents(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(vocab_size=700, special_tokens=BERT, show_progress=False)
    tokenizer.train_from_iterator(lines(), trainer)
    tokenizer.decoder = decoders.CTC(pad_token="the", word_delimiter_token="de")
    return bert_template(special(tokenizer, BERT))


def byte_normalizer():
    """The byte alphabet as a normalizer, which also changes what added tokens look like."""
    tokenizer = byte_bpe(pre_tokenizers.Split(Regex("Ġ+"), "merged_with_next"), normalizers.ByteLevel())
    tokenizer.add_tokens([AddedToken("é l", normalized=True), AddedToken("中", normalized=True, lstrip=True)])
    return tokenizer


def split_words():
    """Every other pre-tokenizer, one behind the other."""
    pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.CharDelimiterSplit("q"), pre_tokenizers.UnicodeScripts(), pre_tokenizers.Digits(True),
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split("n", "merged_with_previous"),
        pre_tokenizers.Split(Regex("[aeiou]+"), "contiguous", invert=True), pre_tokenizers.FixedLength(4)])
    tokenizer = byte_bpe(pre_tokenizers.Sequence([pre_tokenizer, pre_tokenizers.ByteLevel(use_regex=False)]), size=500)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("a", "<ä>"), normalizers.NFKD()])
    return tokenizer


def make_all():
    """{name: tokenizer}."""
    return {
        "roberta": roberta(False, True), "roberta_prefix": roberta(True, True), "roberta_whole": roberta(True, False),
        "modernbert": modernbert(), "eurobert": eurobert(), "xlmr": xlmr(), "albert": albert(),
        "precompiled": precompiled(), "deberta": deberta(), "unigram_bytes": unigram_bytes(),
        "bpe_suffix": bpe_suffix(), "bpe_fallback": bpe_fallback(), "word_level": word_level(),
        "byte_normalizer": byte_normalizer(), "split_words": split_words(),
    }
