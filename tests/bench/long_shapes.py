#!/usr/bin/env python3
"""Makes checkpoints of published shapes with random weights, for the benchmarks of long inputs.

    long_shapes.py DIRECTORY [--shapes NAME,...] [--layers N]

Writes DIRECTORY/NAME: config.json, model.safetensors, tokenizer.json (words w0, w1, ...: one token each). What costs
time is as published; the vocabulary is small and the dense shapes have more positions than were published, so that
lengths can be compared. Needs torch, transformers and tokenizers; what is there already needs none.
"""
import argparse
import pathlib

WORDS = 1000
SPECIAL = {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
POSITIONS = 16384
BASE = {"hidden_size": 768, "num_attention_heads": 12, "vocab_size": 1024, "max_position_embeddings": POSITIONS,
        "pad_token_id": 0, "cls_token_id": 1, "bos_token_id": 1, "sep_token_id": 2, "eos_token_id": 2}

# name: (transformers' configuration, the settings that differ from BASE, published layers, attention of transformers)
SHAPES = {
    "bert-base": ("BertConfig", {"intermediate_size": 3072}, 12, "sdpa"),
    "longformer-base": ("LongformerConfig", {"intermediate_size": 3072, "attention_window": 512, "type_vocab_size": 1,
                                             "max_position_embeddings": POSITIONS + 2}, 12, "eager"),
    "bigbird-base": ("BigBirdConfig", {"intermediate_size": 3072, "block_size": 64, "num_random_blocks": 3}, 12,
                     "eager"),
    "modernbert-base": ("ModernBertConfig", {"intermediate_size": 1152, "local_attention": 128,
                                             "global_attn_every_n_layers": 3}, 22, "sdpa"),
}


def shape_config(name, layers=None):
    import transformers

    config, settings, published, _ = SHAPES[name]
    return getattr(transformers, config)(**BASE | settings, num_hidden_layers=layers or published)


def write_tokenizer(directory):
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = [*SPECIAL.values(), *(f"w{i}" for i in range(WORDS))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **SPECIAL).save_pretrained(directory)


def make_shape(name, directory, layers=None):
    """DIRECTORY/NAME, made unless it is there."""
    target = directory / name
    if not (target / "tokenizer.json").exists():
        import transformers

        transformers.set_seed(1)
        transformers.AutoModel.from_config(shape_config(name, layers)).save_pretrained(target)
        write_tokenizer(target)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--layers", type=int, help="fewer than published")
    arguments = parser.parse_args()
    for name in arguments.shapes.split(","):
        print(make_shape(name, arguments.directory, arguments.layers))


if __name__ == "__main__":
    main()
