#!/usr/bin/env python3
"""Trains the sentiment classifier that headlightd serves by default, deploy/models/sentiment.

    python deploy/models/train_sentiment.py [--recipe plain|adversarial|distilled] [--seed N] [--output DIR]

Needs deploy/models/requirements.txt and models/all-MiniLM-L6-v2 (deploy/models/get-minilm), whose token embeddings it
begins with; takes some minutes of one core. The checkpoint's README, which this writes too, says what came of it.

A sentence belongs to the test, the validation or the training split by a hash of its words, so that the same sentence
twice is in one split, and no list has to be kept. What is trained on is the mean rating as a probability, so that a
sentence on which people differ teaches just that. Words are masked and deleted at random: explanations and sanitizing
ask what remains when words are missing, and the model should have seen such texts. All randomness comes from seeds, on
one thread and with one instruction set, so that the same CPU vendor and package versions give the same bytes.

The other recipes are defences, trained on the same sentences, and written to models/sentiment-RECIPE:

- adversarial: half of the sentences are attacked anew for each epoch (disguises.py). Of COPY_COUNT disguised copies of
  a sentence, that one is trained on at which the model errs most as it then is (after A2T, Yoo and Qi 2021).
- distilled: defensive distillation (Papernot et al. 2016). A teacher is trained with its logits divided by TEMPERATURE,
  then a model of the same shape, from scratch and likewise divided, on what the teacher says of each sentence. It is
  served undivided.

tests/bench/robustness.py measures what they are worth, README has its table.
"""

import os

# Ahead of torch: sums are ordered alike on every CPU that has AVX2.
os.environ.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_CBWR="AVX2", OMP_NUM_THREADS="1",
                  MKL_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import argparse  # noqa: E402
import collections  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402
import random  # noqa: E402
import time  # noqa: E402

import numpy  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

import sentiment_card  # noqa: E402
from disguises import disguised  # noqa: E402
from sentiment_reviews import SPECIAL_TOKENS, read_reviews, split_of  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
EMBEDDINGS = HERE.parents[1] / "models" / "all-MiniLM-L6-v2"
SEED = 20240607
VOCABULARY_SIZE = 10_000
POSITION_COUNT = 128
CONFIG = dict(hidden_size=96, num_hidden_layers=2, num_attention_heads=3, intermediate_size=192,
              max_position_embeddings=POSITION_COUNT, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.1,
              classifier_dropout=0.3, vocab_size=VOCABULARY_SIZE, pad_token_id=0,
              id2label={0: "negative", 1: "positive"}, label2id={"negative": 0, "positive": 1})
EPOCH_COUNT = 7
BATCH_SIZE = 64
LEARNING_RATE = 1.2e-3
TOKEN_LEARNING_SHARE = 0.3  # of a token's own vector, against what all tokens share
WARMUP_STEPS = 80
AVERAGE_DECAY = 0.99
RATING_SLOPE = 2.0  # a mean rating r is the probability 1 / (1 + exp(-2 r)) of being positive
THINNED_SHARE = 0.5  # of the sentences that lose words
JOINED_SHARE = 0.08  # of the sentences that are followed by another
ATTACKED_SHARE = 0.5  # of the sentences, where the recipe is adversarial
COPY_COUNT = 3  # of which the worst is trained on
TEMPERATURE = 20.0  # the best of Papernot et al.


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=["plain", "adversarial", "distilled"], default="plain")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    recipe = arguments.recipe
    default = HERE / "sentiment" if recipe == "plain" else HERE.parents[1] / "models" / f"sentiment-{recipe}"
    output = arguments.output or default
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(arguments.seed)
    splits = collections.defaultdict(list)
    for review in read_reviews():
        splits[split_of(review.text)].append(review)
    tokenizer, embeddings = prune_vocabulary([review.text for review in splits["training"]])
    kind = AttackedBatches if recipe == "adversarial" else Batches
    batches = kind(tokenizer, splits["training"], numpy.random.default_rng(arguments.seed))
    validation = Batches(tokenizer, splits["validation"], None)
    student = (distill if recipe == "distilled" else train)(embeddings, batches, validation)
    print(f"trained in {time.process_time() / 60:.1f} minutes of processor time")
    write_checkpoint(output, student.folded(), tokenizer)
    if recipe == "plain":
        sentiment_card.write(output, splits)


# ---- The vocabulary


def prune_vocabulary(texts):
    """MiniLM's tokenizer with VOCABULARY_SIZE of its tokens, and their vectors [tokens][384], centred: what the
    training split has twice, the letters that any word falls apart into, then the most frequent of English, which
    stand first in BERT's vocabulary."""
    whole = json.loads((EMBEDDINGS / "tokenizer.json").read_text(encoding="utf-8"))
    whole |= {"truncation": None, "padding": None}
    vocabulary = whole["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.get)
    counts = collections.Counter()
    for encoding in Tokenizer.from_str(json.dumps(whole)).encode_batch(texts, add_special_tokens=False):
        counts.update(encoding.tokens)
    kept = set(SPECIAL_TOKENS) | {name for name in names if counts[name] >= 2 or is_letter(name)}
    for name in names:
        if len(kept) >= VOCABULARY_SIZE:
            break
        if not name.startswith("[") and name.isascii():
            kept.add(name)
    names = [name for name in names if name in kept]
    weights = load_file(EMBEDDINGS / "model.safetensors")
    table = next(tensor for key, tensor in weights.items() if key.endswith("word_embeddings.weight")).float()
    vectors = table[[vocabulary[name] for name in names]]
    whole["model"]["vocab"] = {name: index for index, name in enumerate(names)}
    for token in whole["added_tokens"]:
        token["id"] = names.index(token["content"])
    for token in whole["post_processor"]["special_tokens"].values():
        token["ids"] = [names.index(token["id"])]
    return Tokenizer.from_str(json.dumps(whole)), vectors - vectors.mean(dim=0)


def is_letter(name):
    return len(name.removeprefix("##")) == 1 and ord(name[-1]) < 0x180


# ---- Training


class Student(torch.nn.Module):
    """The classifier while it is trained: a token's vector is a projection of MiniLM's, shared by all tokens, plus a
    small one of its own. So tokens that the training split lacks learn with those that it has."""

    def __init__(self, embeddings):
        super().__init__()
        self.bert = BertForSequenceClassification(BertConfig(**CONFIG))
        self.register_buffer("embeddings", embeddings, persistent=False)
        principal = torch.linalg.svd(embeddings, full_matrices=False).Vh[:CONFIG["hidden_size"]]
        self.projection = torch.nn.Parameter(0.7 * principal.T.contiguous())
        self.own = torch.nn.Parameter(torch.zeros(len(embeddings), CONFIG["hidden_size"]))

    def forward(self, ids, mask):
        """The logarithm of the odds of positive [texts]."""
        vectors = self.embeddings[ids] @ self.projection + torch.nn.functional.embedding(ids, self.own)
        logits = self.bert(inputs_embeds=vectors, attention_mask=mask).logits
        return logits[:, 1] - logits[:, 0]

    def folded(self):
        """The classifier as it is served, with the token vectors in place."""
        with torch.no_grad():
            self.bert.bert.embeddings.word_embeddings.weight.copy_(self.embeddings @ self.projection + self.own)
        return self.bert.eval()

    def parameter_groups(self):
        matrices, vectors = [self.projection], []
        for name, parameter in self.bert.named_parameters():
            if "word_embeddings" not in name:
                (matrices if parameter.dim() > 1 else vectors).append(parameter)
        return [dict(params=matrices, weight_decay=0.05, share=1.0), dict(params=vectors, weight_decay=0.0, share=1.0),
                dict(params=[self.own], weight_decay=0.05, share=TOKEN_LEARNING_SHARE)]


class Batches:
    """The training sentences as tokens, word by word, and thinned anew for every epoch."""

    def __init__(self, tokenizer, reviews, chance):
        self.chance = chance
        self.odds = RATING_SLOPE * numpy.array([review.rating for review in reviews])  # their logarithms
        self.words = [words_of(tokenizer, review.text) for review in reviews]
        self.special = {name: tokenizer.token_to_id(name) for name in SPECIAL_TOKENS}

    def renew(self, student):
        """Before each epoch."""

    def epoch(self):
        """Yields (ids, mask, logarithms of the odds of positive); texts of about the same length share a batch."""
        items = [self.item(index) for index in range(len(self.words))]
        order = self.chance.permutation(len(items))
        batches = []
        for begin in range(0, len(order), BATCH_SIZE * 16):
            block = sorted(order[begin:begin + BATCH_SIZE * 16], key=lambda index: len(items[index][0]))
            batches += [block[k:k + BATCH_SIZE] for k in range(0, len(block), BATCH_SIZE)]
        for number in self.chance.permutation(len(batches)):
            chosen = [items[index] for index in batches[number]]
            ids, mask = padded([tokens for tokens, _ in chosen], self.special)
            yield ids, mask, torch.tensor([odds for _, odds in chosen], dtype=torch.float32)

    def item(self, index):
        words, odds = self.words[index], self.odds[index]
        if self.chance.random() < JOINED_SHARE:
            other = self.chance.integers(len(self.words))
            words, odds = words + self.words[other], (odds + self.odds[other]) / 2
        if self.chance.random() < THINNED_SHARE:
            words = self.thinned(words)
        return [token for word in words for token in word], odds

    def thinned(self, words):
        """Without some of the words, or with [MASK] for each of their tokens; mostly few, now and then most."""
        kept = self.chance.random(len(words)) >= 0.8 * self.chance.random() ** 2
        if self.chance.random() < 0.5:
            return [word for word, keep in zip(words, kept) if keep]
        return [word if keep else [self.special["[MASK]"]] * len(word) for word, keep in zip(words, kept)]


class AttackedBatches(Batches):
    """Sentences of which half are attacked, against the student as it is before the epoch."""

    def __init__(self, tokenizer, reviews, chance):
        super().__init__(tokenizer, reviews, chance)
        self.tokenizer = tokenizer
        self.texts = [review.text for review in reviews]
        self.honest = self.words
        self.disguises = random.Random(SEED)

    def renew(self, student):
        self.words = list(self.honest)
        chosen = [index for index in range(len(self.texts)) if self.disguises.random() < ATTACKED_SHARE]
        copies = [[words_of(self.tokenizer, disguised(self.disguises, self.texts[index])) for index in chosen]
                  for _ in range(COPY_COUNT)]
        expected = torch.tensor(self.odds[chosen], dtype=torch.float32)
        losses = torch.stack([cross_entropy(odds_of(student, words, self.special), expected, reduction="none")
                              for words in copies])
        for place, (index, worst) in enumerate(zip(chosen, losses.argmax(dim=0).tolist())):
            self.words[index] = copies[worst][place]


def words_of(tokenizer, text):
    encoding = tokenizer.encode(text, add_special_tokens=False)
    words = collections.defaultdict(list)
    for token, word in zip(encoding.ids, encoding.word_ids):
        words[word].append(token)
    return list(words.values())


def padded(texts, special):
    """(ids, mask) [texts][longest]"""
    rows = [[special["[CLS]"], *tokens[:POSITION_COUNT - 2], special["[SEP]"]] for tokens in texts]
    width = max(map(len, rows))
    ids = torch.tensor([row + [special["[PAD]"]] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows])


def distill(embeddings, batches, validation):
    """A student of a teacher's opinions; both at TEMPERATURE."""
    teacher = train(embeddings, batches, validation, TEMPERATURE)
    batches.odds = odds_of(teacher, batches.words, batches.special).double().numpy() / TEMPERATURE
    return train(embeddings, batches, validation, TEMPERATURE)


def train(embeddings, batches, validation, temperature=1.0):
    """A student with the average of the weights over the last steps, as it was after the epoch with the least
    validation loss."""
    student = Student(embeddings)
    optimizer = torch.optim.AdamW(student.parameter_groups(), betas=(0.9, 0.98))
    step_count = EPOCH_COUNT * -(-len(batches.words) // BATCH_SIZE)
    average = {name: value.detach().clone() for name, value in student.state_dict().items()}
    best_loss, best, step = float("inf"), None, 0
    for epoch in range(EPOCH_COUNT):
        batches.renew(student)
        for ids, mask, odds in batches.epoch():
            rate = LEARNING_RATE * min(1.0, (step + 1) / WARMUP_STEPS) * max(0.02, 1 - step / step_count)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            loss = cross_entropy(student(ids, mask) / temperature, odds)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            step += 1
            decay = min(AVERAGE_DECAY, step / (step + 10))
            for name, value in student.state_dict().items():
                average[name].lerp_(value, 1 - decay)
        loss, accuracy = validate(student, average, validation, temperature)
        print(f"epoch {epoch + 1}: validation loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
        if loss < best_loss:
            best_loss, best = loss, {name: value.clone() for name, value in average.items()}
    student.load_state_dict(best)
    return student


def cross_entropy(odds, expected, reduction="mean"):
    return torch.nn.functional.binary_cross_entropy_with_logits(odds, torch.sigmoid(expected), reduction=reduction)


def odds_of(student, words, special):
    """What the student says of texts, which are lists of words, without dropout."""
    student.eval()
    texts = [[token for word in text for token in word] for text in words]
    with torch.no_grad():
        odds = torch.cat([student(*padded(texts[begin:begin + 256], special)) for begin in range(0, len(texts), 256)])
    student.train()
    return odds


def validate(student, weights, batches, temperature):
    """(loss, accuracy) of `weights`; the student has its own again afterwards."""
    own = {name: value.clone() for name, value in student.state_dict().items()}
    student.load_state_dict(weights)
    expected = torch.tensor(batches.odds, dtype=torch.float32)
    odds = odds_of(student, batches.words, batches.special)
    loss = cross_entropy(odds / temperature, expected)
    student.load_state_dict(own)
    return loss.item(), ((odds > 0) == (expected > 0)).float().mean().item()


def write_checkpoint(output, model, tokenizer):
    output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(output)
    (output / "model.safetensors").chmod(0o644)
    tokenizer.save(str(output / "tokenizer.json"))
    names = {f"{name.strip('[]').lower()}_token": name for name in SPECIAL_TOKENS}
    settings = names | {"model_max_length": POSITION_COUNT, "tokenizer_class": "PreTrainedTokenizerFast"}
    (output / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
