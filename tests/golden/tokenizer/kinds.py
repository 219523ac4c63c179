"""The pipelines of published checkpoints, as transformers writes them, with vocabularies of a few thousand tokens."""

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

import configurations
from pipelines import (BERT, GPT, bert_template, charsmap, eurobert, lines, modernbert, roberta, special, unigram,
                       unigram_vocab, words_of_space, xlmr, xlmr_template)

UNKNOWN_FIRST = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
BLANKS = normalizers.Replace(Regex(" {2,}"), " ")


def bert(training, **flags):
    tokenizer = configurations.template(configurations.train(configurations.bert(**flags), **training))
    return special(tokenizer, BERT, lstrip="none of them")


def mpnet(training):
    tokenizer = configurations.train(configurations.bert(), **training)
    separator, classifier = (("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]")))
    tokenizer.post_processor = processors.RobertaProcessing(separator, classifier, False, False)
    return special(tokenizer, BERT)


def xlmr_converted(training):
    """As the converter from SentencePiece's files has it: blanks at either end count."""
    normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()), BLANKS])
    return xlmr_template(unigram(pre_tokenizers.Metaspace(), normalizer, **training))


def camembert(training):
    """Its first tokens are there twice, and those that count are added behind the vocabulary."""
    tokenizer = xlmr(**training)
    vocab = [("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0), ("<unk>NOTUSED", -100.0)]
    vocab += unigram_vocab(tokenizer)[len(GPT):] + [("<mask>", 0.0)]
    made = Tokenizer(models.Unigram(vocab, unk_id=3))
    made.normalizer, made.pre_tokenizer, made.decoder = tokenizer.normalizer, words_of_space(), tokenizer.decoder
    return xlmr_template(special(made, GPT))


def albert(training):
    normalizer = normalizers.Sequence([
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(),
        normalizers.Lowercase(), normalizers.Precompiled(charsmap()), BLANKS])
    return bert_template(unigram(words_of_space(), normalizer, UNKNOWN_FIRST, **training))


def deberta(training, split=False, lowercase=False):
    normalizer = normalizers.Sequence([normalizers.Lowercase()] * lowercase + [
        normalizers.Strip(), normalizers.Precompiled(charsmap()), BLANKS])
    steps = [pre_tokenizers.Punctuation("isolated")] * split + [pre_tokenizers.Metaspace()]
    return bert_template(unigram(pre_tokenizers.Sequence(steps), normalizer, BERT, "[UNK]", **training))


def makers():
    """{kind: what makes its tokenizer}."""
    training = {"size": 6000, "texts": lines(4000, strange=2000)}
    return {
        "BERT uncased": lambda: bert(training),
        "BERT cased": lambda: bert(training, lowercase=False),
        "MPNet": lambda: mpnet(training),
        "GPT-2": lambda: roberta(False, True, **training),
        "GPT-2 with prefix": lambda: roberta(True, True, **training),
        "Llama 3": lambda: eurobert(**training),
        "ModernBERT": lambda: modernbert(**training),
        "XLM-R": lambda: xlmr(**training),
        "XLM-R converted": lambda: xlmr_converted(training),
        "CamemBERT": lambda: camembert(training),
        "ALBERT": lambda: albert(training),
        "DeBERTa-v3": lambda: deberta(training),
        "DeBERTa-v2": lambda: deberta(training, split=True, lowercase=True),
    }
