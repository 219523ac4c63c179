#!/usr/bin/env python3
"""Compares what headlightd answers over gRPC with transformers' pipelines, on random checkpoints with heads and random
texts, most of them long: tests/service/test_golden_tasks.py with other cases than those of tests/golden/tasks.

    sample_tasks.py [--architecture NAME ...] [--task NAME ...] [--count N] [--seed S] [--longest TOKENS]
                    [--answers PYTHON] [--pytest PYTHON] [--keep FOLDER]

Needs what make_tasks.py needs (--answers as there), and with --pytest an interpreter that runs the service's tests
(default: .venv/bin/python). Exit code 1 when an answer differs; --keep leaves the checkpoints in FOLDER.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import torch

import make_tasks
from sample import DRAWN, draw_common
from small_tokenizers import CORPUS, make_tokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIECES = (" ".join(CORPUS)).split() + ["caf\u00e9s", "\u732b", "\U0001f600", "7:30", "(so)", "naive\u0301",
                                          "K\u00f6ln;", "\u00a0"]
# The tokenizers', and what transformers 4.57 reads otherwise.
FIXED = ("pad_token_id", "type_vocab_size", "fraction", "stretch", "ntk", "layer_types", "global_attn_every_n_layers")
FAIR = 1.5e-5  # of all logits of a long text; an answer depends on few of them
TASKS = ("classify", "tag", "fill", "answer")


def draw_text(rng, tokenizer, tokens):
    """About so many tokens of words; never more than one too few and never more."""
    words = []
    while True:
        more = words + [rng.choice(PIECES) for _ in range(max(1, tokens // 12))]
        if len(tokenizer.encode(join(more)).ids) > tokens:
            break
        words = more
    return join(words) or "a"


def join(words):
    """The same words give the same text: some blanks are wide."""
    return "".join(word + ("  " if len(word) == 5 else " ") for word in words).strip()


def draw_asked(rng, architecture, tokenizer, longest):
    head = rng.choice((8, 12, 16, 22, 32))
    heads = rng.randint(1, max(1, 64 // head))
    sizes = (head * heads, heads, rng.randint(1, 3), rng.randint(5, 60))
    settings = draw_common(rng, architecture) | DRAWN.get(architecture, lambda *_: {})(rng, sizes)
    settings = {name: value for name, value in settings.items() if name not in FIXED}
    longest = rng.randint(200, longest)
    room = longest - 24

    def text(most):
        return draw_text(rng, tokenizer, rng.randint(1, max(1, most)))

    texts = (text(room), text(room), text(60), text(10))
    fills = tuple(" {} ".join(text(room // 6) for _ in range(rng.randint(2, 4))) for _ in range(3))
    return make_tasks.Asked(
        sizes=sizes, longest=longest, window=rng.choice((48, 100, 384)), settings=settings, fair=FAIR,
        texts=texts,
        tagged=texts[1:], pairs=tuple((text(20), text(room - 30)) for _ in range(2)),
        questions=tuple((text(12), text(most)) for most in (3 * room, 100)),
        fills=tuple((fill, rng.randint(1, 6)) for fill in fills),
        globals_=tuple(sorted(rng.sample(range(3), rng.randint(1, 3)))))


def draw(rng, architecture, options, folder):
    tokenizer, _ = make_tokenizer(architecture, options.longest)
    asked = draw_asked(rng, architecture, tokenizer, options.longest)
    print(f"{folder}: {asked.sizes} {asked.settings}, up to {asked.longest} tokens", flush=True)
    for task in options.task:
        if task != "answer" or options.answers:
            place = folder / architecture / task
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                make_tasks.make(place, task, options.answers, asked, str(rng.random()))
            except ValueError as error:  # with which fp32 is no judge
                print(f"{architecture}/{task}: {error}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", nargs="+", default=["longformer", "big_bird", "modernbert"])
    parser.add_argument("--task", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--longest", type=int, default=1500)
    parser.add_argument("--answers")
    parser.add_argument("--pytest", default=ROOT / ".venv" / "bin" / "python")
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        for index in range(options.count):
            folder = (options.keep or pathlib.Path(temporary)) / str(options.seed + index)
            for architecture in options.architecture:
                draw(random.Random(f"{architecture} {options.seed + index}"), architecture, options, folder)
            failed |= subprocess.run(
                [options.pytest, "-m", "pytest", "-q", "--tb=short", "tests/service/test_golden_tasks.py"], cwd=ROOT,
                env=os.environ | {"HEADLIGHT_GOLDEN_TASKS": str(folder)}).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
