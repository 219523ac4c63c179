"""What the makers of encoder and task checkpoints share: random weights that hide no mistake, hidden states as
transformers computes them (eager, fp32, a batch of one), and the ways in which checkpoints are written."""
import contextlib
import copy
import json
import re
import shutil
from unittest import mock

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()

STORED = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
NORM = re.compile(r"norm\d?\w*\.(weight|bias|gamma|beta)$|_ln\.(weight|bias)$", re.IGNORECASE)
PROJECTION = re.compile(r"((query|key)(_global)?|q_lin|k_lin|attn\.[qk]|[qk]_proj|query_proj|key_proj)\.weight$")
FUSED = re.compile(r"(Wqkv|qkv_proj)\.weight$")
TABLE = re.compile(r"(rel_embeddings|relative_attention_bias|embed_tokens|word_embeddings|tok_embeddings)\.weight$")


def randomize(model, generator, sharpness=1.0):
    """Norms and biases leave 1 and 0, which would hide a swap; products keep the size of their inputs, so that an
    activation is not used where it is straight; queries and keys are 10 to 30 times those of a fresh model, whose
    nearly uniform attention would hide a wrong scale, bias or mask. `sharpness` scales those."""
    def sharp(inputs):
        times = float(torch.randint(10, 31, (1,), generator=generator)) * sharpness
        return 0.02 * times * min(1.0, (32 / inputs) ** 0.5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if NORM.search(name):
                parameter.copy_(noise * 0.2 + (0.0 if name.endswith(("bias", "beta")) else 1.0))
            elif PROJECTION.search(name):
                parameter.copy_(noise * sharp(parameter.shape[1]))
            elif FUSED.search(name):
                third = parameter.shape[0] // 3
                noise[:2 * third] *= sharp(parameter.shape[1])
                noise[2 * third:] *= parameter.shape[1] ** -0.5
                parameter.copy_(noise)
            elif TABLE.search(name):
                parameter.copy_(noise)
            elif noise.dim() < 2:
                parameter.copy_(noise * 0.1)
            elif name.endswith("_embeddings.weight"):
                parameter.copy_(noise * 0.5)
            else:
                parameter.copy_(noise * noise[0].numel() ** -0.5)


def round_weights(model, stored):
    """The weights become what `stored` can hold, and stay fp32 for the computation."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(STORED[stored]).float())


def reset_rope(model):
    """Forgets the longest text so far, by which transformers' dynamic RoPE would change the next result."""
    for module in model.modules():
        for name in [name for name, _ in module.named_buffers(recurse=False) if name.endswith("original_inv_freq")]:
            current = name.replace("original_", "")
            setattr(module, current, getattr(module, name).clone())
            module.max_seq_len_cached = module.original_max_seq_len


def reset_attention(model):
    """Forgets the short text by which transformers' BigBird became dense for good."""
    if model.config.model_type == "big_bird":
        model.set_attention_type(model.config.attention_type)


@contextlib.contextmanager
def in_double():
    """Softmax in the precision of its scores, where transformers asks for fp32 even in a model of doubles."""
    softmax = torch.nn.functional.softmax
    with mock.patch("torch.nn.functional.softmax", lambda scores, dim=None, dtype=None: softmax(scores, dim)):
        yield


def hidden_states(model, ids, types, globals_=()):
    """[tokens][hidden] of one sequence; `types` is None where the model has no segments; `globals_` are the positions
    of Longformer's global tokens."""
    reset_rope(model)
    reset_attention(model)
    arguments = {} if types is None else {"token_type_ids": torch.tensor([types])}
    ids = torch.tensor([ids])
    if globals_:
        arguments["global_attention_mask"] = torch.zeros_like(ids)
        arguments["global_attention_mask"][0, list(globals_)] = 1
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), **arguments).last_hidden_state[0]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def save_checkpoint(model, folder, stored, change=None, native=False, sharded=False):
    """Writes `model` with weights of type `stored`, under transformers' own names when `native`, else under those that
    it publishes; `change(config, tensors)` may edit both before. In three files or so when `sharded`."""
    shutil.rmtree(folder, ignore_errors=True)
    if isinstance(model, PreTrainedModel):
        # A copy: the way there and back would round RoPE's frequencies, which are no weights.
        copy.deepcopy(model).to(STORED[stored]).save_pretrained(folder, save_original_format=not native)
        tensors = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
    else:
        model.config.save_pretrained(folder)
        tensors = {name: tensor.to(STORED[stored]) for name, tensor in model.state_dict().items()}
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    if change:
        change(config, tensors)
    write_json(folder / "config.json", config)
    save_tensors(tensors, folder, 3 if sharded else 1)


def save_tensors(tensors, folder, file_count):
    """In the order of their names, about as many bytes in each file."""
    whole = sum(tensor.nbytes for tensor in tensors.values())
    files, sizes = [{}], 0
    for name in sorted(tensors):
        if sizes * file_count > whole * len(files):
            files.append({})
        files[-1][name] = tensors[name].contiguous()
        sizes += tensors[name].nbytes
    if len(files) == 1:
        save_file(files[0], folder / "model.safetensors", metadata={"format": "pt"})
        return
    places = {}
    for index, content in enumerate(files, 1):
        path = folder / f"model-{index:05d}-of-{len(files):05d}.safetensors"
        save_file(content, path, metadata={"format": "pt"})
        places |= dict.fromkeys(content, path.name)
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": whole}, "weight_map": places})
