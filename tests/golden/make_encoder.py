#!/usr/bin/env python3
"""Makes tests/golden/encoder: small random checkpoints of every architecture and the hidden states that transformers
computes for them (eager attention, fp32, a batch of one). Needs torch and transformers; the tests need only what this
wrote.

    make_encoder.py [ARCHITECTURE[/CASE] ...]

cases.bin, little endian: u32 case count; a case is u32 tokens, u32 rows, u32 ids[tokens], u8 type_ids[tokens] padded to
whole u32, u32 row indices[rows], f32 hidden[rows][hidden size]. A token that attends globally has 128 more as its type.
trace.bin, of sparse attention, holds for each row of all cases one value, f32 hidden[row][row % hidden size], so that
no row goes unseen.
"""
import pathlib
import struct
import sys
import zlib

import numpy as np
import torch

from architectures import ARCHITECTURES, build, type_count, write
from reference import hidden_states, in_double, randomize, round_weights

HERE = pathlib.Path(__file__).parent / "encoder"
LENGTHS = (1, 2, 3, 17, 65, 127)
LONG = LENGTHS + (64, 300)  # for those stored as fp32
ROWS_KEPT = 4
ATTEMPTS = 64
FAIR = 6e-6  # the furthest that fp32 itself may be from double precision; weights too sharp for it are drawn again

# case: (hidden, heads, layers, intermediate), stored type, flags, other settings
CASES = {
    "bert": {
        "one_head": ((32, 1, 2, 37), "f32", "", {}),
        "three_heads": ((36, 3, 3, 41), "f16", "prefixed", {"hidden_act": "gelu_new"}),
        "five_heads": ((40, 5, 4, 33), "bf16", "", {"hidden_act": "relu"}),
        "seven_heads": ((63, 7, 1, 25), "f16", "sharded", {"hidden_act": "silu"}),
        "head_of_64": ((64, 1, 1, 25), "f16", "prefixed sharded", {"layer_norm_eps": 1e-5}),
        "head_of_128": ((128, 1, 1, 11), "bf16", "", {"hidden_act": "gelu_pytorch_tanh"}),
        "head_of_15": ((45, 3, 2, 50), "f16", "prefixed", {"type_vocab_size": 5}),
        "gamma_and_beta": ((24, 3, 2, 31), "f32", "gamma prefixed", {}),
    },
    "roberta": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "padding_of_5": ((40, 5, 2, 33), "f16", "prefixed", {"pad_token_id": 5, "hidden_act": "relu"}),
        "padding_of_0": ((64, 1, 1, 30), "bf16", "sharded", {"pad_token_id": 0, "type_vocab_size": 2}),
    },
    "camembert": {
        "two_heads": ((32, 2, 2, 41), "f32", "prefixed", {}),
        "five_heads": ((40, 5, 1, 33), "f16", "", {"hidden_act": "gelu_new"}),
        "head_of_64": ((64, 1, 1, 21), "bf16", "sharded", {"layer_norm_eps": 1e-12}),
    },
    "xlm-roberta": {
        "three_heads": ((24, 3, 3, 41), "f32", "prefixed", {}),
        "one_head": ((40, 1, 1, 33), "f16", "", {"hidden_act": "silu"}),
        "head_of_64": ((64, 1, 1, 21), "bf16", "sharded", {"pad_token_id": 3}),
    },
    "distilbert": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "five_heads": ((40, 5, 2, 33), "f16", "prefixed", {"activation": "relu"}),
        "head_of_64": ((64, 1, 1, 20), "bf16", "sharded", {"sinusoidal_pos_embds": True}),
    },
    "mpnet": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "five_heads": ((40, 5, 2, 33), "f16", "prefixed", {"hidden_act": "gelu_new"}),
        "head_of_64": ((64, 1, 1, 20), "bf16", "sharded", {"hidden_act": "relu", "layer_norm_eps": 1e-5}),
    },
    "electra": {
        "wide_embeddings": ((24, 3, 2, 41), "f32", "", {"embedding_size": 36}),
        "narrow_embeddings": ((40, 5, 2, 33), "f16", "prefixed", {"embedding_size": 12, "hidden_act": "relu"}),
        "head_of_64": ((64, 1, 1, 20), "bf16", "sharded", {"embedding_size": 70}),
    },
    "albert": {
        "one_group": ((24, 3, 3, 41), "f32", "prefixed", {"embedding_size": 20}),
        "groups_of_two": ((40, 5, 5, 33), "f16", "", {"embedding_size": 16, "num_hidden_groups": 2,
                                                      "inner_group_num": 2, "hidden_act": "gelu"}),
        "head_of_64": ((64, 1, 2, 20), "bf16", "sharded", {"embedding_size": 30}),
    },
    "deberta-v2": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "both_keys": ((40, 5, 2, 33), "f16", "prefixed", {
            "share_att_key": False, "pos_att_type": "c2p|p2c", "type_vocab_size": 2, "position_biased_input": True}),
        "content_to_position": ((24, 3, 2, 33), "f32", "", {
            "share_att_key": False, "pos_att_type": ["c2p"], "position_buckets": -1, "norm_rel_ebd": "none",
            "max_relative_positions": 20}),
        "position_to_content": ((64, 1, 1, 20), "bf16", "sharded", {
            "pos_att_type": ["p2c"], "position_buckets": 32, "max_relative_positions": -1,
            "hidden_act": "gelu_new"}),
        "convolution": ((40, 5, 2, 33), "f16", "prefixed", {"conv_kernel_size": 3, "conv_act": "gelu"}),
        "narrow_embeddings": ((24, 3, 1, 33), "f32", "", {
            "conv_kernel_size": 5, "embedding_size": 20, "position_biased_input": True}),
    },
    "modernbert": {
        "window_of_8": ((24, 3, 4, 21), "f32", "", {"local_attention": 8}),
        "with_biases": ((40, 5, 3, 33), "f16", "prefixed", {
            "local_attention": 65, "norm_bias": True, "attention_bias": True, "mlp_bias": True,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
        "older_names": ((64, 1, 2, 20), "bf16", "sharded hub", {
            "local_attention": 128, "global_attn_every_n_layers": 2, "hidden_activation": "silu"}),
        "published_window": ((24, 3, 2, 20), "f16", "hub", {
            "local_attention": 128, "global_attn_every_n_layers": 2, "lengths": (1, 64, 65, 128, 129, 130, 257, 705)}),
    },
    "nomic_bert": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "plain_names": ((40, 5, 2, 33), "f16", "prefixed native", {"hidden_act": "gelu"}),
        "published_settings": ((64, 1, 1, 20), "bf16", "hub sharded", {}),
        "half_rotated": ((48, 3, 2, 25), "f16", "hub", {"fraction": 0.5}),
        "stretched": ((24, 1, 2, 25), "f32", "hub prefixed", {"stretch": (64, 2.0)}),
        "without_types": ((40, 5, 1, 33), "f16", "", {"type_vocab_size": 1}),
        "without_gates": ((40, 5, 2, 33), "f16", "hub", {"gates": False}),
    },
    "gte": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "plain_names": ((40, 5, 2, 33), "f16", "prefixed native", {"hidden_act": "silu"}),
        "published_settings": ((64, 1, 1, 20), "bf16", "hub sharded", {}),
        "without_types": ((48, 3, 2, 25), "f16", "hub", {"type_vocab_size": 0, "ntk": 2.0}),
        "prefixed": ((24, 3, 2, 25), "f32", "hub prefixed", {"type_vocab_size": 2}),
    },
    "eurobert": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "grouped_heads": ((48, 6, 2, 33), "f16", "prefixed", {"num_key_value_heads": 2}),
        "one_key": ((64, 4, 1, 40), "bf16", "sharded", {"num_key_value_heads": 1, "rms_norm_eps": 1e-6}),
        "with_biases": ((40, 5, 2, 25), "f16", "hub", {"attention_bias": True, "mlp_bias": True}),
    },
    "jina-v2": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "eight_heads": ((64, 8, 1, 33), "f16", "", {"feed_forward_type": "reglu"}),
        "twelve_heads": ((48, 12, 1, 20), "bf16", "", {}),
        "head_of_64": ((64, 1, 1, 20), "bf16", "", {"type_vocab_size": 1}),
        "for_code": ((48, 6, 2, 25), "f16", "", {"auto_map": {
            "AutoModel": "jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel"}}),
    },
    "jina_embeddings_v3": {
        "three_heads": ((24, 3, 2, 41), "f32", "", {}),
        "plain_names": ((40, 5, 2, 33), "f16", "prefixed native", {"hidden_act": "gelu_new"}),
        "head_of_64": ((64, 1, 1, 20), "bf16", "sharded", {}),
    },
    "longformer": {
        "window_of_8": ((24, 3, 2, 41), "f32", "", {"lengths": (1, 3, 4, 5, 8, 9, 16, 17, 65, 127, 300)}),
        "window_each": ((40, 5, 3, 33), "f16", "prefixed", {
            "attention_window": [32, 4, 16], "hidden_act": "relu", "type_vocab_size": 2,
            "lengths": (1, 15, 16, 17, 32, 33, 64, 65, 129)}),
        "head_of_64": ((64, 1, 1, 21), "bf16", "sharded", {
            "attention_window": 128, "pad_token_id": 3, "lengths": (2, 64, 65, 128, 129, 256, 257)}),
        "seven_heads": ((56, 7, 1, 25), "f16", "", {"attention_window": 20, "lengths": (1, 19, 20, 21, 40, 41, 203)}),
        "published_window": ((16, 2, 1, 20), "bf16", "prefixed", {
            "attention_window": 512, "lengths": (1, 256, 257, 513, 1025)}),
    },
    "big_bird": {
        "blocks_of_4": ((24, 3, 2, 41), "f32", "", {"lengths": (1, 4, 5, 27, 28, 29, 32, 33, 36, 61, 127, 300)}),
        "two_random_blocks": ((40, 5, 2, 33), "f16", "prefixed", {
            "block_size": 8, "num_random_blocks": 2, "hidden_act": "gelu_new", "rescale_embeddings": True,
            "lengths": (1, 71, 72, 73, 80, 81, 88, 145)}),
        "odd_blocks": ((63, 7, 1, 25), "bf16", "sharded", {
            "block_size": 13, "num_random_blocks": 1, "use_bias": False, "hidden_act": "relu",
            "lengths": (90, 91, 92, 104, 105, 183)}),
        "head_of_64": ((64, 1, 1, 20), "f16", "prefixed", {
            "block_size": 16, "num_random_blocks": 3, "lengths": (175, 176, 177, 192, 193, 208)}),
        "original_full": ((32, 4, 2, 21), "f16", "", {"attention_type": "original_full", "lengths": (1, 28, 29, 65)}),
        "published_blocks": ((16, 2, 1, 20), "bf16", "", {
            "block_size": 64, "num_random_blocks": 3, "lengths": (1, 704, 705, 1024)}),
    },
}
SPARSE = ("longformer", "big_bird", "modernbert")


def draw_globals(architecture, length, generator):
    """None, the first, a few, the ends and all in turn, as far as the length has them."""
    if architecture != "longformer":
        return []
    some = torch.randperm(length, generator=generator)[:1 + length % 5].tolist()
    return sorted({1: {0}, 2: set(some), 3: {0, length - 1}, 4: set(range(min(length, 40)))}.get(length % 5, set()))


def make_case(model, architecture, length, generator):
    """One case's bytes, its trace, how far fp32 is from double precision in it, and the largest value."""
    ids = torch.randint(0, model.config.vocab_size, (length,), generator=generator).tolist()
    types = [(i >= length // 2) % type_count(model.config) for i in range(length)]
    globals_ = draw_globals(architecture, length, generator)
    given = (ids, types if type_count(model.config) > 1 else None, globals_)
    hidden = hidden_states(model, *given)
    with in_double():
        exact = hidden_states(model.double(), *given)
    model.float()
    rows = sorted(set(torch.randperm(length, generator=generator)[:ROWS_KEPT].tolist()) | {0, length - 1})
    marked = [kind + 128 * (i in globals_) for i, kind in enumerate(types)]
    packed = (struct.pack("<II", length, len(rows)) + np.array(ids, "<u4").tobytes() + np.array(marked, "u1").tobytes()
              + bytes(-length % 4) + np.array(rows, "<u4").tobytes() + hidden[rows].numpy().astype("<f4").tobytes())
    places = torch.arange(length)
    trace = hidden[places, places % hidden.shape[1]].numpy().astype("<f4").tobytes()
    return packed, trace, float((hidden - exact).abs().max()), float(hidden.abs().max())


def is_fair(cases, errors):
    del cases
    return max(errors) < FAIR


def draw_model(architecture, name, accepts=is_fair):
    """(the model to save, the one that computes, its cases, their traces, what to print)."""
    sizes, stored, flags, settings = CASES[architecture][name]
    lengths = settings.get("lengths") or (LONG if stored == "f32" else LENGTHS)
    model, base = build(architecture, sizes, settings, flags.split(), max(lengths))
    for attempt in range(ATTEMPTS):
        generator = torch.Generator().manual_seed(zlib.crc32(f"{architecture}/{name}/{attempt}".encode()))
        randomize(model, generator)
        round_weights(model, stored)
        made = (make_case(base, architecture, length, generator) for length in lengths)
        cases, traces, errors, greatest = zip(*made)
        if accepts(cases, errors):
            told = f"draw {attempt}, largest {max(greatest):.1f}, off by {max(errors):.1e}"
            return model, base, cases, traces, told
    raise ValueError(f"{architecture}/{name}: always too sharp for fp32, off by {max(errors):.1e}")


def make_model(architecture, name):
    model, _, cases, traces, told = draw_model(architecture, name)
    _, stored, flags, settings = CASES[architecture][name]
    folder = HERE / architecture / name
    write(model, folder, architecture, stored, settings, flags.split())
    (folder / "cases.bin").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))
    if architecture in SPARSE:
        (folder / "trace.bin").write_bytes(b"".join(traces))
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{architecture}/{name}: {size} bytes, {told}", flush=True)


def main():
    torch.set_num_threads(1)
    for architecture in ARCHITECTURES:
        for name in CASES[architecture]:
            whole = f"{architecture}/{name}"
            if len(sys.argv) < 2 or any(asked in (architecture, whole) for asked in sys.argv[1:]):
                make_model(architecture, name)


if __name__ == "__main__":
    main()
