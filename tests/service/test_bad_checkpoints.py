"""Checkpoints that are broken, that lie, or that attack: headlightd ends with exit code 1 at once, and says which file
is wrong and why. Each case changes one thing of a checkpoint that is served."""

import json
import os
import resource
import shutil
import struct

import pytest
from builds import BUILD
from conftest import SMALL_MODEL

SECONDS_MAX = 1 if BUILD.name == "build" else 20  # sanitizers and valgrind are slow
WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


def set_config(**values):
    def change(folder):
        path = folder / "config.json"
        config = json.loads(path.read_text()) | values
        path.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))
    return change


def read_weights(folder):
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def write_weights(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def change_header(change):
    def apply(folder):
        header, data = read_weights(folder)
        change(header)
        write_weights(folder / "model.safetensors", header, data)
    return apply


def rename_tensor(header):
    header["encoder.layer.1.output.dense.tilt"] = header.pop("encoder.layer.1.output.dense.bias")


def swap_shape(header):
    header[WORD_EMBEDDINGS]["shape"].reverse()


def overflow_shape(header):
    header[WORD_EMBEDDINGS]["shape"] = [1 << 40, 1 << 40]


def leave_file(header):
    header[WORD_EMBEDDINGS]["data_offsets"][1] += 1 << 40


def store_integers(header):
    header[WORD_EMBEDDINGS]["dtype"] = "I32"


def invent_type(header):
    header[WORD_EMBEDDINGS]["dtype"] = "F7"


def overlap(header):
    header["embeddings.LayerNorm.bias"]["data_offsets"] = header["embeddings.LayerNorm.weight"]["data_offsets"]


def rewrite(name, text):
    return lambda folder: (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def cut(name, share):
    def apply(folder):
        path = folder / name
        os.truncate(path, int(path.stat().st_size * share))
    return apply


def remove(name):
    return lambda folder: (folder / name).unlink()


def replace_by(kind, name):
    def apply(folder):
        (folder / name).unlink()
        kind(folder / name)
    return apply


def shard(folder):
    """The same weights in two files."""
    header, data = read_weights(folder)
    header.pop("__metadata__", None)
    names, places = sorted(header), {}
    for index, part in enumerate((names[::2], names[1::2]), 1):
        file, content, taken = f"model-{index:05d}-of-00002.safetensors", b"", {}
        for name in part:
            begin, end = header[name]["data_offsets"]
            taken[name] = header[name] | {"data_offsets": [len(content), len(content) + end - begin]}
            content += data[begin:end]
            places[name] = file
        write_weights(folder / file, taken, content)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def sharded(change):
    return lambda folder: (shard(folder), change(folder))


def misplace(folder):
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"][WORD_EMBEDDINGS] = "../model.safetensors"
    path.write_text(json.dumps(index))


def change_json(name, change):
    def apply(folder):
        document = json.loads((folder / name).read_text())
        change(document)
        (folder / name).write_text(json.dumps(document))
    return apply


def add_token(tokenizer):
    tokenizer["model"]["vocab"]["beyond"] = 4000


def invent_model(tokenizer):
    tokenizer["model"]["type"] = "Magic"


def add_module(modules):
    modules.append({"idx": 9, "name": "9", "path": "9_LSTM", "type": "sentence_transformers.models.LSTM"})


FIRST_SHARD = "model-00001-of-00002.safetensors"
CASES = {
    # name: (change, the file that is named, words of the cause)
    "tensor_is_missing": (change_header(rename_tensor), "model.safetensors", ["encoder.layer.1.output.dense.bias"]),
    "shape_is_wrong": (change_header(swap_shape), "model.safetensors", [WORD_EMBEDDINGS]),
    "shape_overflows": (change_header(overflow_shape), "model.safetensors", [WORD_EMBEDDINGS]),
    "tensor_leaves_the_file": (change_header(leave_file), "model.safetensors", [WORD_EMBEDDINGS]),
    "weights_are_integers": (change_header(store_integers), "model.safetensors", [WORD_EMBEDDINGS, "I32"]),
    "type_is_unknown": (change_header(invent_type), "model.safetensors", ["F7"]),
    "tensors_overlap": (change_header(overlap), "model.safetensors", []),
    "header_of_10_gb": (rewrite("model.safetensors", struct.pack("<Q", 10 << 30) + b"{}"), "model.safetensors", []),
    "header_of_2_to_64": (rewrite("model.safetensors", b"\xff" * 8 + b"{}"), "model.safetensors", []),
    "weights_are_empty": (rewrite("model.safetensors", b""), "model.safetensors", []),
    "weights_are_cut": (cut("model.safetensors", 0.6), "model.safetensors", []),
    "header_is_cut": (cut("model.safetensors", 0.01), "model.safetensors", []),
    "weights_are_missing": (remove("model.safetensors"), "model.safetensors", []),
    "weights_are_a_folder": (replace_by(os.mkdir, "model.safetensors"), "model.safetensors", []),
    "weights_are_a_pipe": (replace_by(os.mkfifo, "model.safetensors"), "model.safetensors", []),
    "shard_is_cut": (sharded(cut(FIRST_SHARD, 0.7)), FIRST_SHARD, []),
    "shard_is_missing": (sharded(remove(FIRST_SHARD)), FIRST_SHARD, []),
    "shard_is_elsewhere": (sharded(misplace), "model.safetensors.index.json", ["../model.safetensors"]),
    "index_is_no_json": (sharded(rewrite("model.safetensors.index.json", "{")), "model.safetensors.index.json", []),
    "activation_is_unknown": (set_config(hidden_act="swish2"), "config.json", ["hidden_act", "swish2"]),
    "model_type_is_unknown": (set_config(model_type="bert9000"), "config.json", ["model_type", "bert9000"]),
    "model_type_is_absent": (set_config(model_type=...), "config.json", ["model_type"]),
    "positions_are_relative": (set_config(position_embedding_type="relative_key"), "config.json", ["relative_key"]),
    "is_a_decoder": (set_config(is_decoder=True), "config.json", ["is_decoder"]),
    "hidden_size_lies": (set_config(hidden_size=10**9), "config.json", ["hidden_size"]),
    "hidden_size_is_text": (set_config(hidden_size="32"), "config.json", ["hidden_size"]),
    "hidden_size_is_a_fraction": (set_config(hidden_size=32.5), "config.json", ["hidden_size"]),
    "hidden_size_is_negative": (set_config(hidden_size=-32), "config.json", ["hidden_size"]),
    "layers_lie": (set_config(num_hidden_layers=10**9), "config.json", ["num_hidden_layers"]),
    "one_layer_too_many": (set_config(num_hidden_layers=3), "model.safetensors", ["encoder.layer.2"]),
    "heads_do_not_divide": (set_config(num_attention_heads=5), "config.json", ["num_attention_heads"]),
    "no_heads": (set_config(num_attention_heads=0), "config.json", ["num_attention_heads"]),
    "vocabulary_lies": (set_config(vocab_size=10**9), "config.json", ["vocab_size"]),
    "vocabulary_is_smaller": (set_config(vocab_size=20), "tokenizer.json", ["20"]),
    "vocabulary_is_larger": (set_config(vocab_size=2000), "model.safetensors", [WORD_EMBEDDINGS]),
    "epsilon_is_infinite": (set_config(layer_norm_eps=1e300), "config.json", ["layer_norm_eps"]),
    "config_is_missing": (remove("config.json"), "config.json", []),
    "config_is_empty": (rewrite("config.json", ""), "config.json", []),
    "config_is_a_list": (rewrite("config.json", "[]"), "config.json", []),
    "config_nests_deeply": (rewrite("config.json", '{"a":' * 500000), "config.json", []),
    "config_is_enormous": (rewrite("config.json", '{"a": [' + "0," * 30_000_000 + "0]}"), "config.json", []),
    "config_is_no_utf8": (rewrite("config.json", b'{"model_type": "\xff\xfe"}'), "config.json", []),
    "config_is_a_pipe": (replace_by(os.mkfifo, "config.json"), "config.json", []),
    "tokenizer_is_missing": (remove("tokenizer.json"), "tokenizer.json", []),
    "tokenizer_is_cut": (cut("tokenizer.json", 0.5), "tokenizer.json", []),
    "tokenizer_nests_deeply": (rewrite("tokenizer.json", "[" * 1_000_000), "tokenizer.json", []),
    "tokenizer_has_more_tokens": (change_json("tokenizer.json", add_token), "tokenizer.json", []),
    "tokenizer_model_is_unknown": (change_json("tokenizer.json", invent_model), "tokenizer.json", ["Magic"]),
    "module_is_unknown": (change_json("modules.json", add_module), "modules.json", ["LSTM"]),
    "modules_are_no_list": (rewrite("modules.json", '{"a": 1}'), "modules.json", []),
    "pooling_is_unknown": (rewrite("1_Pooling/config.json", '{"pooling_mode_magic": true}'), "config.json", []),
}


def processor_seconds():
    """Of all processes that ended; time on the clock would be that of a busy machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def copied(folder):
    shutil.copytree(SMALL_MODEL, folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_refused_at_start(name, tmp_path, start_server):
    change, file, words = CASES[name]
    folder = copied(tmp_path / "model")
    change(folder)
    spent = processor_seconds()
    with start_server(model=folder, wait=False, exit_code=1) as server:
        server.process.wait(60)
        assert processor_seconds() - spent < SECONDS_MAX, server.log
        assert server.process.returncode == 1, server.log
        assert "Sanitizer" not in server.log
        fault = [line for line in server.log.splitlines() if file in line]
        assert fault, f"{file} is not named:\n{server.log}"
        assert all(any(word in line for line in fault) for word in words), server.log


def test_the_unchanged_copy_and_its_shards_are_served(tmp_path, start_server):
    folder = copied(tmp_path / "model")
    with start_server(model=folder):
        pass
    shard(folder)
    with start_server(model=folder):
        pass
