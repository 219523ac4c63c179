#!/usr/bin/env python3
"""Makes the checkpoints of tests/golden/tasks that sentence-transformers opens: Dense layers, SPLADE, cross-encoders.
Needs what make_tasks.py needs; what it writes looks like what make_tasks.py writes.

    make_sentence_tasks.py [ARCHITECTURE[/CASE] ...]
"""
import sys

import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder

from architectures import ARCHITECTURES, make_config
from make_tasks import HERE, LONG, LONGEST, SIZES, SMALL, TEXTS, draw_weights, write_cases
from reference import reset_attention, save_checkpoint, write_json
from small_tokenizers import make_tokenizer

QUERY = "Where is the house?"
HIDDEN = SIZES[0]
TANH, IDENTITY = "torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity"
SIGMOID = "torch.nn.modules.activation.Sigmoid"

# Dense: (inputs, outputs, bias, activation)
EMBED = {
    ("bert", "dense"): {"pooling": "mean", "dense": [(HIDDEN, 10, True, TANH)], "normalize": True},
    ("mpnet", "dense_twice"): {"pooling": "cls", "dense": [(HIDDEN, 24, False, IDENTITY), (24, 7, True, IDENTITY)]},
    ("distilbert", "dense_after_max"): {"pooling": "max", "dense": [(HIDDEN, 20, True, IDENTITY)], "normalize": True},
    ("modernbert", "prompts"): {"pooling": "cls", "normalize": True},
    ("longformer", "prompts"): {"pooling": "mean", "normalize": True},
}
SPLADE = {
    ("bert", "splade"): {"pooling_strategy": "max", "activation_function": "relu"},
    ("distilbert", "splade_sum"): {"pooling_strategy": "sum", "activation_function": "relu"},
    ("bert", "splade_twice_log"): {"pooling_strategy": "max", "activation_function": "log1p_relu"},
}
RERANK = {
    ("bert", "rerank"): {},
    ("xlm-roberta", "rerank"): {"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.1.0"}},
    ("electra", "rerank"): {"sbert_ce_default_activation_function": IDENTITY},
    ("modernbert", "rerank"): {"sentence_transformers": {"activation_fn": SIGMOID, "version": "5.0.0"}},
    ("deberta-v2", "rerank"): {},
    ("gte", "rerank"): {},
    ("longformer", "rerank"): {},
    ("big_bird", "rerank"): {},
}


def write_model(architecture, name, suffix, settings):
    """A checkpoint with tokenizer, and no more."""
    tokenizer, tokenizer_config = make_tokenizer(architecture, LONGEST - 8)
    settings = SMALL.get(architecture, {}) | settings | {"vocab_size": tokenizer.get_vocab_size()}
    config = make_config(architecture, SIZES, settings, LONGEST)
    model = getattr(transformers, ARCHITECTURES[architecture][0] + suffix)(config).eval()
    draw_weights(model, tokenizer, torch.Generator().manual_seed(len(architecture + name)), "f16")
    folder = HERE / architecture / name
    save_checkpoint(model, folder, "f16")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    return folder


def write_modules(folder, modules):
    write_json(folder / "modules.json", [
        {"idx": index, "name": str(index), "path": "" if index == 0 else f"{index}_{kind.rsplit('.', 1)[1]}",
         "type": kind} for index, (kind, _) in enumerate(modules)])
    for index, (kind, config) in enumerate(modules):
        if config:
            write_json(folder / f"{index}_{kind.rsplit('.', 1)[1]}" / "config.json", config)


def pooling(mode):
    return ("sentence_transformers.models.Pooling", {
        "word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": mode == "cls",
        "pooling_mode_mean_tokens": mode == "mean", "pooling_mode_max_tokens": mode == "max",
        "pooling_mode_mean_sqrt_len_tokens": False, "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False, "include_prompt": True})


def write_dense(folder, index, inputs, outputs, bias):
    generator = torch.Generator().manual_seed(index)
    tensors = {"linear.weight": torch.randn(outputs, inputs, generator=generator) * inputs ** -0.5}
    if bias:
        tensors["linear.bias"] = torch.randn(outputs, generator=generator) * 0.1
    save_file(tensors, folder / f"{index}_Dense" / "model.safetensors", metadata={"format": "pt"})


def embed(folder, settings):
    modules = [("sentence_transformers.models.Transformer", None), pooling(settings["pooling"])]
    for inputs, outputs, bias, activation in settings.get("dense", ()):
        modules.append(("sentence_transformers.models.Dense", {
            "in_features": inputs, "out_features": outputs, "bias": bias, "activation_function": activation}))
    if settings.get("normalize"):
        modules.append(("sentence_transformers.models.Normalize", None))
    write_modules(folder, modules)
    for index, dense in enumerate(settings.get("dense", ()), 2):
        write_dense(folder, index, *dense[:3])
    write_json(folder / "config_sentence_transformers.json", {
        "prompts": {"query": "Who wrote: ", "document": ""}, "default_prompt_name": None,
        "similarity_fn_name": "cosine"})
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager",
                                                                         "dtype": torch.float32})
    return [{"text": text, "prompt_name": prompt,
             "expected": model.encode([text], prompt_name=prompt or None)[0].tolist()}
            for text in TEXTS + (LONG,) for prompt in ("", "query")]


def splade(folder, settings):
    write_modules(folder, [("sentence_transformers.sparse_encoder.models.MLMTransformer", None),
                           ("sentence_transformers.sparse_encoder.models.SpladePooling", settings)])
    write_json(folder / "config_sentence_transformers.json", {
        "model_type": "SparseEncoder", "prompts": {"query": "", "document": ""}, "default_prompt_name": None,
        "similarity_fn_name": "dot"})
    model = SparseEncoder(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager",
                                                                   "dtype": torch.float32})
    return [{"text": text, "expected": model.encode([text], convert_to_sparse_tensor=False)[0].tolist()}
            for text in TEXTS + (LONG,)]


def rerank(folder):
    model = CrossEncoder(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager",
                                                                  "dtype": torch.float32})
    for base in (module for module in model.modules() if isinstance(module, transformers.BigBirdModel)):
        base.register_forward_pre_hook(lambda base, _: reset_attention(base))
    pairs = [(QUERY, text) for text in TEXTS + (LONG,)]
    scores, raw = (model.predict(pairs, batch_size=1, **options).tolist()
                   for options in ({}, {"activation_fn": torch.nn.Identity()}))
    return [{"query": QUERY, "texts": TEXTS + (LONG,), "expected": scores, "raw": raw}]


def make(architecture, name):
    key = architecture, name
    if key in RERANK:
        one = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}}
        folder = write_model(architecture, name, "ForSequenceClassification", one | RERANK[key])
        cases = {"rerank": rerank(folder)}
    elif key in SPLADE:
        folder = write_model(architecture, name, "ForMaskedLM", {})
        cases = {"embed": splade(folder, SPLADE[key])}
    else:
        folder = write_model(architecture, name, "Model", {})
        cases = {"embed": embed(folder, EMBED[key])}
    write_cases(folder, cases)
    print(f"{architecture}/{name}: {sum(path.stat().st_size for path in folder.iterdir())} bytes", flush=True)


def main():
    torch.set_num_threads(1)
    for architecture, name in list(EMBED) + list(SPLADE) + list(RERANK):
        if len(sys.argv) < 2 or {architecture, f"{architecture}/{name}"} & set(sys.argv[1:]):
            make(architecture, name)


if __name__ == "__main__":
    main()
