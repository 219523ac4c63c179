#!/usr/bin/env python3
"""Compares unit vectors of a real sentence-transformers checkpoint with transformers' (eager, fp32, a batch of one).

    encoder_parity.py ENCODER_VECTORS MODEL [--texts N] [--cpu NAME ...]

Half of the texts are English (documentation of Python's own modules), half random tokens; lengths run evenly from 1
to 256 tokens. Fails when a component differs by more than 1e-5 or a cosine is below 0.999999. Needs torch and
transformers.
"""
import argparse
import pkgutil
import struct
import subprocess
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

TOKENS_MAX = 256
DIFFERENCE_MAX = 1e-5
COSINE_MIN = 0.999999


def english_tokens(tokenizer):
    """Token ids of many docstrings in a row."""
    ids = []
    for module in sorted(info.name for info in pkgutil.iter_modules() if not info.name.startswith("_")):
        if module in sys.stdlib_module_names and module in sys.modules and sys.modules[module].__doc__:
            ids += tokenizer(sys.modules[module].__doc__, add_special_tokens=False)["input_ids"]
    return ids


def make_texts(tokenizer, count):
    generator = np.random.default_rng(7)
    english = english_tokens(tokenizer)
    texts = []
    for i in range(count):
        length = 1 + i * TOKENS_MAX // count
        start = generator.integers(0, len(english) - length)
        body = english[start:start + length] if i % 2 else generator.integers(999, len(tokenizer), length).tolist()
        texts.append(([tokenizer.cls_token_id] + body)[:length - 1] + [tokenizer.sep_token_id])
    return texts


def expected_vectors(model, texts):
    rows = []
    with torch.no_grad():
        for ids in texts:
            hidden = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
            rows.append(torch.nn.functional.normalize(hidden.mean(0), dim=0).numpy())
    return np.stack(rows)


def our_vectors(program, model, cpu, texts):
    data = b"".join(struct.pack(f"<I{len(ids)}I", len(ids), *ids) for ids in texts)
    output = subprocess.run([program, model, cpu], input=data, check=True, capture_output=True).stdout
    return np.frombuffer(output, "<f4").reshape(len(texts), -1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder_vectors")
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--cpu", nargs="+", default=["auto"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModel.from_pretrained(arguments.model, attn_implementation="eager").eval()
    texts = make_texts(tokenizer, arguments.texts)
    expected = expected_vectors(model, texts)
    failed = False
    for cpu in arguments.cpu:
        ours = our_vectors(arguments.encoder_vectors, arguments.model, cpu, texts)
        difference = np.abs(ours - expected).max()
        cosine = (ours.astype("f8") * expected).sum(1).min()
        failed |= not (difference <= DIFFERENCE_MAX and cosine >= COSINE_MIN)
        print(f"{cpu}: {len(texts)} texts, max abs {difference:.2e}, min cosine {cosine:.9f}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
