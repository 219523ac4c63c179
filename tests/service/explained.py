"""Explanations as a server would send them, of words and numbers from a seed: for tests of what the client makes of
them."""

import random
import re

import numpy as np

from transport import message_class

LAYERS, HEADS = 2, 3
PART_BYTES = 256 * 1024
LABELS = [dict(label="positive", score=0.875), dict(label="negative", score=0.125)]
SIGNED = {"OCCLUSION", "GRADIENT_INPUT", "INTEGRATED_GRADIENTS"}
METHODS = ["ATTENTION", "ROLLOUT", "VALUE_NORM", "OCCLUSION", "GRADIENT_INPUT", "INTEGRATED_GRADIENTS",
           "SURROGATE_LINEAR", "SURROGATE_TREE", "ANCHOR_RULE", "SUMMARY"]


def words_of(text, segment):
    """A token a word, or for a rare character two of the same bytes; of each: its text and its range."""
    for place in re.finditer(rb"[^\s]+", text.encode()):
        word = place[0].decode()
        for _ in range(2 if len(word) == 1 and word > "\uffff" else 1):
            yield dict(id=len(word), text=word, byte_begin=place.start(), byte_end=place.end(), segment=segment)


def tokens_of(text):
    special = [dict(id=101, text="[CLS]", special=True), dict(id=102, text="[SEP]", special=True)]
    tokens = [special[0], *words_of(text.text, 0), special[1]]
    if text.HasField("pair"):
        tokens += [*words_of(text.pair, 1), special[1] | dict(segment=1)]
    return tokens


def head_of(count, layer, head):
    """[tokens][tokens]: each head looks at its neighbour, at the first token, or at itself."""
    weights = np.random.default_rng([count, layer, head]).random((count, count), np.float32) ** 4
    rows = np.arange(count)
    weights[rows, [(rows + 1) % count, 0 * rows, rows][head]] += 4 + rows % 3
    return weights / weights.sum(-1, keepdims=True)


def attention_of(count):
    """[layers][heads][tokens][tokens]"""
    return np.array([[head_of(count, layer, head) for head in range(HEADS)] for layer in range(LAYERS)])


def packed(weights, weight_format):
    if weight_format == 0:
        return dict(weights=weights)
    if weight_format == 1:
        return dict(packed=np.asarray(weights, "<f2").tobytes())
    return dict(packed=bytes(round(255 * weight) for weight in weights))


def kept_columns(spec, matrix):
    """[rows][columns]: the greatest weights, or every other one as of a pattern that hides the rest."""
    count = matrix.shape[1]
    if spec.form == 1:
        kept = min(spec.top_k or 8, count)
        return np.sort(np.argpartition(-matrix, kept - 1, axis=1)[:, :kept], axis=1)
    return np.tile(np.arange(0, count, 2), (len(matrix), 1))


def head_attention(spec, weights, layer, head, rows):
    """Some rows of a head; None: the pooled one."""
    fields = dict(layer=layer, head=head)
    matrix = weights[[0] if rows is None else rows]
    if rows is not None:
        fields["rows"] = rows
    if spec.form == 0:
        return fields | packed(matrix.ravel().tolist(), spec.weight_format) | dict(dropped_mass=[0] * len(matrix))
    columns = kept_columns(spec, matrix)
    kept = np.take_along_axis(matrix, columns, 1)
    offsets = [row * columns.shape[1] for row in range(len(matrix) + 1)]
    return fields | packed(kept.ravel().tolist(), spec.weight_format) | dict(
        row_offsets=offsets, columns=columns.ravel().tolist(), dropped_mass=(1 - kept.sum(1)).tolist())


def attentions(spec, count):
    rows = {0: None, 1: list(range(count)), 2: list(spec.row_indices)}[spec.rows]
    size = (len(rows) if rows else 1) * (count if spec.form != 1 else 2 * (spec.top_k or 8)) * (4 >> spec.weight_format)
    size *= LAYERS * HEADS
    if spec.max_bytes and size > spec.max_bytes:
        raise ValueError(f"the explanation takes {size} bytes; rows POOLED takes {4 * count * LAYERS * HEADS}")
    step = max(1, PART_BYTES // (4 * count))
    for layer in spec.layers or range(LAYERS):
        for head in [0] if spec.aggregate else spec.heads or range(HEADS):
            matrix = attention_of(count)[layer].mean(0) if spec.aggregate else head_of(count, layer, head)
            for begin in range(0, len(rows) if rows else 1, step):
                yield head_attention(spec, matrix, layer, head, rows[begin:begin + step] if rows else None)


def attribution(spec, name, tokens):
    rng = random.Random(f"{name} {len(tokens)}")
    scores = [rng.gauss(0, 0.2) * len(token["text"]) for token in tokens]
    fields = dict(method=METHODS.index(name), target_label=spec.target_label or "positive",
                  scores=scores if name in SIGNED else [abs(score) for score in scores])
    if spec.faithfulness:
        fields["faithfulness"] = dict(comprehensiveness=0.5, sufficiency=0.0625, removal="mask")
    if name == "INTEGRATED_GRADIENTS":
        fields["completeness_error"] = 0.0078125
    return dict(**fields)


def surrogate(spec, name, tokens):
    named = [token for token in tokens if not token.get("special")][:4] or [dict(text="nothing")]
    words = [token["text"] for token in named]
    fields = dict(method=METHODS.index(name), fidelity=0.875, coverage=0.25, sample_count=1000,
                  target_label=spec.target_label or "positive")
    if name == "SURROGATE_LINEAR":
        fields |= dict(features=words, weights=[0.5, -0.25, 0.125, 0.0625][:len(words)])
        if any(token.get("segment") for token in tokens):
            fields["segments"] = [token.get("segment", 0) for token in named]
    if name == "SURROGATE_TREE":
        leaves = [dict(if_true=-1, if_false=-1, value=value, sample_count=100) for value in (0.125, 0.5, 0.875)]
        fields["nodes"] = [dict(condition=f"contains '{words[0]}'", if_true=1, if_false=4, value=0.5, sample_count=300),
                           dict(condition=f"contains '{words[-1]}'", if_true=2, if_false=3, value=0.25,
                                sample_count=200), *leaves]
    if name == "ANCHOR_RULE":
        fields["rule"] = [f"contains '{word}'" for word in words[:2]]
    return dict(**fields)


def explained_parts(request, chunks=1):
    """The ExplainChunks of a request."""
    spec = request.options.explanation
    names = [METHODS[method] for method in spec.methods or [0]]
    tokens = tokens_of(request.input)
    parts = []
    for chunk in range(chunks):
        parts.append(dict(chunk=chunk, tokens=tokens))
        if "ATTENTION" in names:
            parts += [dict(chunk=chunk, attention=[one]) for one in attentions(spec, len(tokens))]
        for name in names:
            if name.startswith("SURROGATE") or name == "ANCHOR_RULE":
                parts.append(dict(chunk=chunk, surrogates=[surrogate(spec, name, tokens)]))
            elif name == "SUMMARY":
                parts.append(dict(chunk=chunk, summary=f"{tokens[1]['text']} counts most."))
            elif name != "ATTENTION":
                parts.append(dict(chunk=chunk, attributions=[attribution(spec, name, tokens)]))
    answer = dict(model=request.model or "m", labels=LABELS, usage=dict(token_count=len(tokens)))
    for index, part in enumerate(parts):
        yield message_class("headlight.v1.ExplainChunk")(index=index, last=index == len(parts) - 1, part=part,
                                                         **({} if index else answer))
