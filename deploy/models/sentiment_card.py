#!/usr/bin/env python3
"""Measures the checkpoint in deploy/models/sentiment on the test split and writes its README.

    python deploy/models/sentiment_card.py [DIR]

train_sentiment.py does this too. Needs deploy/models/requirements.txt.
"""

import collections
import hashlib
import math
import pathlib
import random
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from sentiment_reviews import CLEAR_RATING, is_clear, label_of, read_reviews, split_of

THINNED_SEED = 7
BATCH_SIZE = 128
CARD = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
---
# A small sentiment classifier of film reviews

Is a sentence about a film `negative` or `positive`? A BERT of {layers} layers, {hidden} wide, with {vocabulary:,}
tokens: {parameters:.2f} million parameters, {megabytes:.1f} MB in float32. It is what `headlightd` serves when no
model is named, so that a clone can answer, explain and be attacked without a download. It is no model for anything that
matters: it knows English film criticism of about 2002, and 10,605 sentences of it.

Made by `deploy/models/train_sentiment.py`, which says how: from the rated sentences in `deploy/models/reviews` (MIT)
and the token embeddings of all-MiniLM-L6-v2 (Apache-2.0), of which the token vectors here are a learned projection.
Hence this checkpoint's licence is Apache-2.0; that of the sentences is beside them.

## Labels and splits

A sentence is positive if its mean rating by twenty people is above 0, else negative. Where the mean is nearer to 0
than {clear}, people differ, and so the accuracy on the clear sentences stands beside that on all. Training used all,
each with its mean as a probability. A hash of a sentence's words decides its split (`sentiment_reviews.py`):
{training:,} to train on, {validation:,} to choose the epoch by, {test:,} to test on, of which {test_clear:,} are clear.
Nothing was trained or chosen on the test split.

## Accuracy on the test split

With 95 % intervals (Wilson):

| | clear sentences | all sentences |
|---|---|---|
{rows}

Three words in ten are masked or deleted at random: what explanations show the model. VADER counts as positive where
its compound score is above 0; {silent:.0f} % of the sentences it does not judge at all (compound 0). On the clear
sentences the model's mean confidence is {confidence:.3f} where its accuracy is {accuracy:.3f}.

## Limits

Irony, comparisons, and praise or blame told by a plot escape it; negation it knows in part. Other kinds of text,
other languages, and texts of several opinions are outside what it was trained on. Characters other than Latin letters,
digits and common signs are unknown tokens.

## The files

| file | SHA-256 |
|---|---|
{hashes}
"""


def write(folder, splits):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    test = splits["test"]
    analyzer = SentimentIntensityAnalyzer()
    compounds = [analyzer.polarity_scores(review.text)["compound"] for review in test]
    positive = probabilities(model, tokenizer, [review.text for review in test])
    judges = {
        "this model": positive,
        "this model, words masked": probabilities(model, tokenizer, thinned(test, tokenizer.mask_token)),
        "this model, words deleted": probabilities(model, tokenizer, thinned(test, "")),
        "VADER 3.3.2, a lexicon and rules": [0.5 + compound / 2 for compound in compounds],
    }
    clear = [is_clear(review) for review in test]
    right = [(p > 0.5) == (label_of(review) == "positive") for p, review in zip(positive, test)]
    card = CARD.format(
        layers=model.config.num_hidden_layers, hidden=model.config.hidden_size, vocabulary=model.config.vocab_size,
        parameters=model.num_parameters() / 1e6, megabytes=(folder / "model.safetensors").stat().st_size / 1e6,
        clear=CLEAR_RATING, test_clear=sum(clear), **{name: len(reviews) for name, reviews in splits.items()},
        rows="\n".join(row(name, scores, test) for name, scores in judges.items()),
        silent=100 * sum(compound == 0 for compound in compounds) / len(compounds),
        confidence=sum(max(p, 1 - p) for p, chosen in zip(positive, clear) if chosen) / sum(clear),
        accuracy=sum(one for one, chosen in zip(right, clear) if chosen) / sum(clear),
        hashes="\n".join(f"| {name} | {hashlib.sha256((folder / name).read_bytes()).hexdigest()} |"
                         for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")))
    (folder / "README.md").write_text(card, encoding="utf-8")


def row(name, scores, reviews):
    cells = []
    for chosen in (is_clear, lambda review: True):
        pairs = [(score, review) for score, review in zip(scores, reviews) if chosen(review)]
        right = sum((score > 0.5) == (label_of(review) == "positive") for score, review in pairs)
        low, high = wilson(right, len(pairs))
        cells.append(f"{right / len(pairs):.1%} ({low:.1%} to {high:.1%})".replace("%", " %"))
    return f"| {name} | {' | '.join(cells)} |"


def wilson(right, count, z=1.96):
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return middle - half, middle + half


def thinned(reviews, replacement):
    chance = random.Random(THINNED_SEED)
    return [" ".join(word if chance.random() >= 0.3 else replacement for word in review.text.split())
            for review in reviews]


def probabilities(model, tokenizer, texts):
    positive = []
    for begin in range(0, len(texts), BATCH_SIZE):
        inputs = tokenizer(texts[begin:begin + BATCH_SIZE], return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            positive += model(**inputs).logits.softmax(dim=1)[:, 1].tolist()
    return positive


def main():
    splits = collections.defaultdict(list)
    for review in read_reviews():
        splits[split_of(review.text)].append(review)
    default = pathlib.Path(__file__).resolve().parent / "sentiment"
    write(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default, splits)


if __name__ == "__main__":
    main()
