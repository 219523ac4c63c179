#!/usr/bin/env python3
"""Makes gradients.bin beside the small checkpoints that have gradients, in tests/golden/encoder and in
tests/golden/tasks where they classify: what torch's autograd says of them in double precision, with respect to the word
embeddings. Needs torch and transformers; the tests need only what this wrote.

    make_gradients.py [ARCHITECTURE[/CASE] ...]

Little endian: u32 case count; a case is u32 tokens, u32 label (2^32 - 1: none), u32 ids[tokens], u8 type_ids[tokens]
padded to whole u32, f32 direction[hidden size] where there is no label, f32 value, f32 gradients[tokens][embedding
size], u32 baseline[tokens], f32 integrated[tokens], f32 completeness error. The value is the label's logit, or the
projection of the mean row on the direction. Integrated gradients are those of POINTS places (Gauss and Legendre's)
between the embeddings of the baseline's ids and the text's.
"""
import pathlib
import struct
import sys
import zlib

import numpy as np
import torch
import transformers

from reference import in_double

HERE = pathlib.Path(__file__).parent
ARCHITECTURES = ("albert", "bert", "big_bird", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
LENGTHS = (1, 3, 65)
NO_LABEL = 2**32 - 1
POINTS = 7


def value_of(model, words, types, label, direction):
    arguments = {} if types is None else {"token_type_ids": torch.tensor([types])}
    outputs = model(inputs_embeds=words[None], **arguments)
    if label == NO_LABEL:
        return outputs.last_hidden_state[0].mean(0) @ direction.to(words.dtype)
    return outputs.logits[0, label]


def words_of(model, ids):
    return model.get_input_embeddings()(torch.tensor(ids)).detach()


def gradient(model, words, *given):
    """The value and its gradient, of the model as it is."""
    words = words.clone().requires_grad_()
    value = value_of(model, words, *given)
    value.backward()
    return float(value), words.grad.numpy()


def integrated(model, text, baseline, *given):
    """Scores by the rule of Gauss and Legendre, and their completeness error."""
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    points = [baseline + (node + 1) / 2 * (text - baseline) for node in nodes]
    mean = sum(weight / 2 * gradient(model, point, *given)[1] for point, weight in zip(points, weights))
    scores = (mean * (text - baseline).numpy()).sum(1)
    way = float(value_of(model, text, *given) - value_of(model, baseline, *given))
    return scores, 0.0 if way == 0 else abs(scores.sum() - way) / abs(way)


def make_case(model, length, generator):
    """One case's bytes, and how far torch's own fp32 is from double precision."""
    config = model.config
    padding = config.pad_token_id if config.model_type in ("roberta", "camembert", "xlm-roberta") else None
    choices = torch.tensor([i for i in range(config.vocab_size) if i != padding])
    ids = choices[torch.randint(0, len(choices), (length,), generator=generator)].tolist()
    type_count = getattr(config, "type_vocab_size", 1)
    types = [(i >= length // 2) % type_count for i in range(length)]
    direction = torch.randn(config.hidden_size, generator=generator)
    classifies = hasattr(model, "num_labels") and "Classification" in type(model).__name__
    label = length % model.num_labels if classifies else NO_LABEL
    given = (types if type_count > 1 else None, label, direction)
    baseline = [3 if 0 < i < length - 1 else token for i, token in enumerate(ids)]
    _, rough = gradient(model.float(), words_of(model, ids), *given)
    with in_double():
        model.double()
        value, exact = gradient(model, words_of(model, ids), *given)
        scores, error = integrated(model, words_of(model, ids), words_of(model, baseline), *given)
    packed = struct.pack("<II", length, label) + np.array(ids, "<u4").tobytes()
    packed += np.array(types, "u1").tobytes() + bytes(-length % 4)
    packed += b"" if classifies else direction.numpy().astype("<f4").tobytes()
    packed += struct.pack("<f", value) + exact.astype("<f4").tobytes() + np.array(baseline, "<u4").tobytes()
    packed += scores.astype("<f4").tobytes() + struct.pack("<f", error)
    return packed, np.abs(rough - exact).max() / np.abs(exact).max()


def make(folder):
    of = transformers.AutoModel if "encoder" in folder.parts else transformers.AutoModelForSequenceClassification
    model, found = of.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    missing = [name for name in found["missing_keys"] if "pooler" not in name]
    if missing:
        print(f"{folder}: left out, its names are older than transformers 5: {missing[0]}")
        return
    generator = torch.Generator().manual_seed(zlib.crc32("/".join(folder.parts[-2:]).encode()))
    cases, errors = zip(*(make_case(model.eval(), length, generator) for length in LENGTHS))
    (folder / "gradients.bin").write_bytes(struct.pack("<I", len(cases)) + b"".join(cases))
    print(f"{folder.relative_to(HERE)}: torch's fp32 is off by {max(errors):.1e} of the largest")


def main():
    torch.set_num_threads(1)
    for architecture in ARCHITECTURES:
        folders = sorted((HERE / "encoder" / architecture).iterdir())
        folders += sorted((HERE / "tasks" / architecture).glob("classify*"))
        folders = [folder for folder in folders if architecture != "big_bird" or folder.name == "original_full"]
        for folder in folders:
            if len(sys.argv) < 2 or any(asked in (architecture, f"{architecture}/{folder.name}")
                                        for asked in sys.argv[1:]):
                make(folder)


if __name__ == "__main__":
    main()
