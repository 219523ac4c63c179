#!/usr/bin/env python3
"""Our forward pass against ONNX Runtime's, in one run: fp32, one thread each, taking turns, processor time.

    onnxruntime_ratio.py ENCODER_BENCH MODEL [--rounds N] [--cpu NAME] [--onnx-directory DIR]

ONNX Runtime gets the plain export and the one its transformer optimizer fuses, every batch size of BATCHES, texts
sorted by length so that padding costs it least, and its own best of all that is compared. Needs torch, transformers,
onnx and onnxruntime; writes the exported models to --onnx-directory (default: a temporary one).
"""
import argparse
import pathlib
import re
import subprocess
import tempfile
import time
import warnings

import numpy as np
import onnxruntime

BATCHES = (1, 2, 4, 8, 16, 32)
TEXTS = 32
IDS_DRAWN_FIRST = 512  # TEXT_TOKENS_MAX of encoder_bench.c
LOADS = {"128 tokens": (128, 128), "mixed, 1-256": (1, 256), "short, 4-32": (4, 32)}
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export(model_directory, directory):
    """Writes plain.onnx and fused.onnx unless they are there."""
    plain, fused = directory / "plain.onnx", directory / "fused.onnx"
    if not plain.exists():
        import torch
        from transformers import AutoModel

        model = AutoModel.from_pretrained(model_directory, attn_implementation="eager").eval()

        class Hidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, ids, mask, types):
                return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

        ids = torch.ones(2, 16, dtype=torch.long)
        axes = {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "hidden")}
        torch.onnx.export(Hidden(), (ids, ids, ids * 0), str(plain), input_names=list(INPUTS), output_names=["hidden"],
                          dynamic_axes=axes, opset_version=17, dynamo=False)
    if not fused.exists():
        from onnxruntime.transformers import optimizer
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(model_directory)
        optimizer.optimize_model(str(plain), model_type="bert", num_heads=config.num_attention_heads,
                                 hidden_size=config.hidden_size, opt_level=1).save_model_to_file(str(fused))
    return plain, fused


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def make_lengths(bounds):
    """The lengths that encoder_bench draws, in order of size."""
    state = 12345
    lengths = []
    for step in range(IDS_DRAWN_FIRST + TEXTS):
        state = (state * 1664525 + 1013904223) % 2**32
        if step >= IDS_DRAWN_FIRST:
            lengths.append(bounds[0] + (state >> 8) % (bounds[1] - bounds[0] + 1))
    return np.sort(np.array(lengths))


def make_batches(lengths, batch):
    batches = []
    for first in range(0, len(lengths), batch):
        part = lengths[first:first + batch]
        mask = (np.arange(part.max())[None] < part[:, None]).astype(np.int64)
        ids = np.random.default_rng(2).integers(1000, 20000, mask.shape) * mask
        batches.append({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
    return batches


def onnxruntime_rate(session, batches, tokens):
    start = time.thread_time()
    for batch in batches:
        session.run(None, batch)
    return tokens / (time.thread_time() - start)


def our_rate(arguments, bounds):
    command = [arguments.encoder_bench, arguments.model, "--cpu", arguments.cpu,
               "--lengths", f"{bounds[0]}-{bounds[1]}", "--texts", str(TEXTS), "--batch", "1024", "--seconds", "1"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"best pass (\d+)", output)[1])


def compare(arguments, sessions, name, bounds):
    lengths = make_lengths(bounds)
    ours = 0.0
    theirs = {}
    for _ in range(arguments.rounds):
        ours = max(ours, our_rate(arguments, bounds))
        for kind, session in sessions.items():
            for batch in BATCHES:
                rate = onnxruntime_rate(session, make_batches(lengths, batch), lengths.sum())
                theirs[kind, batch] = max(theirs.get((kind, batch), 0.0), rate)
    best = max(theirs, key=theirs.get)
    rows = {kind: " ".join(f"{theirs[kind, batch]:6.0f}" for batch in BATCHES) for kind in sessions}
    print(f"{name}: ours {ours:.0f} tokens/s, ONNX Runtime {theirs[best]:.0f} ({best[0]}, batches of {best[1]}): "
          f"ratio {ours / theirs[best]:.2f}")
    for kind, row in rows.items():
        print(f"    {kind:6} at batches of {', '.join(map(str, BATCHES))}: {row}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder_bench")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", default="auto")
    parser.add_argument("--onnx-directory", type=pathlib.Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.onnx_directory or pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        plain, fused = export(arguments.model, directory)
        sessions = {"plain": open_session(plain), "fused": open_session(fused)}
        for name, bounds in LOADS.items():
            compare(arguments, sessions, name, bounds)


if __name__ == "__main__":
    main()
