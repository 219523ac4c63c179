"""Every architecture for the makers and the sampler: how transformers builds it at a given size, and how published
checkpoints write it where that differs from what transformers writes."""
import types

import torch
import transformers
from transformers.models.nomic_bert import modeling_nomic_bert

from jina_v2 import JinaBertModel
from reference import save_checkpoint

VOCABULARY = 61

# architecture: (transformers' class prefix, settings of the small models)
ROBERTA = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
ARCHITECTURES = {
    "bert": ("Bert", {"type_vocab_size": 2}),
    "roberta": ("Roberta", ROBERTA),
    "camembert": ("Camembert", ROBERTA),
    "xlm-roberta": ("XLMRoberta", ROBERTA),
    "distilbert": ("DistilBert", {}),
    "mpnet": ("MPNet", {"pad_token_id": 1}),
    "electra": ("Electra", {"type_vocab_size": 2}),
    "albert": ("Albert", {"type_vocab_size": 2}),
    "deberta-v2": ("DebertaV2", {
        "relative_attention": True, "position_buckets": 16, "max_relative_positions": 100, "share_att_key": True,
        "norm_rel_ebd": "layer_norm", "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
        "type_vocab_size": 0, "layer_norm_eps": 1e-7}),
    "modernbert": ("ModernBert", {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2,
                                  "sep_token_id": 3}),
    "nomic_bert": ("NomicBert", {"type_vocab_size": 2}),
    "gte": ("Gte", {}),
    "eurobert": ("EuroBert", {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 1, "mask_token_id": 2,
                              "rope_parameters": {"rope_type": "default", "rope_theta": 250000.0}}),
    "jina-v2": (None, {"type_vocab_size": 2}),
    "jina_embeddings_v3": ("JinaEmbeddingsV3", {}),
    "longformer": ("Longformer", ROBERTA | {"sep_token_id": 2, "attention_window": 8}),
    "big_bird": ("BigBird", {"block_size": 4, "num_random_blocks": 1, "sep_token_id": 3}),
}
POSITIONS_AFTER_PADDING = ("roberta", "camembert", "xlm-roberta", "mpnet", "longformer")
OURS = ("fraction", "stretch", "ntk", "gates", "lengths")  # settings that are not transformers' own
OWN_NAMES = {"distilbert": {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers",
                            "intermediate_size": "hidden_dim"}}


def type_count(config):
    return max(getattr(config, "type_vocab_size", 1), 1)


def make_config(architecture, sizes, settings, positions):
    prefix, small = ARCHITECTURES["jina_embeddings_v3" if settings.get("gates") is False else architecture]
    hidden, heads, layers, intermediate = sizes
    values = {"vocab_size": VOCABULARY, "hidden_size": hidden, "num_attention_heads": heads,
              "num_hidden_layers": layers, "intermediate_size": intermediate, "max_position_embeddings": positions}
    values = {OWN_NAMES.get(architecture, {}).get(name, name): value for name, value in values.items()}
    values |= small | {name: value for name, value in settings.items() if name not in OURS}
    if architecture in POSITIONS_AFTER_PADDING:
        values["max_position_embeddings"] += values["pad_token_id"] + 1
    if architecture == "big_bird":  # which pads to whole blocks
        values["max_position_embeddings"] += -positions % values["block_size"]
    if "stretch" in settings:
        trained, factor = settings["stretch"]
        values |= {"max_position_embeddings": trained,
                   "rope_parameters": {"rope_type": "dynamic", "factor": factor, "rope_theta": 1000.0}}
    if architecture == "jina-v2":
        values = {"layer_norm_eps": 1e-12, "hidden_act": "gelu", "feed_forward_type": "geglu"} | values
        return transformers.BertConfig(position_embedding_type="alibi", architectures=["JinaBertForMaskedLM"],
                                       **values)
    return getattr(transformers, f"{prefix}Config")(attn_implementation="eager", **values)


def build(architecture, sizes, settings, flags, positions):
    """(the model to save, the model that computes hidden states), which are one but for a prefix of names."""
    config = make_config(architecture, sizes, settings, positions)
    if architecture == "jina-v2":
        model = JinaBertModel(config).eval()
        return model, model
    name = type(config).__name__.removesuffix("Config")
    if "prefixed" in flags:
        model = getattr(transformers, f"{name}ForMaskedLM")(config).eval()
        base = model.base_model
    else:
        model = base = getattr(transformers, f"{name}Model")(config).eval()
        if getattr(model, "pooler", None) is not None:
            model.pooler = None
            if architecture == "albert":
                model.pooler_activation = None
    if "fraction" in settings:
        rotate_partly(base, settings["fraction"])
    if "ntk" in settings:
        stretch_always(base, settings["ntk"])
    return model, base


def rotate_partly(model, fraction):
    """Only the first part of each head is rotated: a setting of published code that transformers does not have."""
    size = int(model.config.head_dim * fraction)
    theta = model.config.rope_parameters["rope_theta"]
    frequencies = 1.0 / (theta ** (torch.arange(0, size, 2, dtype=torch.float) / size))
    rotary = model.rotary_emb
    rotary.inv_freq, rotary.original_inv_freq = frequencies, frequencies.clone()
    whole = modeling_nomic_bert.apply_rotary_pos_emb

    def partly(q, k, cos, sin, unsqueeze_dim=1):
        size = cos.shape[-1]
        q_head, k_head = whole(q[..., :size], k[..., :size], cos, sin, unsqueeze_dim)
        return torch.cat((q_head, q[..., size:]), -1), torch.cat((k_head, k[..., size:]), -1)

    for layer in model.layers:  # the class keeps the whole rotation for other models
        forward = type(layer.self_attn).forward
        while hasattr(forward, "__wrapped__"):
            forward = forward.__wrapped__
        names = forward.__globals__ | {"apply_rotary_pos_emb": partly}
        partial = types.FunctionType(forward.__code__, names, forward.__name__, forward.__defaults__)
        layer.self_attn.forward = types.MethodType(partial, layer.self_attn)


def stretch_always(model, factor):
    """rope_scaling of type "ntk" in published code: the base times the factor, all frequencies by factor^(2/d)."""
    size = model.config.hidden_size // model.config.num_attention_heads
    theta = model.config.rope_parameters["rope_theta"] * factor
    frequencies = 1.0 / (theta ** (torch.arange(0, size, 2, dtype=torch.float) / size)) / factor ** (2 / size)
    rotary = model.rotary_emb
    rotary.inv_freq, rotary.original_inv_freq = frequencies, frequencies.clone()


def write(model, folder, architecture, stored, settings, flags):
    """Writes the checkpoint: native names or published ones, published settings with the flag "hub"."""
    def change(config, tensors):
        publish(config, tensors, architecture, settings, flags)
    save_checkpoint(model, folder, stored, change, native="native" in flags, sharded="sharded" in flags)


def publish(config, tensors, architecture, settings, flags):
    if "gamma" in flags:
        for name in [name for name in tensors if "LayerNorm" in name]:
            older = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            tensors[older] = tensors.pop(name)
    if "hub" in flags:
        PUBLISHED[architecture](config, tensors, settings)


def publish_modernbert(config, tensors, settings):
    del tensors, settings
    del config["layer_types"]
    theta = config.pop("rope_parameters")
    config["global_rope_theta"] = theta["full_attention"]["rope_theta"]
    config["local_rope_theta"] = theta["sliding_attention"]["rope_theta"]


def publish_nomic(config, tensors, settings):
    """Without gates, Nomic's code computes what Jina's third generation does; only the names differ."""
    gates = settings.get("gates", True)
    for name in [name for name in tensors if ".mixer." in name]:
        tensors[name.replace(".mixer.", ".attn.")] = tensors.pop(name)
    theta = config.pop("rope_parameters")["rope_theta"]
    renamed = {"hidden_size": "n_embd", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
               "intermediate_size": "n_inner", "layer_norm_eps": "layer_norm_epsilon"}
    for name, published in renamed.items():
        config[published] = config.pop(name)
    positions = config.pop("max_position_embeddings")
    trained, factor = settings.get("stretch", (positions, None))
    config.pop("head_dim", None)
    config.pop("hidden_act")
    config |= {
        "model_type": "nomic_bert", "activation_function": "swiglu" if gates else "gelu",
        "n_positions": max(positions, 300), "max_trained_positions": trained,
        "rotary_scaling_factor": factor, "rotary_emb_base": theta, "rotary_emb_fraction": settings.get("fraction", 1.0),
        "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "prenorm": False, "qkv_proj_bias": not gates,
        "mlp_fc1_bias": not gates, "mlp_fc2_bias": not gates, "parallel_block": False, "causal": False,
        "use_rms_norm": False, "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
        "pad_vocab_size_multiple": 64, "use_flash_attn": True, "use_xentropy": True, "fused_bias_fc": True,
        "fused_dropout_add_ln": True, "dense_seq_output": True, "shared_token_type_embeddings": False,
        "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "summary_type": "cls_index",
    }


def publish_gte(config, tensors, settings):
    theta = config.pop("rope_parameters")["rope_theta"]
    config |= {
        "model_type": "new", "architectures": ["NewModel"], "rope_theta": theta, "layer_norm_type": "layer_norm",
        "position_embedding_type": "rope", "pack_qkv": True, "unpad_inputs": False, "logn_attention_scale": False,
        "logn_attention_clip1": False, "use_memory_efficient_attention": False,
        "rope_scaling": {"factor": settings["ntk"], "type": "ntk"} if "ntk" in settings else None}
    for name in list(tensors):
        if name.startswith("gte."):
            tensors["new." + name.removeprefix("gte.")] = tensors.pop(name)


def publish_eurobert(config, tensors, settings):
    del tensors, settings
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None


PUBLISHED = {"modernbert": publish_modernbert, "nomic_bert": publish_nomic, "gte": publish_gte,
             "eurobert": publish_eurobert}
