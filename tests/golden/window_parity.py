#!/usr/bin/env python3
"""Compares window mode (--attention-window) with transformers' dense models under a mask that says the same: small
random models with rotary or ALiBi positions, texts shorter and longer than the window.

    window_parity.py [--count N] [--seed S] [--cpu NAME] [--build FOLDER]

Exit code 1 when a difference is above 2e-5. Needs torch and transformers.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
import torch

from architectures import build, type_count, write
from reference import in_double, randomize, reset_rope, round_weights
from sample import DIFFERENCE_MAX, DRAWS, FAIR, ROOT, pack

SIZES = {"nomic_bert": (72, 3, 3, 50), "gte": (128, 2, 2, 41), "eurobert": (96, 6, 2, 60),
         "jina_embeddings_v3": (40, 5, 2, 33), "jina-v2": (48, 12, 2, 20)}
SETTINGS = {"eurobert": {"num_key_value_heads": 2}}


def visible(length, reach, globals_):
    places = torch.arange(length)
    seen = (places[:, None] - places[None, :]).abs() <= reach
    seen[globals_] = True
    seen[:, globals_] = True
    return seen


def masked_softmax(seen):
    """Of Jina's model, which is ours and takes no mask."""
    softmax = torch.Tensor.softmax

    def masked(scores, dim):
        return softmax(scores.masked_fill(~seen, float("-inf")), dim)
    return masked


def hidden_states(model, architecture, ids, types, seen):
    reset_rope(model)
    arguments = {} if types is None else {"token_type_ids": torch.tensor([types])}
    ids = torch.tensor([ids])
    with torch.no_grad():
        if architecture == "jina-v2":
            with mock.patch("torch.Tensor.softmax", masked_softmax(seen)):
                return model(input_ids=ids, attention_mask=torch.ones_like(ids), **arguments).last_hidden_state[0]
        dtype = next(model.parameters()).dtype
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        return model(input_ids=ids, attention_mask=mask[None, None], **arguments).last_hidden_state[0]


def draw(rng, architecture, window):
    """(model, its own part that computes, texts, expected), or None where fp32 is no judge."""
    settings = SETTINGS.get(architecture, {})
    model, base = build(architecture, SIZES[architecture], settings, [], 700)
    lengths = (1, 2, window // 2 + 1, window + 2, rng.randint(3, 700), 577)
    for attempt in range(DRAWS):
        randomize(model, torch.Generator().manual_seed(rng.getrandbits(32)), 0.85 ** attempt)
        round_weights(model, "f32")
        texts, expected, worst = [], [], 0.0
        for length in lengths:
            kinds = type_count(base.config)
            types = sorted(rng.randrange(kinds) for _ in range(length)) if kinds > 1 else None
            globals_ = sorted({0, length - 1} | {rng.randrange(length) for _ in range(rng.choice((0, 0, 3)))})
            text = [rng.randrange(base.config.vocab_size) for _ in range(length)], types
            seen = visible(length, window // 2, globals_)
            expected.append(hidden_states(base, architecture, *text, seen))
            with in_double():
                exact = hidden_states(base.double(), architecture, *text, seen)
            base.float()
            worst = max(worst, float((expected[-1] - exact).abs().max()))
            texts.append((*text, globals_))
        if worst < FAIR:
            return model, settings, texts, expected
    return None


def compare(rng, architecture, options, folder):
    window = rng.choice((2, 16, 64, 130, 256))
    drawn = draw(rng, architecture, window)
    if not drawn:
        return window, None
    model, settings, texts, expected = drawn
    write(model, folder, architecture, "f32", settings, [])
    run = subprocess.run([options.build / "tests" / "golden" / "encoder_vectors", folder, options.cpu, "hidden",
                          str(window)], input=b"".join(pack(*text) for text in texts), capture_output=True)
    if run.returncode:
        sys.exit(run.stderr.decode(errors="replace"))
    got = np.frombuffer(run.stdout, "<f4")
    return window, float(np.abs(got - torch.cat(expected).numpy().ravel()).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--cpu", default="auto")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for architecture in SIZES:
            for seed in range(options.seed, options.seed + options.count):
                window, difference = compare(random.Random(f"{architecture} {seed}"), architecture, options,
                                             pathlib.Path(folder) / "checkpoint")
                said = "too sharp for fp32" if difference is None else f"{difference:.1e}"
                failed |= difference is not None and not difference <= DIFFERENCE_MAX
                print(f"{architecture} seed {seed}, window {window}: {said}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
