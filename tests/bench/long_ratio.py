#!/usr/bin/env python3
"""Long inputs against transformers, in one run: the same checkpoints of published shapes with random weights, fp32, a
text at a time, one thread each, taking turns, processor time.

    long_ratio.py LONG_BENCH [--directory DIR] [--layers N] [--lengths N,...] [--rounds N] [--save FILE]
    long_ratio.py LONG_BENCH --bars [--rounds N] ...

The first prints time and memory by length and saves them for long_plot.py; the second prints the ratios that the
project holds itself to. With --layers, checkpoints have that many layers instead of the published number, and so do the
times. Ratios are medians of the turns' ratios. Peak memory is what the resident set grows by during a pass, the text's
activations [tokens][hidden] included. Needs torch, transformers and tokenizers.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import torch
import transformers

from long_shapes import SHAPES, make_shape

SHAPE_LAYERS = {"modernbert-base": 11}  # of --bars: half of what was published, as many global ones among them
LAYERS = 3
LENGTHS = "512,1024,2048,4096,8192"
# Ours and theirs of the plot, by length.
SERIES = ("bert-base", "longformer-base")
LINE = re.compile(r"(\w+) +(.+?) +(\d+) tokens +([\d.]+) s +([\d.]+) MiB")


def status_mib(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {field}")


class Bench:
    """Our side: one process a measurement, so that nothing of an earlier one is left."""

    def __init__(self, program, model):
        self.command = [program, str(model)]

    def run(self, part, tokens, rounds=1):
        """{what: (seconds, MiB)} of one part at one length."""
        command = [*self.command, "--part", part, "--lengths", str(tokens), "--rounds", str(rounds)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return {match[2]: (float(match[4]), float(match[5])) for match in map(LINE.match, output.splitlines())}

    def model(self, tokens):
        ((seconds, mib),) = self.run("model", tokens, rounds=2).values()  # the first warms up, as for products
        return seconds, mib

    def products(self, tokens):
        """Seconds of the products alone by the faster of the libraries, and its name."""
        libraries = {name: seconds for name, (seconds, _) in self.run("products", tokens).items() if name != "ours"}
        return min((seconds, name) for name, seconds in libraries.items())


class Transformers:
    """Their side, in this process."""

    def __init__(self, model, attention):
        self.model = transformers.AutoModel.from_pretrained(model, attn_implementation=attention).eval()
        self.hidden = self.model.config.hidden_size
        self.longformer = self.model.config.model_type == "longformer"
        self.big_bird = self.model.config.model_type == "big_bird"

    def run(self, tokens):
        """Seconds, and MiB beyond [tokens][hidden]."""
        ids = torch.arange(tokens)[None] % 1000 + 3
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self.longformer:
            inputs["global_attention_mask"] = (torch.arange(tokens)[None] == 0).long()
        if self.big_bird:  # a short text makes it dense for good
            self.model.set_attention_type("block_sparse")
        open("/proc/self/clear_refs", "w").write("5")
        before = status_mib("VmRSS")
        start = time.thread_time()
        with torch.inference_mode():
            self.model(**inputs)
        seconds = time.thread_time() - start
        return seconds, max(0.0, status_mib("VmHWM") - before - tokens * self.hidden * 4 / 2**20)


def turns(ours, theirs, rounds):
    """Both of each turn; ours first, then theirs, which has warmed up."""
    theirs()
    return [(ours(), theirs()) for _ in range(rounds)]


def ratio(pairs, what=0):
    return statistics.median(theirs[what] / ours[what] for ours, theirs in pairs)


def middle(pairs, side, what=0):
    return statistics.median(pair[side][what] for pair in pairs)


def print_bar(name, measured, bound, seconds=""):
    print(f"| {name} | {measured} | {bound} | {seconds} |", flush=True)


def bars_longformer(arguments, directory):
    model = make_shape("longformer-base", directory, arguments.layers or LAYERS)
    bench, theirs = Bench(arguments.long_bench, model), Transformers(model, "eager")
    pairs = turns(lambda: (bench.model(4096)[0], bench.products(4096)[0]), lambda: theirs.run(4096), arguments.rounds)
    print_bar("longformer-base at 4,096: whole model / products alone",
              f"{statistics.median(ours[0] / ours[1] for ours, _ in pairs):.2f}", "<= 1.3",
              f"{middle(pairs, 0):.2f} s, {middle(pairs, 0, 1):.2f} s")
    print_bar("longformer-base at 4,096: transformers eager / ours", f"{ratio(pairs):.2f}", ">= 3",
              f"{middle(pairs, 1):.2f} s")
    pairs = turns(lambda: bench.model(4096), lambda: bench.model(8192), arguments.rounds)
    print_bar("longformer-base: time at 8,192 / time at 4,096", f"{ratio(pairs):.2f}", "<= 2.1")
    bars_attention(bench, arguments.rounds)


def bars_attention(bench, rounds):
    tables = [bench.run("attention", 4096) for _ in range(rounds)]
    for pattern in tables[0]:
        if pattern == "dense":
            continue
        ratios = [table["dense"][0] / table[pattern][0] for table in tables]
        seconds = statistics.median(table[pattern][0] for table in tables)
        print_bar(f"attention alone at 4,096: dense / {pattern}", f"{statistics.median(ratios):.1f}",
                  ">= 5" if pattern == "window of 512" else "", f"{seconds * 1000:.0f} ms a layer")


def bars_modernbert(arguments, directory):
    model = make_shape("modernbert-base", directory, arguments.layers or SHAPE_LAYERS["modernbert-base"])
    bench, theirs = Bench(arguments.long_bench, model), Transformers(model, "sdpa")
    pairs = turns(lambda: bench.model(8192), lambda: theirs.run(8192), max(1, arguments.rounds // 2))
    print_bar("modernbert-base at 8,192: transformers sdpa / ours", f"{ratio(pairs):.2f}", ">= 4",
              f"{middle(pairs, 0):.1f} s, {middle(pairs, 1):.1f} s")
    print_bar("modernbert-base at 8,192: peak beyond weights and activations", f"{middle(pairs, 0, 1):.1f} MiB",
              "<= 64 MiB", f"transformers {middle(pairs, 1, 1):,.0f} MiB")


def bars_bigbird(arguments, directory):
    model = make_shape("bigbird-base", directory, arguments.layers or LAYERS)
    bench, theirs = Bench(arguments.long_bench, model), Transformers(model, "eager")
    pairs = turns(lambda: bench.model(4096), lambda: theirs.run(4096), arguments.rounds)
    print_bar("bigbird-base at 4,096: transformers / ours", f"{ratio(pairs):.2f}", "",
              f"{middle(pairs, 0):.2f} s, {middle(pairs, 1):.2f} s")
    pairs = turns(lambda: bench.model(4096), lambda: bench.model(8192), arguments.rounds)
    print_bar("bigbird-base: time at 8,192 / time at 4,096", f"{ratio(pairs):.2f}", "<= 2.1")


def bars(arguments, directory):
    print("| what | measured | bar | medians |\n|---|---|---|---|")
    bars_longformer(arguments, directory)
    bars_modernbert(arguments, directory)
    bars_bigbird(arguments, directory)


def series(arguments, directory):
    """{series: {tokens: [seconds, MiB]}}, activations included; the dense shape is BERT's, the sparse Longformer's."""
    table = {}
    lengths = [int(length) for length in arguments.lengths.split(",")]
    for shape in SERIES:
        model = make_shape(shape, directory, arguments.layers)
        bench, theirs = Bench(arguments.long_bench, model), Transformers(model, SHAPES[shape][3])
        for tokens in lengths:
            pairs = turns(lambda: bench.model(tokens), lambda: theirs.run(tokens), arguments.rounds)
            activations = tokens * theirs.hidden * 4 / 2**20
            for side, who in enumerate(("Headlight", "transformers")):
                measured = [round(middle(pairs, side), 3), round(middle(pairs, side, 1) + activations, 1)]
                table.setdefault(f"{who}, {shape}", {})[tokens] = measured
                print(f"{who:12} {shape:16} {tokens:6} tokens {measured[0]:9.3f} s {measured[1]:9.1f} MiB", flush=True)
    return table


def cpu_name():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("long_bench")
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--directory", type=pathlib.Path, help="where checkpoints are made, and found again")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--lengths", default=LENGTHS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", type=pathlib.Path, help="JSON of the table, for long_plot.py")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as temporary:
        directory = arguments.directory or pathlib.Path(temporary)
        if arguments.bars:
            bars(arguments, directory)
            return
        table = series(arguments, directory)
        if arguments.save:
            about = {"layers": arguments.layers or 12, "cpu": cpu_name(), "threads": 1}
            arguments.save.write_text(json.dumps({"about": about, "series": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
