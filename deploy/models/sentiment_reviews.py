"""The rated sentences of deploy/models/reviews and which split each belongs to. Standard library only: tests use it."""

import collections
import hashlib
import pathlib
import re

REVIEWS = pathlib.Path(__file__).resolve().parent / "reviews" / "movie_reviews.tsv"
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLEAR_RATING = 0.5  # a sentence whose mean rating is nearer to 0 than this is ambiguous: people differ on it

Review = collections.namedtuple("Review", "number rating text")


def read_reviews():
    with open(REVIEWS, encoding="utf-8", newline="\n") as file:
        rows = (line.rstrip("\n").split("\t") for line in file)
        return [Review(int(number), float(rating), text) for number, rating, text in rows]


def split_of(text):
    """"test" (15 in 100), "validation" (10) or "training", by the words alone."""
    words = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    bucket = int(hashlib.sha256(words.encode()).hexdigest(), 16) % 20
    return "test" if bucket < 3 else "validation" if bucket < 5 else "training"


def is_clear(review):
    return abs(review.rating) >= CLEAR_RATING


def label_of(review):
    return "positive" if review.rating > 0 else "negative"
