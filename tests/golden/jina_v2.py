"""A reference of Jina's BERT of the second generation, which transformers does not have: written from its published
description (symmetric ALiBi instead of a position table, a gated MLP), with the checkpoints' names of tensors.

It is BERT but for three things. Attention scores get -slope * |i - j|; slopes are those of ALiBi. There are no position
embeddings. The feed-forward part is layernorm(x + wo(act(first half) * second half)) of gated_layers(x);
feed_forward_type names the activation, whatever hidden_act is.

Its variant for code normalizes queries and keys over all heads, and the result of attention twice, and gates with the
second half.
"""
from types import SimpleNamespace

import torch
from torch import nn


def alibi_slopes(heads):
    """2^(-8k/n) for k = 1 .. n where n is a power of two, filled up with every second slope of 2n where it is not."""
    whole = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * k / whole) for k in range(1, whole + 1)]
    slopes += [2.0 ** (-4.0 * k / whole) for k in range(1, 2 * whole + 1, 2)][:heads - whole]
    return torch.tensor(slopes)


def is_code(config):
    return "qk-post-norm" in getattr(config, "auto_map", {}).get("AutoModel", "")


class SelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        for name in ("query", "key", "value"):
            setattr(self, name, nn.Linear(config.hidden_size, config.hidden_size))
        for name in ("layer_norm_q", "layer_norm_k"):
            norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if is_code(config) else nn.Identity()
            setattr(self, name, norm)

    def forward(self, x):
        tokens = x.shape[0]
        q, k, v = (rows.view(tokens, self.heads, -1).transpose(0, 1) for rows in (
            self.layer_norm_q(self.query(x)), self.layer_norm_k(self.key(x)), self.value(x)))
        positions = torch.arange(tokens)
        distance = (positions[:, None] - positions[None, :]).abs()
        scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
        scores = scores - alibi_slopes(self.heads)[:, None, None].to(x.dtype) * distance
        return (scores.softmax(-1) @ v).transpose(0, 1).reshape(tokens, -1)


class AttentionOutput(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)


class GatedMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gated_layers = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.act = {"geglu": nn.GELU(), "reglu": nn.ReLU()}[config.feed_forward_type]

    def forward(self, x):
        gated, plain = self.gated_layers(x).chunk(2, dim=-1)
        return self.layernorm(x + self.wo(self.act(gated) * plain))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": AttentionOutput(config)})
        self.mlp = GatedMlp(config)

    def forward(self, x):
        output = self.attention["output"]
        return self.mlp(output.LayerNorm(x + output.dense(self.attention["self"](x))))


class CodeMlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up_gated_layer = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.down_layer = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x):
        plain, gated = self.up_gated_layer(x).chunk(2, dim=-1)
        return self.down_layer(plain * nn.functional.gelu(gated))


class CodeLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": AttentionOutput(config)})
        self.layer_norm_1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.layer_norm_2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = CodeMlp(config)

    def forward(self, x):
        output = self.attention["output"]
        x = self.layer_norm_1(x + output.LayerNorm(x + output.dense(self.attention["self"](x))))
        return self.layer_norm_2(x + self.mlp(x))


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, ids, types):
        return self.LayerNorm(self.word_embeddings(ids) + self.token_type_embeddings(types))


class JinaBertModel(nn.Module):
    """Takes one sequence as transformers' models take a batch of one."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()
        kind = CodeLayer if is_code(config) else Layer
        self.encoder.layer = nn.ModuleList([kind(config) for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids, token_type_ids=None, attention_mask=None):
        assert attention_mask is None or bool(attention_mask.all())
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.embeddings(input_ids[0], types[0])
        for layer in self.encoder.layer:
            x = layer(x)
        return SimpleNamespace(last_hidden_state=x[None])
