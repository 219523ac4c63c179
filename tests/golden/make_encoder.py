#!/usr/bin/env python3
"""Makes tests/golden/encoder: small random BERT checkpoints and the hidden states that transformers computes for them
(eager attention, fp32, a batch of one). Needs torch and transformers; the tests need only what this wrote.

LayerNorm weights are randomized (their initial 1 and 0 would hide a swap) and query and key weights are scaled
(attention of a fresh model is nearly uniform, and would hide a wrong scale or mask).

cases.bin, little endian: u32 case count; a case is u32 tokens, u32 rows, u32 ids[tokens], u8 type_ids[tokens] padded to
whole u32, u32 row indices[rows], f32 hidden[rows][hidden size].
"""
import pathlib
import shutil
import struct

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

HERE = pathlib.Path(__file__).parent
LENGTHS = (1, 2, 3, 17, 64, 65, 127, 300)
ROWS_KEPT = 6
VOCABULARY = 61

# name, hidden, heads, layers, intermediate, activation, stored type, "bert." prefix, sharded
MODELS = (
    ("one_head", 32, 1, 2, 37, "gelu", torch.float32, False, False),
    ("three_heads_f16", 48, 3, 3, 101, "gelu_new", torch.float16, True, False),
    ("five_heads_bf16", 40, 5, 4, 67, "relu", torch.bfloat16, False, False),
    ("seven_heads_sharded", 63, 7, 2, 129, "silu", torch.float32, False, True),
    ("head_of_64_sharded_f16", 192, 3, 1, 193, "gelu", torch.float16, True, True),
    ("head_of_128_bf16", 128, 1, 1, 71, "gelu", torch.bfloat16, False, False),
    ("head_of_15", 75, 5, 2, 50, "gelu", torch.float32, True, False),
)


def randomize(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm" in name:
                parameter.copy_(noise * 0.2 + (1.0 if name.endswith("weight") else 0.0))
            elif "query.weight" in name or "key.weight" in name:
                parameter.copy_(noise * 0.02 * float(torch.randint(10, 31, (1,), generator=generator)))
            elif name.endswith("bias"):
                parameter.copy_(noise * 0.1)
            else:
                parameter.copy_(noise * 0.05)


def make_cases(model, generator):
    cases = []
    for length in LENGTHS:
        ids = torch.randint(0, VOCABULARY, (1, length), generator=generator)
        types = (torch.arange(length) >= length // 2).long()[None]
        with torch.no_grad():
            mask = torch.ones_like(ids)
            hidden = model(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state[0]
        rows = sorted(set(torch.randperm(length, generator=generator)[:ROWS_KEPT].tolist()) | {0, length - 1})
        cases.append(struct.pack("<II", length, len(rows)) + ids[0].numpy().astype("<u4").tobytes()
                     + types[0].numpy().astype("u1").tobytes() + bytes(-length % 4) + np.array(rows, "<u4").tobytes()
                     + hidden[rows].numpy().astype("<f4").tobytes())
    return struct.pack("<I", len(cases)) + b"".join(cases)


def make_model(index, name, hidden, heads, layers, intermediate, activation, stored, prefixed, sharded):
    generator = torch.Generator().manual_seed(1000 + index)
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=layers,
                        intermediate_size=intermediate, hidden_act=activation, max_position_embeddings=max(LENGTHS),
                        type_vocab_size=2, attn_implementation="eager", tie_word_embeddings=True)
    whole = BertForMaskedLM(config).eval() if prefixed else BertModel(config, add_pooling_layer=False).eval()
    randomize(whole, generator)
    whole.to(stored)
    directory = HERE / "encoder" / name
    shutil.rmtree(directory, ignore_errors=True)
    size = sum(p.numel() * p.element_size() for p in whole.parameters())
    whole.save_pretrained(directory, max_shard_size=size // 2 if sharded else "1GB")
    whole.float()
    base = whole.bert if prefixed else whole
    (directory / "cases.bin").write_bytes(make_cases(base, generator))
    (directory / "generation_config.json").unlink(missing_ok=True)


def main():
    torch.set_num_threads(1)
    for index, row in enumerate(MODELS):
        make_model(index, *row)


if __name__ == "__main__":
    main()
