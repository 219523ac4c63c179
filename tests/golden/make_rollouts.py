#!/usr/bin/env python3
"""Makes rollouts.bin beside the small checkpoints of tests/golden/encoder: attention rollout (Abnar and Zuidema 2020),
by numpy, of what transformers' eager attention weighs in double precision. Needs torch and transformers; the tests need
only what this wrote.

    make_rollouts.py [ARCHITECTURE[/CASE] ...]

Little endian: u32 case count; a case is u32 index in cases.bin, f32 scores[2][tokens]: from the first row, and from the
mean of all rows.
"""
import copy
import struct
import sys

import numpy as np

from architectures import ARCHITECTURES
from make_attentions import attentions, draw_stored, read_cases, run
from make_encoder import CASES, HERE

LENGTHS = range(17, 301)


def rollouts(layers):
    """[2][tokens] of layers [heads][tokens][tokens], the first one first."""
    product = np.eye(layers[0].shape[-1])
    for weights in layers:
        product = (0.5 * np.eye(product.shape[0]) + 0.5 * weights.mean(0)) @ product
    return np.stack([product[0], product.mean(0)])


def make(architecture, name):
    model, cases = draw_stored(architecture, name)
    has_types = getattr(model.config, "type_vocab_size", 1) > 1
    lengths = [len(ids) for ids, _, _ in read_cases(cases)]
    fitting = [i for i, length in enumerate(lengths) if length in LENGTHS]
    fitting = fitting or [i for i, length in enumerate(lengths) if length > LENGTHS[-1]]
    parts = []
    for index, (ids, types, globals_) in enumerate(read_cases(cases)):
        if index not in (fitting[0], fitting[-1]):
            continue
        # A copy: what records attention does not follow where BigBird changes its kind.
        outputs, seen = run(copy.deepcopy(model).double(), ids, types if has_types else None, globals_)
        layers = attentions(model, outputs, seen, len(ids), globals_)
        scores = rollouts([(whole if own is None else whole + own).numpy().reshape(-1, len(ids), len(ids))
                           for whole, own in layers])
        assert np.abs(scores.sum(1) - 1).max() < 1e-6
        parts.append(struct.pack("<I", index) + scores.astype("<f4").tobytes())
    (HERE / architecture / name / "rollouts.bin").write_bytes(struct.pack("<I", len(parts)) + b"".join(parts))
    print(f"{architecture}/{name}: {len(parts)} cases", flush=True)


def main():
    for architecture in ARCHITECTURES:
        for name in CASES[architecture]:
            if len(sys.argv) < 2 or any(asked in (architecture, f"{architecture}/{name}") for asked in sys.argv[1:]):
                make(architecture, name)


if __name__ == "__main__":
    main()
