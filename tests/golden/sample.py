#!/usr/bin/env python3
"""Compares hidden states with transformers' (eager, fp32, a batch of one) on random configurations, far from those in
tests/golden/encoder.

    sample.py [--architecture NAME ...] [--count N] [--seed S] [--cpu NAME] [--build FOLDER] [--longest TOKENS]

Those with sparse attention get texts at the edges of their windows and blocks too, a few of up to --longest tokens, and
Longformer's random global tokens. Each configuration becomes a temporary checkpoint that encoder_vectors runs. Weights
with which fp32 itself strays from double precision are drawn again, with less sharp attention each time. Prints each
architecture's largest difference; exit code 1 when one is above 2e-5 or a checkpoint was refused. Needs torch and
transformers.
"""
import argparse
import functools
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

from architectures import ARCHITECTURES, build, type_count, write
from reference import hidden_states, in_double, randomize, round_weights
from sparse_claims import longformer_context

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIFFERENCE_MAX = 2e-5
FAIR = 6e-6
DRAWS = 12
SCORES_MAX = 1 << 26  # attention scores of all heads that transformers holds at once
ROTATED = ("modernbert", "nomic_bert", "gte", "eurobert", "jina_embeddings_v3")
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh")


def draw_sizes(rng, architecture):
    step = 2 if architecture in ROTATED else 1
    head = rng.choice((8, 12, 16, 22, 32, 40, 48, 64, 80, 96, step * rng.randint(4, 32)))
    heads = rng.randint(1, max(1, 320 // head))
    return head * heads, heads, rng.randint(1, 4), rng.randint(5, 200)


def draw_common(rng, architecture):
    name = {"distilbert": "activation", "modernbert": "hidden_activation"}.get(architecture, "hidden_act")
    epsilon = {"modernbert": "norm_eps", "eurobert": "rms_norm_eps"}.get(architecture, "layer_norm_eps")
    settings = {name: rng.choice(ACTIVATIONS)}
    if architecture != "distilbert":
        settings[epsilon] = rng.choice((1e-12, 1e-7, 1e-5, 1e-6))
    return settings


def draw_roberta(rng, sizes):
    del sizes
    return {"pad_token_id": rng.choice((0, 1, 1, 2, 7, 60)), "type_vocab_size": rng.choice((1, 1, 2))}


def draw_electra(rng, sizes):
    return {"embedding_size": rng.choice((sizes[0], rng.randint(5, 200))), "type_vocab_size": rng.choice((1, 2, 3))}


def draw_albert(rng, sizes):
    return draw_electra(rng, sizes) | {"num_hidden_groups": rng.randint(1, sizes[2]),
                                       "inner_group_num": rng.randint(1, 3)}


def draw_deberta(rng, sizes):
    del sizes
    return {"pos_att_type": rng.choice((["c2p"], ["p2c"], ["p2c", "c2p"], "c2p|p2c", "p2c|c2p")),
            "share_att_key": rng.random() < 0.6, "position_buckets": rng.choice((-1, 8, 15, 32, 64, 256)),
            "max_relative_positions": rng.choice((-1, 128, 300, 512)),
            "norm_rel_ebd": rng.choice(("layer_norm", "layer_norm", "none")),
            "position_biased_input": rng.random() < 0.3, "type_vocab_size": rng.choice((0, 0, 2))}


def draw_modernbert(rng, sizes):
    settings = {"local_attention": rng.choice((2, 3, 9, 16, 50, 128, 200, 600)),
                **{name: rng.random() < 0.3 for name in ("norm_bias", "attention_bias", "mlp_bias")}}
    if rng.random() < 0.5:
        kinds = [rng.choice(("full_attention", "sliding_attention")) for _ in range(sizes[2])]
        return settings | {"layer_types": kinds}
    return settings | {"global_attn_every_n_layers": rng.randint(1, 4)}


def draw_longformer(rng, sizes):
    """transformers runs windows from 4 on, and only such as divide the widest; others are run by their definition."""
    if rng.random() < 0.25:
        windows = [2 * rng.choice((1, rng.randint(1, 256), rng.randint(2, 30))) for _ in range(sizes[2])]
        return draw_roberta(rng, sizes) | {"attention_window": windows}
    widest = rng.choice((4, 6, 8, 16, 20, 32, 48, 64, 100, 128, 256, 512, 2 * rng.randint(2, 100)))
    divisors = [window for window in range(4, widest + 1, 2) if widest % window == 0]
    windows = [rng.choice(divisors) for _ in range(sizes[2])]
    windows[rng.randrange(sizes[2])] = widest
    return draw_roberta(rng, sizes) | {"attention_window": rng.choice((widest, windows))}


def define_longformer(model):
    """Gives each layer the dense definition of its attention if transformers cannot run its windows; whether it did."""
    windows = model.config.attention_window
    windows = windows if isinstance(windows, list) else [windows]
    if min(windows) > 2 and all(max(windows) % window == 0 for window in windows):
        return False

    def run(attention, hidden, is_index_masked, is_index_global_attn, **_):
        kept, globals_ = ~is_index_masked[0], is_index_global_attn[0].nonzero().flatten().tolist()
        context = torch.zeros_like(hidden)
        context[0, kept] = longformer_context(attention, hidden[0, kept], globals_)
        return (context,)
    for layer in model.encoder.layer:
        layer.attention.self.forward = functools.partial(run, layer.attention.self)
    return True


def draw_big_bird(rng, sizes):
    del sizes
    return {"block_size": rng.choice((4, 5, 8, 13, 16, 32, 64, 64, rng.randint(1, 70))),
            "num_random_blocks": rng.choice((1, 2, 3, 3, 5)), "use_bias": rng.random() < 0.7,
            "rescale_embeddings": rng.random() < 0.3, "type_vocab_size": rng.choice((1, 2, 2)),
            "attention_type": rng.choice(("block_sparse",) * 5 + ("original_full",))}


def draw_nomic(rng, sizes):
    parts = {"fraction": 0.5} if sizes[0] // sizes[1] % 4 == 0 else {}
    return {"type_vocab_size": rng.choice((1, 2, 2))} | rng.choice((
        {}, parts, {"stretch": (rng.choice((50, 128, 2048)), rng.choice((2.0, 4.0, 1.5)))}))


def draw_rope(rng, theta):
    """Native settings only; the published ones are "stretch" and "ntk"."""
    factor = rng.choice((1.5, 2.0, 4.0))
    kinds = ({"rope_type": "default"}, {"rope_type": "linear", "factor": factor},
             {"rope_type": "dynamic", "factor": factor},
             {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": rng.choice((64, 128, 300))},
             {"rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": rng.choice((64, 128))})
    return {"rope_parameters": rng.choice(kinds) | {"rope_theta": rng.choice((theta, 500.0, 12345.0))}}


def draw_gte(rng, sizes):
    del sizes
    return {"type_vocab_size": rng.choice((0, 1, 2))} | rng.choice(({}, {"ntk": rng.choice((2.0, 4.0, 8.0))}))


def draw_eurobert(rng, sizes):
    divisors = [count for count in range(1, sizes[1] + 1) if sizes[1] % count == 0]
    return {"num_key_value_heads": rng.choice(divisors), "attention_bias": rng.random() < 0.3,
            "mlp_bias": rng.random() < 0.3}


def draw_types(rng, sizes):
    del sizes
    return {"type_vocab_size": rng.choice((1, 2, 2, 4))}


DRAWN = {"bert": draw_types, "roberta": draw_roberta, "camembert": draw_roberta, "xlm-roberta": draw_roberta,
         "electra": draw_electra, "albert": draw_albert, "deberta-v2": draw_deberta, "modernbert": draw_modernbert,
         "longformer": draw_longformer, "big_bird": draw_big_bird,
         "nomic_bert": draw_nomic, "gte": draw_gte, "eurobert": draw_eurobert, "jina-v2": draw_types}


def draw_flags(rng, architecture, settings):
    flags = {name for name in ("prefixed", "sharded") if rng.random() < 0.5}
    if {"fraction", "stretch", "ntk"} & settings.keys():
        flags.add("hub")  # only published code has them
    elif architecture in ("nomic_bert", "gte", "jina_embeddings_v3"):
        flags.add(rng.choice(("native", "", "hub") if architecture != "jina_embeddings_v3" else ("native", "")))
    elif architecture == "eurobert" or architecture == "modernbert" and "layer_types" not in settings:
        flags.add(rng.choice(("", "hub")))
    if architecture == "bert" and rng.random() < 0.2:
        flags.add("gamma")
    return flags


def edges(architecture, settings):
    """Lengths at which something begins or ends."""
    if architecture == "big_bird":
        block, dense = settings["block_size"], (5 + 2 * settings["num_random_blocks"]) * settings["block_size"]
        return [block, dense - 1, dense, dense + 1, dense + block, dense + block + 1, 2 * dense + 1]
    windows = settings.get("attention_window", settings.get("local_attention"))
    window = max(windows) if isinstance(windows, list) else windows
    return [around for window in (window // 2, window, 2 * window) for around in (window, window + 1)]


def draw_lengths(rng, architecture, sizes, settings, longest):
    if architecture not in ("longformer", "big_bird", "modernbert"):
        return [rng.randint(1, 300), rng.randint(1, 40), rng.choice((1, 2, 300, 129))]
    lengths = rng.sample(edges(architecture, settings), 3) + [rng.randint(1, 700)]
    if rng.random() < 0.4:
        lengths.append(rng.choice((704, 705, 1024, 3072, 4096, rng.randint(1, longest))))
    if architecture != "longformer":  # whose scores transformers keeps by the window
        longest = min(longest, int((SCORES_MAX / sizes[1]) ** 0.5))
    return [max(1, min(length, longest)) for length in lengths]


def draw_globals(rng, length):
    if rng.random() < 0.1:
        return list(range(min(length, 50)))
    return sorted(rng.sample(range(length), min(length, rng.choice((0, 0, 1, 2, 7))))) if rng.random() < 0.7 else [0]


def draw(rng, architecture, longest):
    """A configuration, its model and its texts, or None where fp32 is no judge."""
    sizes = draw_sizes(rng, architecture)
    settings = draw_common(rng, architecture) | DRAWN.get(architecture, lambda *_: {})(rng, sizes)
    flags = draw_flags(rng, architecture, settings)
    if architecture in ("nomic_bert", "gte", "eurobert", "jina_embeddings_v3") and "hub" not in flags:
        settings |= draw_rope(rng, 10000.0)
    if architecture == "nomic_bert" and "hub" in flags:
        settings["hidden_act"] = "silu"  # what "swiglu" says
    stored = rng.choice(("f32", "f16", "bf16"))
    lengths = draw_lengths(rng, architecture, sizes, settings, longest)
    model, base = build(architecture, sizes, settings, flags, max(300, *lengths))
    if architecture == "longformer" and define_longformer(base):
        lengths = [min(length, int((SCORES_MAX / sizes[1]) ** 0.5)) for length in lengths]
    for attempt in range(DRAWS):
        randomize(model, torch.Generator().manual_seed(rng.getrandbits(32)), 0.85 ** attempt)
        round_weights(model, stored)
        texts = [draw_text(rng, architecture, base.config, length) for length in lengths]
        expected = [hidden_states(base, *text) for text in texts]
        with in_double():
            exact = [hidden_states(base.double(), *text) for text in texts]
        base.float()
        if max(float((a - b).abs().max()) for a, b in zip(expected, exact)) < FAIR:
            return (sizes, stored, sorted(flags), settings, lengths), model, texts, expected, exact
    return None


def draw_text(rng, architecture, config, length):
    """(ids, types or None, global positions)."""
    kinds = type_count(config)
    types = sorted(rng.randrange(kinds) for _ in range(length))
    globals_ = draw_globals(rng, length) if architecture == "longformer" else []
    return [rng.randrange(config.vocab_size) for _ in range(length)], types if kinds > 1 else None, globals_


def pack(ids, types, globals_):
    marked = bytearray(types or len(ids))
    for position in globals_:
        marked[position] += 128
    return struct.pack(f"<I{len(ids)}I", len(ids), *ids) + marked


def ours(program, cpu, folder, texts):
    """Hidden states of all texts together, or the program's complaint."""
    data = b"".join(pack(*text) for text in texts)
    run = subprocess.run([program, folder, cpu, "hidden"], input=data, capture_output=True)
    if run.returncode:
        return run.stderr.decode(errors="replace").strip() or f"exit code {run.returncode}"
    return np.frombuffer(run.stdout, "<f4")


def compare(rng, architecture, options, folder):
    """(what was drawn, difference from transformers, from double precision), or None where fp32 is no judge."""
    drawn = draw(rng, architecture, options.longest)
    if not drawn:
        return None
    what, model, texts, expected, exact = drawn
    write(model, folder, architecture, what[1], what[3], what[2])
    got = ours(options.build / "tests" / "golden" / "encoder_vectors", options.cpu, folder, texts)
    if isinstance(got, str):
        return what, got, got
    return (what,) + tuple(float(np.abs(got - torch.cat(rows).numpy().ravel()).max()) for rows in (expected, exact))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", nargs="+", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--cpu", default="auto")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--longest", type=int, default=4096)
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for architecture in options.architecture:
            worst, unfair = (0.0, 0.0), 0
            for index in range(options.count):
                seed = options.seed + index
                found = compare(random.Random(f"{architecture} {seed}"), architecture, options,
                                pathlib.Path(folder) / "checkpoint")
                if found is None:
                    unfair += 1
                elif isinstance(found[1], str) or not found[1] <= DIFFERENCE_MAX:
                    failed = True
                    print(f"{architecture} --seed {seed} --count 1: {found[1]} (exactly: {found[2]}) {found[0]}")
                else:
                    worst = max(worst, found[1:])
            print(f"{architecture}: {options.count - unfair} compared from seed {options.seed}, worst {worst[0]:.1e}, "
                  f"from double precision {worst[1]:.1e}; {unfair} too sharp for fp32", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
