#!/usr/bin/env python3
"""Makes attentions.bin beside the small checkpoints of tests/golden/encoder: the attention that transformers computes
for some of their cases in double precision (eager, a batch of one), and the norms of weighted values that follow.
Needs torch and transformers; the tests need only what this wrote.

    make_attentions.py [ARCHITECTURE[/CASE] ...]

Little endian: u32 case count; a case is u32 index in cases.bin, u32 rows, u32 row indices[rows], f32
weights[layers][heads][rows][tokens], f32 means[layers][heads][tokens] of all rows, f32 norms[2][tokens]: the mean over
the layers of ||sum over heads of a W_o v|| with a the first row, and the mean of all rows (Kobayashi et al. 2020).
"""
import contextlib
import copy
import re
import struct
import sys
from unittest import mock

import numpy as np
import torch

from architectures import ARCHITECTURES
from jina_v2 import JinaBertModel
from make_encoder import CASES, HERE, SPARSE, draw_model
from reference import in_double, reset_attention, reset_rope

VALUE = re.compile(r"(\.(value|v_lin|v_proj|value_proj)|attn\.v)$")
FUSED = re.compile(r"(Wqkv|qkv_proj)$")
GLOBAL_VALUE = re.compile(r"\.value_global$")
OUTPUT = re.compile(r"(attention\.output\.dense|\.out_lin|attn\.o|\.o_proj|attn\.Wo|attention\.dense)$")
DENSE_LENGTHS = (17, 65)
SPARSE_COUNT = 3  # the longest of them


def read_cases(packed):
    for case in packed:
        length, _ = struct.unpack_from("<II", case)
        ids = np.frombuffer(case, "<u4", length, 8)
        marked = np.frombuffer(case, "u1", length, 8 + 4 * length)
        yield ids.tolist(), (marked % 128).tolist(), np.flatnonzero(marked >= 128).tolist()


@contextlib.contextmanager
def watched(model):
    """What modules made, by kind, in the order of the layers as they are run; and every softmax over tokens."""
    seen = {"value": [], "global": [], "output": [], "softmax": []}
    handles = []

    def watch(kind, module, part=None):
        def keep(_, __, made):
            rows = made.reshape(-1, made.shape[-1]).detach()
            seen[kind].append(rows if part is None else rows[:, part(rows.shape[1]):])
        handles.append(module.register_forward_hook(keep))

    for name, module in model.named_modules():
        if VALUE.search(name):
            watch("value", module)
        elif FUSED.search(name):
            watch("value", module, lambda width: 2 * width // 3)
        elif GLOBAL_VALUE.search(name):
            watch("global", module)
        elif OUTPUT.search(name):
            handles.append(module.register_forward_hook(
                lambda module, _, __: seen["output"].append(module.weight.detach())))
    softmax = torch.Tensor.softmax

    def kept_softmax(scores, dim):
        made = softmax(scores, dim)
        seen["softmax"].append(made.detach())
        return made
    with mock.patch.object(torch.Tensor, "softmax", kept_softmax):
        yield seen
    for handle in handles:
        handle.remove()


def run(model, ids, types, globals_):
    reset_rope(model)
    reset_attention(model)
    if model.config.model_type == "big_bird" and not has_blocks(model.config, len(ids)):
        model.set_attention_type("original_full")  # as the model does, but before it is watched
    arguments = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    if types is not None:
        arguments["token_type_ids"] = torch.tensor([types])
    if globals_:
        arguments["global_attention_mask"] = torch.zeros(1, len(ids), dtype=torch.long)
        arguments["global_attention_mask"][0, globals_] = 1
    if not isinstance(model, JinaBertModel):
        arguments["output_attentions"] = True
    with torch.no_grad(), in_double(), watched(model) as seen:
        return model(**arguments), seen


def longformer_rows(config, layer, outputs, length, globals_):
    """(what rows see by the projections of all, what global rows see by their own), [heads][tokens][tokens] each."""
    local = outputs.attentions[layer][0]
    heads, count = local.shape[0], len(globals_)
    reach = config.attention_window[layer] // 2
    whole = torch.zeros(heads, length, length, dtype=local.dtype)
    for row in range(length):
        whole[:, row, globals_] = local[:, row, :count]
        for place in range(2 * reach + 1):
            column = row - reach + place
            if 0 <= column < length and column not in globals_:
                whole[:, row, column] += local[:, row, count + place]
    own = torch.zeros_like(whole)
    whole[:, globals_] = 0.0
    for place, row in enumerate(globals_):
        own[:, row] = outputs.global_attentions[layer][0][:, :length, place]
    return whole, own if globals_ else None


def has_blocks(config, length):
    return (config.attention_type == "block_sparse"
            and length > (5 + 2 * config.num_random_blocks) * config.block_size)


def big_bird_rows(config, attention, length):
    """transformers returns one of the 1 + r times that the first block counts for rows between the ends."""
    whole = attention[0, :, :length, :length].clone()
    size = config.block_size
    if has_blocks(config, length):
        last = (length - 1) // size
        whole[:, size:last * size, :size] *= 1 + config.num_random_blocks
    return whole


def attentions(model, outputs, seen, length, globals_):
    """[(whole, own)] of the layers."""
    if model.config.model_type == "longformer":
        return [longformer_rows(model.config, i, outputs, length, globals_) for i in range(len(outputs.attentions))]
    layers = getattr(outputs, "attentions", None)
    if layers is None:
        return [(layer, None) for layer in seen["softmax"]]
    if model.config.model_type == "big_bird":
        return [(big_bird_rows(model.config, layer, length), None) for layer in layers]
    return [(layer[0], None) for layer in layers]


def value_norms(layers, seen, length, row):
    """`row` picks a weight for each token of [heads][tokens][tokens]."""
    norms = torch.zeros(length, dtype=torch.float64)
    for index, ((whole, own), output) in enumerate(zip(layers, seen["output"], strict=True)):
        heads = whole.shape[0]
        size = output.shape[1] // heads

        def mixed(weights, values):
            values = values[:length].view(length, -1, size)
            values = values.repeat_interleave(heads // values.shape[1], 1)
            return (row(weights).T[:, :, None] * values).reshape(length, -1)
        sums = mixed(whole, seen["value"][index])
        if own is not None:
            sums += mixed(own, seen["global"][index])
        norms += (sums @ output.T).norm(dim=1) / len(layers)
    return norms


def make_case(model, index, ids, types, globals_, has_types):
    length = len(ids)
    model = copy.deepcopy(model).double()  # which BigBird watches no more once it has changed its kind
    outputs, seen = run(model, ids, types if has_types else None, globals_)
    layers = attentions(model, outputs, seen, length, globals_)
    weights = torch.stack([whole if own is None else whole + own for whole, own in layers])
    off = (weights.sum(-1) - 1).abs().max()
    assert off < 1e-6, f"rows do not sum to 1 but for {off}"
    rows = sorted({0, length // 2, length - 1} | set(globals_[-1:]))
    norms = torch.stack([value_norms(layers, seen, length, lambda all_rows: all_rows[:, 0]),
                         value_norms(layers, seen, length, lambda all_rows: all_rows.mean(1))])
    packed = struct.pack("<II", index, len(rows)) + np.array(rows, "<u4").tobytes()
    for part in (weights[:, :, rows], weights.mean(2), norms):
        packed += part.numpy().astype("<f4").tobytes()
    return packed


def draw_stored(architecture, name):
    """The model that the checkpoint was made of, and its cases: which draw was fair differs between processors."""
    stored = (HERE / architecture / name / "cases.bin").read_bytes()[4:]

    def is_stored(cases, errors):
        del errors
        drawn = b"".join(cases)
        same = [np.frombuffer(part, "<f4") for part in (drawn, stored)]  # indices are tiny numbers then, all the same
        return len(drawn) == len(stored) and np.allclose(*same, atol=1e-4)
    _, model, cases, _, _ = draw_model(architecture, name, is_stored)
    return model, cases


def make(architecture, name):
    model, cases = draw_stored(architecture, name)
    has_types = getattr(model.config, "type_vocab_size", 1) > 1
    parts = []
    wanted = sorted(range(len(cases)), key=lambda i: len(cases[i]))[-SPARSE_COUNT:]
    for index, case in enumerate(read_cases(cases)):
        if index in wanted if architecture in SPARSE else len(case[0]) in DENSE_LENGTHS:
            parts.append(make_case(model, index, *case, has_types))
    path = HERE / architecture / name / "attentions.bin"
    path.write_bytes(struct.pack("<I", len(parts)) + b"".join(parts))
    print(f"{architecture}/{name}: {len(parts)} cases, {path.stat().st_size} bytes", flush=True)


def main():
    torch.set_num_threads(1)
    for architecture in ARCHITECTURES:
        for name in CASES[architecture]:
            if len(sys.argv) < 2 or any(asked in (architecture, f"{architecture}/{name}") for asked in sys.argv[1:]):
                make(architecture, name)


if __name__ == "__main__":
    main()
