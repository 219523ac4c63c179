"""Makes sentiment.json: what transformers computes with deploy/models/sentiment (fp32, eager, a text at a time).

    python tests/golden/make_sentiment.py

Needs deploy/models/requirements.txt; the tests only read what this writes: the weights' SHA-256, sentences of the test
split and some that are none, and their probabilities of "positive".
"""

import hashlib
import json
import pathlib
import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "models"))
from sentiment_reviews import read_reviews, split_of  # noqa: E402

MODEL = ROOT / "deploy" / "models" / "sentiment"
SENTENCE_COUNT = 64
OTHERS = ["", "!", "zzyzx", "A Пример of ünïcode, naïveté & co.", "bad " * 100, "It 's\tnot (at all) \"good\"..."]


def main():
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForSequenceClassification.from_pretrained(MODEL, attn_implementation="eager").eval()
    test = [review.text for review in read_reviews() if split_of(review.text) == "test"]
    texts = test[::len(test) // SENTENCE_COUNT][:SENTENCE_COUNT] + OTHERS
    cases = []
    for text in texts:
        with torch.no_grad():
            scores = model(**tokenizer(text, return_tensors="pt")).logits.softmax(dim=1)[0]
        cases.append({"text": text, "positive": scores[1].item()})
    weights = hashlib.sha256((MODEL / "model.safetensors").read_bytes()).hexdigest()
    with open(pathlib.Path(__file__).parent / "sentiment.json", "w", encoding="utf-8") as file:
        json.dump({"weights_sha256": weights, "cases": cases}, file, ensure_ascii=False, indent=1)
        file.write("\n")
    print(f"{len(cases)} texts")


if __name__ == "__main__":
    main()
