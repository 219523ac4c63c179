#!/usr/bin/env python3
"""Makes tests/golden/pipeline: two small random sentence-transformers checkpoints, whole with tokenizer and prompts,
and the vectors that sentence-transformers computes with them. Needs torch and sentence-transformers; the tests need
only what this wrote.

queries: mean pooling without the prompt's tokens, normalized, two segments, 24 of 64 positions.
passages: [CLS] pooling, not normalized, one segment, a cased tokenizer behind do_lower_case, a default prompt.
modules: the Transformer in a folder, three kinds of pooling end to end, Dense and LayerNorm between two Normalizes.
sparse, sparse_sum: SPLADE's vectors over the vocabulary, of both poolings and activations.

<name>/cases.bin, little endian: u32 case count, u32 size; a case is five texts (text, pair, prompt name, length policy,
normalize), each u32 bytes and the bytes, then u32 dimensions (0: all), f32 vector[dimensions or size]. The pair is
"\\0" when there is none; policy is "refuse", "right" or "left"; normalize is "checkpoint", "yes" or "no".
"""
import json
import pathlib
import shutil
import struct

import torch
from sentence_transformers import SentenceTransformer, SparseEncoder
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, BertModel

HERE = pathlib.Path(__file__).parent / "pipeline"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "the a of to and in is it query passage search document cat dog server answers question long short".split()
NO_PAIR = "\0"
TEXTS = [
    "", "a", "The cat is in the document.", "Search a long question, and a short one!",
    "caf\u00e9 \u0130stanbul \u00c4PFEL \u00d8re", "\u732b\u3068\u72ac", "cat \U0001f600 dog", "of the " * 5,
]  # nothing like "[SEP]": sentence-transformers lets it become the control token, Headlight does not
LONG = "the long question is a short answer to it " * 4
PASSAGE = "it is a passage of the document"


def make_tokenizer(uncased, pair_type):
    letters = [chr(c) for c in range(33, 127) if uncased is False or not chr(c).isupper()]
    letters += ["\u00e9", "\u00e4", "\u00f8", "\u732b"]
    vocabulary = SPECIAL + letters + ["##" + letter for letter in letters if letter.isalnum()] + WORDS
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=uncased, strip_accents=uncased)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair=f"[CLS]:0 $A:0 [SEP]:0 $B:{pair_type} [SEP]:{pair_type}",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_checkpoint(folder, seed, uncased, types, pooling, normalize, limit, prompts, default_prompt):
    tokenizer = make_tokenizer(uncased, 1)
    config = BertConfig(vocab_size=tokenizer.get_vocab_size() + 3, hidden_size=32, num_attention_heads=4,
                        num_hidden_layers=2, intermediate_size=48, max_position_embeddings=64, type_vocab_size=types)
    torch.manual_seed(seed)
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.copy_(torch.randn_like(parameter) * (0.5 if "embeddings" in name else 0.15))
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"], "pad_token": "[PAD]",
        "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"})
    modules = ["Transformer", "Pooling"] + (["Normalize"] if normalize else [])
    write_json(folder / "modules.json", [
        {"idx": index, "name": str(index), "path": "" if index == 0 else f"{index}_{module}",
         "type": f"sentence_transformers.models.{module}"} for index, module in enumerate(modules)])
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": limit, "do_lower_case": not uncased})
    write_json(folder / "1_Pooling" / "config.json", {
        "word_embedding_dimension": 32, "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False, "include_prompt": pooling != "mean"})
    write_json(folder / "config_sentence_transformers.json", {
        "prompts": prompts, "default_prompt_name": default_prompt, "similarity_fn_name": "cosine"})


def embed(model, text, pair=NO_PAIR, prompt="", policy="refuse", normalize="checkpoint", dimensions=0):
    """One case, computed by sentence-transformers' modules one after the other."""
    name = prompt or model.default_prompt_name
    whole = text if pair == NO_PAIR else (text, pair)
    model.tokenizer.truncation_side = "left" if policy == "left" else "right"
    features = model.preprocess([whole], prompt=model.prompts[name] if name else None)
    with torch.no_grad():
        for module in [module for module in model][:-1 if isinstance(model[-1], Normalize) else None]:
            features = module(features)
    vector = features["sentence_embedding"][0][: dimensions or None]
    if normalize == "yes" or (normalize == "checkpoint" and isinstance(model[-1], Normalize)):
        vector = torch.nn.functional.normalize(vector, dim=0)
    texts = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in (text, pair, prompt, policy, normalize))
    return texts + struct.pack("<I", dimensions) + vector.numpy().astype("<f4").tobytes()


def check_encode(model):
    """Our steps are what encode does."""
    vector = torch.from_numpy(model.encode(TEXTS[3], prompt_name="query"))
    ours = embed(model, TEXTS[3], prompt="query")[-32 * 4:]
    assert torch.allclose(vector, torch.frombuffer(bytearray(ours), dtype=torch.float32), atol=1e-6)


def random_weights(modules):
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.3)


def write_modules(folder):
    """In folders of their own, as older versions of sentence-transformers put them."""
    torch.manual_seed(3)
    pooling = Pooling(32, pooling_mode=("cls", "weightedmean", "mean_sqrt_len_tokens"), include_prompt=False)
    steps = [Normalize(), Dense(96, 20, activation_function=torch.nn.ReLU()), LayerNorm(20),
             Dense(20, 12, bias=False, activation_function=torch.nn.Identity()), Normalize()]
    random_weights(steps)
    model = SentenceTransformer(modules=[Transformer(str(HERE / "queries"))] + [pooling] + steps, device="cpu",
                                prompts={"query": "search query: ", "none": ""})
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder), create_model_card=False)
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                 "sentence_bert_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    modules = json.loads((folder / "modules.json").read_text())
    write_json(folder / "modules.json", [modules[0] | {"path": "0_Transformer"}] + modules[1:])
    cases = [embed(model, text, prompt=prompt) for text in TEXTS for prompt in ("", "query")]
    cases += [embed(model, TEXTS[2], normalize=normalize, dimensions=dimensions)
              for normalize in ("checkpoint", "no") for dimensions in (0, 5)]
    (folder / "cases.bin").write_bytes(struct.pack("<II", len(cases), 12) + b"".join(cases))


def write_sparse(folder, seed, strategy, activation):
    source = HERE / "queries"
    torch.manual_seed(seed)
    config = BertConfig.from_pretrained(source, architectures=["BertForMaskedLM"])
    masked = BertForMaskedLM(config).eval()
    masked.bert = BertModel.from_pretrained(source, add_pooling_layer=False)
    masked.tie_weights()
    random_weights([masked.cls.predictions.transform])
    with torch.no_grad():
        masked.cls.predictions.bias.copy_(torch.randn(config.vocab_size) * 0.3 - 1)
    shutil.rmtree(folder, ignore_errors=True)
    masked.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    transformer = Transformer(str(folder), transformer_task="fill-mask")
    model = SparseEncoder(modules=[transformer, SpladePooling(strategy, activation)], device="cpu")
    model.save_pretrained(str(folder), create_model_card=False)
    cases = [embed(model, text) for text in TEXTS + [TEXTS[3]]]
    (folder / "cases.bin").write_bytes(struct.pack("<II", len(cases), config.vocab_size) + b"".join(cases))


def write_cases(folder, pairs):
    model = SentenceTransformer(str(folder), device="cpu")
    check_encode(model)
    cases = [embed(model, text) for text in TEXTS]
    cases += [embed(model, text, prompt=prompt) for text in TEXTS for prompt in ("query", "none") if text]
    cases += [embed(model, LONG, policy="right", prompt=prompt) for prompt in ("", "query")]
    cases += [embed(model, LONG, policy="left")] if model.default_prompt_name is None else []
    cases += [embed(model, TEXTS[2], normalize=normalize, dimensions=dimensions)
              for normalize in ("checkpoint", "yes", "no") for dimensions in (0, 1, 7, 32)]
    if pairs:
        cases += [embed(model, text, pair=PASSAGE, policy="right") for text in TEXTS[1:5] + [LONG]]
    (folder / "cases.bin").write_bytes(struct.pack("<II", len(cases), 32) + b"".join(cases))


def main():
    prompts = {"query": "search query: ", "passage": "passage: ", "none": ""}
    write_checkpoint(HERE / "queries", 1, True, 2, "mean", True, 24, prompts, None)
    write_cases(HERE / "queries", pairs=True)
    write_checkpoint(HERE / "passages", 2, False, 1, "cls", False, 40, prompts, "passage")
    write_cases(HERE / "passages", pairs=False)
    write_modules(HERE / "modules")
    write_sparse(HERE / "sparse", 4, "max", "relu")
    write_sparse(HERE / "sparse_sum", 5, "sum", "log1p_relu")


if __name__ == "__main__":
    main()
